"""The transcoder writes what fastavro reads, for any table and any row, from the log and from COPY."""

from __future__ import annotations

import datetime as dt
import math
import struct
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Refused
from sync.record import TableId
from sync.schema.avro import decode_one
from sync.source.postgresql import envelope
from sync.source.postgresql.column import Options, mapped
from sync.source.postgresql.table import Column, PgType, Table
from sync.source.postgresql.transcoder import Transcoder, UnexpectedNullError
from tests.unit.source.pg_rows import (
    EPOCH,
    logged,
    rows,
)


@given(rows())
def test_a_row_of_the_log_is_the_same_row_for_fastavro(
    row: tuple[Table, list[tuple[str, Any] | None]],
) -> None:
    table, values = row
    transcoder = Transcoder(table, Options())
    schema = envelope.value_schema("nguồn", table, Options())
    expected = {f"c{place}": value and value[1] for place, value in enumerate(values)}
    # Twice: the second time from memory.
    for _ in range(2):
        parts = [b""]
        message = b"\xff" + logged(values)
        assert transcoder.logged(message, 1, transcoder.rows, parts) == len(message)
        assert len(parts) == len(values) + 1
        assert decode_one(schema, b"".join(parts)) == expected


def encoded(kind: PgType, value: bytes, options: Options | None = None, *, optional: bool = True) -> Any:
    options = options or Options()
    table = Table(TableId("public", "t"), (Column("c", kind, optional),))
    transcoder = Transcoder(table, options)
    parts = [b""]
    transcoder.logged(b"t" + struct.pack(">I", len(value)) + value, 0, transcoder.rows, parts)
    return decode_one(envelope.value_schema("s", table, options), b"".join(parts))["c"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (PgType("date"), b"0001-01-01 BC", -719_528),
        (PgType("date"), b"5874897-12-31", 2_145_042_905),
        (PgType("date"), b"infinity", 2**31 - 1),
        (PgType("timestamp"), b"4713-01-01 00:00:00 BC", -210_863_520_000_000_000),
        (PgType("timestamp"), b"294276-12-31 23:59:59.999999", None),
        (
            PgType("timestamp"),
            b"294246-12-31 00:00:00",
            ((dt.date(2246, 12, 31) - EPOCH.date()).days + 730 * 146_097) * 86_400_000_000,
        ),
        (PgType("timestamp"), b"-infinity", -9_223_372_036_832_400_000),
        (PgType("timestamp", 3), b"1969-12-31 23:59:59.999", -1),
        (PgType("timestamp", 0), b"2025-07-01 00:00:00", 1_751_328_000_000),
        (PgType("time"), b"24:00:00", 86_400_000_000),
        (PgType("time", 3), b"00:00:01.5", 1500),
        (PgType("timetz"), b"23:30:00.25-01:30", "01:00:00.25Z"),
        (PgType("timestamptz"), b"2025-07-01 00:00:00.5+00", "2025-07-01T00:00:00.500000Z"),
        (PgType("timestamptz", 0), b"2025-07-01 00:00:00+00", "2025-07-01T00:00:00Z"),
        (PgType("timestamptz"), b"infinity", "infinity"),
        (PgType("numeric"), b"NaN", None),
        (PgType("numeric"), b"1200.50", {"scale": 1, "value": (12005).to_bytes(2, "big")}),
        (PgType("numeric", (5 << 16 | 2) + 4), b"NaN", None),
        (PgType("numeric", (5 << 16 | 2) + 4), b"-0.01", Decimal("-0.01")),
        (PgType("numeric", (2 << 16 | 0x7FE) + 4), b"1200", Decimal(1200)),
        (PgType("bool"), b"true", True),
        (PgType("_int4", element=PgType("int4")), b"[0:1]={1,2}", [1, 2]),
        (PgType("_int4", element=PgType("int4")), b"{{1,2},{NULL,4}}", [1, 2, None, 4]),
        (
            PgType("_text", element=PgType("text")),
            rb'{"a\"b","c\\d",NULL,"NULL",""}',
            ['a"b', "c\\d", None, "NULL", ""],
        ),
        (PgType("interval"), b"infinity", 2**63 - 1),
        (PgType("timestamptz"), b"0044-03-15 12:00:00+00 BC", "-0043-03-15T12:00:00.000000Z"),
        (PgType("timestamptz", 0), b"12025-07-01 00:00:00+00", "+12025-07-01T00:00:00Z"),
        (PgType("money", 2), b"-$1,234.50", Decimal("-1234.50")),
        (PgType("money", 0), "1.234 ₫".encode(), Decimal("1234.00")),
        (PgType("money", 2), b"(1.234,50 kr)", Decimal("-1234.50")),
    ],
)
def test_extremes_are_kept_or_null(kind: PgType, value: bytes, expected: Any) -> None:
    assert encoded(kind, value) == expected


