"""Parsing and printing schemas as Avro's Java library does."""

from __future__ import annotations

import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.embedded.avro_schema import InvalidSchema, accepts, dependencies, parse


def text(schema: Any) -> str:
    return parse(json.dumps(schema)).text


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ('{"type": "string"}', '"string"'),
        ("string", '"string"'),
        ('{"type": {"type": "int"}}', '"int"'),
        ('["null", {"type": "long"}]', '["null","long"]'),
        ('{"type": "long", "logicalType": "timestamp-micros"}', '{"type":"long","logicalType":"timestamp-micros"}'),
        ('{"values": "int", "type": "map"}', '{"type":"map","values":"int"}'),
        (
            '{"name": "a.b.E", "type": "enum", "symbols": ["X"], "default": "X", "doc": "d"}',
            '{"type":"enum","name":"E","namespace":"a.b","doc":"d","symbols":["X"],"default":"X"}',
        ),
        ('{"size": 4, "name": "F", "type": "fixed"}', '{"type":"fixed","name":"F","size":4}'),
    ],
)
def test_prints_the_attributes_in_the_order_of_the_java_library(given: str, printed: str) -> None:
    assert parse(given).text == printed


def test_prints_a_namespace_only_where_it_changes_and_a_type_once() -> None:
    schema = {
        "type": "record",
        "name": "Outer",
        "namespace": "vn.moha",
        "connect.version": 1,
        "fields": [
            {"name": "a", "type": {"type": "record", "name": "Inner", "namespace": "vn.moha", "fields": []}},
            {"name": "b", "type": ["null", "vn.moha.Inner"], "default": None, "doc": "again"},
            {"name": "c", "type": {"type": "fixed", "name": "other.F", "size": 1}, "order": "ascending"},
            {"name": "d", "type": "other.F", "order": "ignore", "aliases": ["x"]},
        ],
        "aliases": ["Old"],
    }
    assert json.loads(text(schema)) == {
        "type": "record",
        "name": "Outer",
        "namespace": "vn.moha",
        "fields": [
            {"name": "a", "type": {"type": "record", "name": "Inner", "fields": []}},
            {"name": "b", "type": ["null", "Inner"], "doc": "again", "default": None},
            {"name": "c", "type": {"type": "fixed", "name": "F", "namespace": "other", "size": 1}},
            {"name": "d", "type": "other.F", "order": "ignore", "aliases": ["x"]},
        ],
        "connect.version": 1,
        "aliases": ["Old"],
    }


def test_a_recursive_type_may_name_itself() -> None:
    tree = {"type": "record", "name": "T", "fields": [{"name": "next", "type": ["null", "T"], "default": None}]}
    assert json.loads(text(tree)) == tree


def test_types_of_other_schemas_are_printed_by_name() -> None:
    other = parse('{"type":"record","name":"a.Address","fields":[]}')
    person = '{"type":"record","name":"a.Person","fields":[{"name":"home","type":"a.Address"}]}'
    printed = parse(person, dependencies([other])).text
    assert json.loads(printed)["fields"] == [{"name": "home", "type": "Address"}]
    with pytest.raises(InvalidSchema, match=r"a\.Address"):
        parse(person)


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "nonsense",
        "{}",
        "3",
        '{"type":"record","name":"R"}',
        '{"type":"record","fields":[]}',
        '{"type":"record","name":"1R","fields":[]}',
        '{"type":"record","name":"R","fields":[{"name":"a"}]}',
        '{"type":"record","name":"R","fields":[{"name":"a b","type":"int"}]}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":2147483648}]}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"int","order":"up"}]}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"int","aliases":"b"}]}',
        '{"type":"enum","name":"E","symbols":["A","A"]}',
        '{"type":"enum","name":"E","symbols":["A-B"]}',
        '{"type":"enum","name":"E","symbols":["A"],"default":"B"}',
        '{"type":"fixed","name":"F","size":-1}',
        '{"type":"array"}',
        '["int","int"]',
        '["null",["int"]]',
        '[{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":1}]',
    ],
)
def test_refuses_what_the_specification_forbids(wrong: str) -> None:
    with pytest.raises(InvalidSchema):
        parse(wrong)


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ("null", None, True), ("boolean", True, True), ("int", True, False), ("long", 2**63, False),
        ("double", 1, True), ("bytes", "\u00ff", True), (["null", "string"], "x", True), (["null", "string"], 1, False),
        ({"type": "array", "items": "int"}, [1, 2], True), ({"type": "array", "items": "int"}, ["x"], False),
        ({"type": "map", "values": "int"}, {"a": 1}, True), ({"type": "map", "values": "int"}, [], False),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, {}, False),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": 1}]}, {}, True),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "B", False),
    ],
)  # fmt: skip
def test_a_default_is_of_its_type_or_refused(schema: Any, value: Any, fits: bool) -> None:
    assert accepts(parse(json.dumps(schema)).root, value) is fits


_primitives = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
_schemas = st.recursive(
    _primitives,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({"type": st.just("map"), "values": inner}),
    ),
    max_leaves=4,
)


@given(st.lists(_schemas, max_size=5), st.sampled_from(["", "a", "a.b"]))
def test_printing_is_idempotent_and_fastavro_reads_it_as_the_same_schema(types: list[Any], space: str) -> None:
    fields = [{"name": f"f{number}", "type": one} for number, one in enumerate(types)]
    schema = {"type": "record", "name": "R", "namespace": space, "fields": fields}
    printed = text(schema)
    assert parse(printed).text == printed
    as_given, as_printed = fastavro.parse_schema(schema), fastavro.parse_schema(json.loads(printed))
    assert fastavro.schema.to_parsing_canonical_form(as_given) == fastavro.schema.to_parsing_canonical_form(as_printed)
