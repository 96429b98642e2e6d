from __future__ import annotations

import csv as reader
import io
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import ConfigError
from sync.sink.postgresql.column import Column, column_of, csv, for_target


def column(avro: Any) -> Column:
    return column_of({"name": "c", "type": avro})


def named(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "connect.name": name}


@pytest.mark.parametrize(
    ("avro", "sql"),
    [
        ("string", "text"),
        (["null", "string"], "text"),
        (["int", "null"], "integer"),
        ("long", "bigint"),
        ("boolean", "boolean"),
        ("float", "real"),
        ("double", "double precision"),
        ("bytes", "bytea"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}, "numeric(5,2)"),
        ({"type": "int", "logicalType": "date"}, "date"),
        ({"type": "long", "logicalType": "timestamp-micros"}, "timestamptz"),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, "timestamp"),
        (named("int", "io.debezium.time.Date"), "date"),
        (named("long", "io.debezium.time.MicroTimestamp"), "timestamp"),
        (named("string", "io.debezium.time.ZonedTimestamp"), "timestamptz"),
        (named("string", "io.debezium.data.Json"), "jsonb"),
        (named("string", "io.debezium.data.Uuid"), "uuid"),
        (named("string", "io.debezium.data.Enum"), "text"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "text"),
        ({"type": "array", "items": "string"}, "text[]"),
        ({"type": "array", "items": ["null", "int"]}, "integer[]"),
        ({"type": "array", "items": {"type": "array", "items": "int"}}, "jsonb"),
        ({"type": "map", "values": "string"}, "jsonb"),
        ({"type": "record", "name": "R", "fields": []}, "jsonb"),
    ],
)
def test_a_new_column_has_the_type_of_its_field(avro: Any, sql: str) -> None:
    assert column(avro).type == sql


def test_a_union_of_two_types_is_refused_naming_the_field() -> None:
    with pytest.raises(ConfigError, match="Field c is a union of 2 types"):
        column(["null", "string", "int"])


def text(avro: Any, values: pl.Series) -> list[Any]:
    return column(avro).text(values).to_list()


def test_bytes_become_hexadecimal() -> None:
    assert text("bytes", pl.Series([b"\x00\xff", b"", None])) == ["\\x00ff", "\\x", None]


def test_decimals_keep_their_scale_and_any_length() -> None:
    avro = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}

    assert text(avro, pl.Series([Decimal("-1.50"), None], dtype=pl.Decimal(9, 2))) == ["-1.50", None]
    assert text(avro, pl.Series([b"\xff\x6a"])) == ["-150e-2"]


def test_times_are_the_same_from_integers_and_from_decoded_columns() -> None:
    micros = 3_723_000_004

    assert text(named("long", "io.debezium.time.MicroTime"), pl.Series([micros])) == ["01:02:03.000004"]
    assert text({"type": "long", "logicalType": "time-micros"}, pl.Series([micros * 1000]).cast(pl.Time)) == [
        "01:02:03.000004"
    ]


def test_milliseconds_of_infinity_stay_infinite() -> None:
    avro = named("long", "io.debezium.time.Timestamp")

    assert text(avro, pl.Series([9_223_372_036_825_200, 1])) == ["infinity", "1970-01-01 00:00:00.001000"]


def test_arrays_quote_every_element_and_tell_null_from_the_empty_string() -> None:
    avro = {"type": "array", "items": ["null", "string"]}
    values = pl.Series([["a", None, "", 'q"\\,{}'], [], None, ["NULL"]])

    assert text(avro, values) == ['{"a",NULL,"","q\\"\\\\,{}"}', "{}", None, '{"NULL"}']


def test_an_array_for_a_json_column_is_written_as_json() -> None:
    fitted = for_target(column({"type": "array", "items": "int"}), "c", "jsonb", "jsonb")

    assert fitted.text(pl.Series([[1, None]])).to_list() == ["[1, null]"]


def test_maps_become_json_objects() -> None:
    values = pl.Series([[{"key": "a", "value": "1"}], None])

    assert text({"type": "map", "values": "string"}, values) == ['{"a": "1"}', None]


@given(st.lists(st.tuples(st.none() | st.text(), st.integers(-(2**31), 2**31 - 1)), max_size=8))
def test_csv_holds_every_text_and_only_null_is_bare(rows: list[tuple[str | None, int]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.Int32}, orient="row")
    columns = [column_of({"name": "a", "type": "string"}), column_of({"name": "b", "type": "int"})]

    data = csv(frame, columns).decode()

    parsed = list(reader.reader(io.StringIO(data, newline=""), lineterminator="\n")) if rows else []
    assert [row[0] for row in parsed] == [a or "" for a, _ in rows]
    assert [int(row[1]) for row in parsed] == [b for _, b in rows]


def test_the_empty_string_is_quoted_and_null_is_not() -> None:
    frame = pl.DataFrame({"a": ["", None], "b": [1, 2]})
    columns = [column_of({"name": n, "type": "string"}) for n in ("a", "b")]

    assert csv(frame, columns) == b'"",1\n,2\n'


def test_a_single_column_is_quoted_so_that_no_value_ends_the_copy() -> None:
    assert csv(pl.DataFrame({"a": ["\\."]}), [column_of({"name": "a", "type": "string"})]) == b'"\\."\n'