@pytest.mark.parametrize(
    ("options", "kind", "value", "expected"),
    [
        (Options(decimals="double"), PgType("numeric", (5 << 16 | 2) + 4), b"2.34", 2.34),
        (Options(decimals="double"), PgType("numeric"), b"NaN", math.nan),
        (Options(decimals="string"), PgType("numeric", (5 << 16 | 2) + 4), b"2.30", "2.30"),
        (Options(decimals="string"), PgType("numeric"), b"-Infinity", "NEGATIVE_INFINITY"),
        (Options(unknown=True), PgType("mood_unknown"), "gì đó".encode(), "gì đó".encode()),
        (Options(unknown=True, binaries="hex"), PgType("record"), b"(1,)", "28312c29"),
        (Options(unknown=True), PgType("_box", element=PgType("box")), b"{(1,1),(0,0);(2,2),(0,0)}",
         [b"(1,1),(0,0)", b"(2,2),(0,0)"]),
        (Options(times="isostring"), PgType("timestamp"), b"infinity", "infinity"),
        (Options(times="nanoseconds"), PgType("timestamp"), b"2300-01-01 00:00:00", None),
        (Options(times="nanoseconds"), PgType("timestamp"), b"-infinity", -(2**63)),
        (Options(times="connect"), PgType("date"), b"2025-07-01", dt.date(2025, 7, 1)),
        (Options(times="connect"), PgType("time"), b"01:00:00", dt.time(1)),
        (Options(times="connect"), PgType("timestamp"), b"2025-07-01 00:00:00.000999",
         dt.datetime(2025, 7, 1, tzinfo=dt.UTC)),
        (Options(times="adaptive_time_microseconds"), PgType("time", 3), b"00:00:01.5", 1_500_000),
        (Options(times="adaptive_time_microseconds"), PgType("timestamp", 3), b"1970-01-01 00:00:01", 1000),
    ],
)  # fmt: skip
def test_debeziums_handling_modes_are_kept(options: Options, kind: PgType, value: bytes, expected: Any) -> None:
    found = encoded(kind, value, options)
    assert found == expected or (isinstance(found, float) and math.isnan(found) and math.isnan(expected))


def test_a_null_where_none_is_allowed_tells_its_place() -> None:
    table = Table(TableId("public", "t"), (Column("a", PgType("text")), Column("b", PgType("text"), optional=False)))
    transcoder = Transcoder(table, Options())
    with pytest.raises(UnexpectedNullError) as raised:
        transcoder.logged(b"nn", 0, transcoder.rows, [b""])
    assert raised.value.place == 1
    parts = [b""]
    transcoder.logged(b"nn", 0, transcoder.keys, parts)
    assert parts == [b"", b"\0", b"\0"]


def test_a_value_that_does_not_fit_is_never_quoted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert encoded(PgType("numeric", (5 << 16 | 2) + 4), b"bi mat") is None
    assert "public.t.c" in caplog.text
    assert "bi mat" not in caplog.text


def test_a_not_null_column_with_a_value_that_does_not_fit_stops_the_connector() -> None:
    with pytest.raises(Refused, match=r"public\.t\.c is NOT NULL") as raised:
        encoded(PgType("numeric"), b"NaN", optional=False)
    assert "decimal.handling.mode" in str(raised.value.hint)


def test_a_type_without_a_mapping_is_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    table = Table(TableId("public", "t"), (Column("a", PgType("int4")), Column("b", PgType("record"))))
    shaped = mapped(table, Options())
    assert [column.captured for column in shaped.columns] == [True, False]
    assert "public.t" in caplog.text
    assert ": b." in caplog.text
    assert mapped(table, Options(unknown=True)) == table
    with pytest.raises(Refused, match=r"Column b, part of the key of table public\.t"):
        mapped(replace(table, key=("b",)), Options())


def test_a_named_type_is_defined_once_and_the_rest_by_name() -> None:
    columns = tuple(Column(name, PgType("numeric")) for name in "ab")
    array = Column("c", PgType("_numeric", element=PgType("numeric")))
    table = Table(TableId("public", "t"), (*columns, array))
    schema = envelope.envelope_schema("s", table, Options())
    transcoder = Transcoder(table, Options())
    parts = [b"\0\2"]
    transcoder.logged(logged([("1.5", None), ("2", None), ("{3}", None)]), 0, transcoder.rows, parts)
    row = schema["fields"][0]["type"][1]
    assert [field["type"][1] for field in row["fields"]][1] == "io.debezium.data.VariableScaleDecimal"
    value = decode_one(envelope.value_schema("s", table, Options()), b"".join(parts[1:]))
    assert [value["a"]["scale"], value["b"]["scale"], value["c"][0]["value"]] == [1, 0, b"\3"]


@given(st.none() | st.sampled_from(["NULL", "x", "gì đó"]), st.booleans())
def test_a_default_comes_first_in_the_union_and_a_null_stays_one(text: str | None, optional: bool) -> None:
    columns = (Column("c", PgType("text"), optional, "'it''s'::text"), Column("n", PgType("int4"), True, "7"))
    table = Table(TableId("public", "t"), columns)
    schema = envelope.value_schema("s", table, Options())
    assert schema["fields"][0]["default"] == "it's"
    transcoder = Transcoder(table, Options())
    parts = [b""]
    if text is None and not optional:
        transcoder.logged(logged([None, None]), 0, transcoder.keys, parts)
        assert decode_one(schema, b"".join(parts)) == {"c": "it's", "n": None}
        return
    transcoder.logged(logged([text if text is None else (text, None), ("5", None)]), 0, transcoder.rows, parts)
    assert decode_one(schema, b"".join(parts)) == {"c": text, "n": 5}


def test_memory_is_bounded() -> None:
    table = Table(TableId("public", "t"), (Column("a", PgType("int8")),))
    transcoder = Transcoder(table, Options())
    for number in range(10_000):
        text = str(number).encode()
        transcoder.logged(b"t" + struct.pack(">I", len(text)) + text, 0, transcoder.rows, [b""])
    memory = transcoder.rows[0][0]
    assert memory is not None
    assert len(memory) <= 2048
