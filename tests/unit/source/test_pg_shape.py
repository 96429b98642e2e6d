"""What the configuration makes of a table: columns left out, keys chosen, values hashed, masked and cut."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import fastavro
import pytest

from sync.errors import ConfigError
from sync.record import TableId
from sync.schema.avro import decode_one
from sync.source.postgresql import PLUGIN
from sync.source.postgresql.column import Options
from sync.source.postgresql.envelope import key_schema, value_schema
from sync.source.postgresql.mask import written
from sync.source.postgresql.shape import Shape
from sync.source.postgresql.table import Column, Identity, PgType, Table
from sync.source.postgresql.transcoder import Transcoder
from sync.source.postgresql.treatment import java_serialized
from tests.pgoutput_log import World, image

MINIMAL = {"database.hostname": "h", "database.user": "u", "database.dbname": "d", "topic.prefix": "t"}
TEXT = PgType("text")


def shape(**more: str) -> Shape:
    return read({name.replace("__", "."): value for name, value in more.items()})


def read(given: dict[str, str]) -> Shape:
    parsed = PLUGIN.config.parse({**MINIMAL, **given})
    assert not parsed.errors
    assert not parsed.warnings
    return Shape.read(parsed.values)


def table(*columns: Column, key: tuple[str, ...] = ("id",), identity: Identity = Identity.DEFAULT) -> Table:
    return Table(
        TableId("public", "t"), (Column("id", PgType("int4"), optional=False), *columns), key=key, identity=identity
    )


def row(captured: Table, *values: Any) -> dict[str, Any]:
    """What a reader sees of a logged row."""
    schema = fastavro.parse_schema(value_schema("p", captured, Options()))
    parts = [b""]
    plans = Transcoder(captured, Options())
    plans.logged(image(values)[2:], 0, plans.rows, parts)
    return dict(decode_one(schema, b"".join(parts)))


# What Debezium 3.4.0.Final wrote with the salt "muoi".
@pytest.mark.parametrize(
    ("version", "kind", "value", "wanted"),
    [
        ("", TEXT, "Trần", "4070fb189aeee949089c2a24cc3503d3e0f7aeca02ff8146e80e573871c82742"),
        ("", PgType("varchar", 14), "abc", "707721285e"),
        ("", PgType("varchar", 68), "xyz", "b48eee0357741f236e66007f678bc312637e15a0bd6561815b470feeea4dbd4e"),
        ("", PgType("bpchar", 9), "ab   ", "c73ee"),
        ("", PgType("char"), "c", "1"),
        ("", PgType("en", -1, ("a", "b")), "b", "ea800d90adf3b4bf9039fef5a5915821e15fdf6b731ee5fc5e76d0587f31e1a7"),
        ("v2.", TEXT, "Trần", "82628eadfb63b80bb93c730e752d2a61d12f0c38db6a9a779826c18032aa527f"),
        ("", PgType("inet"), "10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_hash_is_debeziums(version: str, kind: PgType, value: str, wanted: str) -> None:
    rules = read({f"column.mask.hash.{version}SHA-256.with.salt.muoi": r"public\.t\.x"})
    captured = rules.table(table(Column("x", kind)))
    assert row(captured, "1", value) == {"id": 1, "x": wanted}
    assert row(captured, "1", None) == {"id": 1, "x": None}
    assert written(captured.columns[1], Options()).schema["connect.parameters"]["masked"] == "true"


def test_javas_form_of_a_string_has_surrogates_and_zeros_its_own_way() -> None:
    assert java_serialized(b"a") == bytes.fromhex("aced00057400") + b"\x01a"
    assert java_serialized("😀".encode())[7:] == bytes.fromhex("eda0bdedb880")
    assert java_serialized(b"x" * 70_000)[4:13] == b"\x7c" + (70_000).to_bytes(8, "big")


def test_a_mask_hides_nulls_and_what_the_log_does_not_repeat_and_leaves_numbers() -> None:
    rules = shape(column__mask__with__4__chars=r"public\.t\.(a|n)")
    captured = rules.table(table(Column("a", TEXT), Column("n", PgType("int4"))))
    assert row(captured, "1", "bí mật", "7") == {"id": 1, "a": "****", "n": 7}
    assert row(captured, "1", None, None) == {"id": 1, "a": "****", "n": None}


def test_strings_and_bytes_are_cut_to_a_length_in_javas_units() -> None:
    rules = shape(column__truncate__to__3__chars=r"public\.t\..")
    columns = [
        Column("a", TEXT),
        Column("b", PgType("bytea")),
        Column("j", PgType("jsonb")),
        Column("n", PgType("int4")),
    ]
    captured = rules.table(table(*columns, Column("v", PgType("varchar", 7))))
    found = row(captured, "1", "Trần", r"\x01020304", '{"a": 1}', "12345", "abc")
    assert found == {"id": 1, "a": "Trầ", "b": b"\1\2\3", "j": '{"a', "n": 12345, "v": "abc"}
    # Half a pair of surrogates is what Java leaves; in UTF-8 it is a question mark.
    assert row(captured, "1", "😀😀", None, None, None, None)["a"] == "😀?"
    assert "connect.parameters" not in json.dumps(written(captured.columns[5], Options()).schema)


def test_a_column_that_records_do_not_have_is_left_alone_by_any_rule() -> None:
    for key in ("column.mask.with.3.chars", "column.truncate.to.3.chars", "column.propagate.source.type"):
        captured = read({key: r"public\.t\.x"}).table(table(Column("x", PgType("khong_biet"))))
        assert written(captured.columns[1], Options()).schema is None


def test_a_column_that_is_left_out_is_in_no_schema_and_no_record() -> None:
    captured = shape(column__exclude__list=r"public\.t\.luong").table(
        table(Column("luong", PgType("numeric"), optional=False), Column("ten", TEXT))
    )
    assert row(captured, "1", "5000000", "An") == {"id": 1, "ten": "An"}
    assert row(captured, "1", None, "An") == {"id": 1, "ten": "An"}
    world = World(replace(captured, id=TableId("public", "can_bo")))
    world.transaction(500, ("1", "5000000", "An"))
    [(key, value)] = world.records(world.capture.take())
    assert (key, value["after"]) == ({"id": 1}, {"id": 1, "ten": "An"})


def test_only_included_columns_are_captured() -> None:
    captured = shape(column__include__list=r"PUBLIC\.t\.(id|a)").table(table(Column("a", TEXT), Column("b", TEXT)))
    assert [column.name for column in captured.columns if column.captured] == ["id", "a"]


def test_a_key_is_chosen_by_its_columns_in_the_order_given() -> None:
    rules = shape(message__key__columns=r"(.*)\.khac:x;public\.t:b,A")
    captured = rules.table(
        table(Column("a", TEXT), Column("b", PgType("int4"), optional=False), identity=Identity.FULL)
    )
    assert captured.key == ("b", "a")
    fields = {field["name"]: field["type"] for field in key_schema("p", captured, Options())["fields"]}
    assert fields == {"b": "int", "a": ["null", "string"]}
    world = World(replace(captured, id=TableId("public", "can_bo")))
    world.log.begin(500)
    world.log.relation(captured)
    world.log.change(b"D", (b"O", ("1", None, "3")))
    world.log.commit(500)
    assert world.records(world.capture.take())[0][0] == {"b": 3, "a": None}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"column.exclude.list": r"public\.t\.id"}, "column.exclude.list"),
        ({"column.include.list": r"public\.t\.a"}, "column.include.list"),
        ({"message.key.columns": r"public\.t:nham"}, "message.key.columns"),
        ({"message.key.columns": r"public\.t:a"}, "message.key.columns"),
        ({"column.mask.with.3.chars": r"public\.t\..*"}, "column.mask.with.3.chars"),
        ({"column.mask.hash.SHA-256.with.salt.s": r"public\.t\.id"}, "column.mask.hash.SHA-256.with.salt.s"),
    ],
)
def test_a_key_that_records_could_not_hold_is_an_error_with_a_remedy(given: dict[str, str], field: str) -> None:
    with pytest.raises(ConfigError, match="Remedy") as raised:
        read(given).table(table(Column("a", TEXT)))
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("column.mask.hash.SHA-257.with.salt.s", "public.t.a"),
        ("column.mask.with.3.chars", "("),
        ("column.truncate.to.0.chars", "public.t.a"),
        ("message.key.columns", "public.t"),
        ("message.key.columns", "public.t:"),
        ("column.include.list", "("),
    ],
)
def test_a_rule_that_can_not_be_read_names_its_key(key: str, value: str) -> None:
    assert list(PLUGIN.config.parse({**MINIMAL, key: value}).errors) == [key]


# As Debezium 3.4.0.Final told them.
@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (PgType("numeric", (10 << 16) + 2 + 4), ("NUMERIC", "10", "2")),
        (PgType("numeric"), ("NUMERIC", "0", None)),
        (PgType("varchar", 24), ("VARCHAR", "20", "0")),
        (TEXT, ("TEXT", "2147483647", "0")),
        (PgType("timestamp", 3), ("TIMESTAMP", "26", "3")),
        (PgType("timestamptz"), ("TIMESTAMPTZ", "35", "6")),
        (PgType("bit", 5), ("BIT", "5", "0")),
        (PgType("interval"), ("INTERVAL", "49", "6")),
        (PgType("_varchar", 9, element=PgType("varchar", 9)), ("_VARCHAR", "5", "0")),
        (PgType("date"), ("DATE", "13", "0")),
        (PgType("int8"), ("INT8", "19", "0")),
        (PgType("float4"), ("FLOAT4", "8", "8")),
    ],
)
def test_the_sources_type_is_told_as_debezium_tells_it(kind: PgType, wanted: tuple[str, str, str | None]) -> None:
    by_name = shape(column__propagate__source__type=r"public\.t\.x")
    by_type = shape(datatype__propagate__source__type=kind.name.upper())
    for rules in (by_name, by_type):
        schema = written(rules.table(table(Column("x", kind))).columns[1], Options()).schema
        told = schema["connect.parameters"]
        prefix = "__debezium.source.column."
        assert (told[f"{prefix}type"], told[f"{prefix}length"], told.get(f"{prefix}scale")) == wanted
        assert told[f"{prefix}name"] == "x"


def test_a_comma_within_a_regular_expression_has_a_backslash() -> None:
    rules = shape(column__exclude__list=r"public\.t\.a{1\,2},public\.t\.c")
    captured = rules.table(table(Column("aa", TEXT), Column("c", TEXT), Column("d", TEXT)))
    assert [column.name for column in captured.columns if column.captured] == ["id", "d"]
