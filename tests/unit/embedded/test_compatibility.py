"""Which schema changes which compatibility level allows."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.embedded.avro_schema import Schema, parse
from sync.embedded.compatibility import LEVELS, check, mismatches


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> Schema:
    return parse(json.dumps({"type": "record", "name": name, "fields": list(fields), **more}))


def field(name: str, kind: Any = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def kinds(reader: Schema, writer: Schema) -> list[tuple[str, str]]:
    return [(found.kind, found.path) for found in mismatches(reader, writer)]


BASE = record(field("a"))
OPTIONAL_ADDED = record(field("a"), field("b", ["null", "string"], default=None))
REQUIRED_ADDED = record(field("a"), field("b"))
REMOVED = record()
RETYPED = record(field("a", "int"))


@pytest.mark.parametrize(
    ("new", "allowed"),
    [
        (OPTIONAL_ADDED, {"BACKWARD", "FORWARD", "FULL", "NONE"}),
        (REQUIRED_ADDED, {"FORWARD", "NONE"}),
        (REMOVED, {"BACKWARD", "NONE"}),
        (RETYPED, {"NONE"}),
        (BASE, {"BACKWARD", "FORWARD", "FULL", "NONE"}),
    ],
)
def test_each_level_allows_the_changes_that_its_definition_allows(new: Schema, allowed: set[str]) -> None:
    for level in LEVELS:
        fine = not check(new, [(1, BASE)], level)
        assert fine is (level.removesuffix("_TRANSITIVE") in allowed), level


def test_a_transitive_level_looks_at_every_version_and_the_plain_one_at_the_last() -> None:
    first, second = record(field("a", "int")), record()
    new = record(field("a", default="x"))
    versions = [(1, first), (2, second)]
    assert check(new, versions, "BACKWARD") == []
    messages = check(new, versions, "BACKWARD_TRANSITIVE")
    assert "TYPE_MISMATCH" in messages[0]
    assert "{oldSchemaVersion: 1}" in messages
    assert "{compatibility: 'BACKWARD_TRANSITIVE'}" in messages


def test_nothing_registered_means_nothing_to_break() -> None:
    assert all(check(BASE, [], level) == [] for level in LEVELS)


@pytest.mark.parametrize(
    ("writer", "reader"),
    [("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"),
     ("float", "double"), ("string", "bytes"), ("bytes", "string")],
)  # fmt: skip
def test_a_type_may_widen_but_not_narrow(writer: str, reader: str) -> None:
    wide, narrow = parse(f'"{reader}"'), parse(f'"{writer}"')
    assert kinds(wide, narrow) == []
    if {writer, reader} != {"string", "bytes"}:
        assert kinds(narrow, wide) == [("TYPE_MISMATCH", "/")]


def test_unions() -> None:
    null_string, string = parse('["null","string"]'), parse('"string"')
    wider, other = parse('["null","string","int"]'), parse('["null","int"]')
    assert kinds(null_string, string) == []
    assert kinds(string, null_string) == [("TYPE_MISMATCH", "/")]
    assert kinds(wider, null_string) == []
    assert kinds(null_string, wider) == [("MISSING_UNION_BRANCH", "/2")]
    assert kinds(other, string) == [("MISSING_UNION_BRANCH", "/")]


def test_enums_may_lose_symbols_only_with_a_default() -> None:
    old = parse('{"type":"enum","name":"E","symbols":["A","B"]}')
    assert kinds(parse('{"type":"enum","name":"E","symbols":["A"]}'), old) == [("MISSING_ENUM_SYMBOLS", "/symbols")]
    assert kinds(parse('{"type":"enum","name":"E","symbols":["A"],"default":"A"}'), old) == []


def test_names_sizes_and_places() -> None:
    assert kinds(parse('{"type":"fixed","name":"F","size":2}'), parse('{"type":"fixed","name":"F","size":1}')) == [
        ("FIXED_SIZE_MISMATCH", "/size")
    ]
    assert kinds(record(name="Q"), record()) == [("NAME_MISMATCH", "/name")]
    assert kinds(record(name="Q", aliases=["R"]), record()) == []
    assert kinds(record(name="other.R"), record()) == [], "Avro Java compares names without namespaces"
    nested = {"type": "array", "items": {"type": "map", "values": "int"}}
    wrong = {"type": "array", "items": {"type": "map", "values": "string"}}
    assert kinds(record(field("a", nested)), record(field("a", wrong))) == [
        ("TYPE_MISMATCH", "/fields/0/type/items/values")
    ]


def test_a_renamed_field_is_found_by_its_alias() -> None:
    assert kinds(record(field("b", aliases=["a"])), BASE) == []
    assert kinds(record(field("b")), BASE) == [("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0")]


def test_recursive_types_are_compared_to_the_end() -> None:
    def tree(value: str) -> Schema:
        return record(field("value", value), field("next", ["null", "R"], default=None))

    assert kinds(tree("long"), tree("int")) == []
    assert kinds(tree("int"), tree("long")) == [("TYPE_MISMATCH", "/fields/0/type")]


_types = st.sampled_from(
    ["int", "long", "float", "double", "string", "bytes", "boolean", ["null", "int"], ["null", "string"],
     {"type": "array", "items": "int"}, {"type": "array", "items": "long"}, {"type": "map", "values": "string"}]
)  # fmt: skip
_VALUES: dict[str, Any] = {
    "int": -(2**31), "long": 2**40, "float": 1.5, "double": 1e300, "string": "xin chào", "boolean": True,
    # Avro lets bytes be read as a string, whatever they hold: only those that are text can be.
    "bytes": "chữ".encode(), "array": [1, 2], "map": {"khóa": "trị"},
}  # fmt: skip
_DEFAULTS = {"int": 1, "long": 1, "float": 1.0, "double": 1.0, "string": "x", "bytes": "x", "boolean": True}


@st.composite
def _records(draw: st.DrawFn) -> dict[str, Any]:
    fields = []
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        kind = draw(_types)
        one = field(name, kind)
        if isinstance(kind, str) and draw(st.booleans()):
            one["default"] = _DEFAULTS[kind]
        elif isinstance(kind, list):
            one["default"] = None
        fields.append(one)
    return {"type": "record", "name": "R", "fields": fields}


def _value(kind: Any) -> Any:
    if isinstance(kind, list):
        return _VALUES[kind[1]]
    return _VALUES[kind["type"] if isinstance(kind, dict) else kind]


@given(_records(), _records())
def test_what_is_called_compatible_can_be_read_by_fastavro(writer: dict[str, Any], reader: dict[str, Any]) -> None:
    if mismatches(parse(json.dumps(reader)), parse(json.dumps(writer))):
        return
    buffer = io.BytesIO()
    record = {one["name"]: _value(one["type"]) for one in writer["fields"]}
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(writer), record)
    buffer.seek(0)
    fastavro.schemaless_reader(buffer, fastavro.parse_schema(writer), fastavro.parse_schema(reader))
