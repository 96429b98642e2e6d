"""Blocks of COPY's text become records that fastavro reads as the same rows, whatever has to be escaped in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.record import TableId
from sync.schema.avro import decode_one
from sync.source.postgresql import envelope
from sync.source.postgresql.column import Options
from sync.source.postgresql.route import Route
from sync.source.postgresql.snapshot.rows import Rows, unescaped
from sync.source.postgresql.table import Column, PgType, Table
from sync.source.postgresql.transcoder import UnexpectedNullError
from tests.unit.source.pg_rows import rows

ESCAPES = {"\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\"}


def field(value: str | None) -> bytes:
    """As PostgreSQL's CopyAttributeOutText."""
    return rb"\N" if value is None else "".join(ESCAPES.get(char, char) for char in value).encode()


def line(values: list[str | None]) -> bytes:
    return b"\t".join(map(field, values)) + b"\n"


def route(table: Table) -> Route:
    return Route(table, "nguồn", Options(), lambda *_: 1)


@given(rows(), st.integers(1, 30))
def test_a_block_of_copy_is_the_same_rows_for_fastavro(
    row: tuple[Table, list[tuple[str, Any] | None]], times: int
) -> None:
    table, values = row
    schema = envelope.value_schema("nguồn", table, Options())
    expected = {f"c{place}": value and value[1] for place, value in enumerate(values)}
    made = Rows(route(table))
    block = line([value and value[0] for value in values]) * times
    # Several times: a column that never repeats is encoded without memory after its first block.
    for _ in range(3):
        records = made.records(block, b"END")
        assert len(records) == times
        for key, value in records:
            assert key is None
            assert value.endswith(b"END")
            assert decode_one(schema, value[7:-3]) == expected


@given(st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.none() | st.text("a\\N\t\n", max_size=4)), min_size=1))
def test_keys_are_the_keys_of_their_rows_whatever_has_to_be_escaped(values: list[tuple[int, str | None]]) -> None:
    columns = (Column("ten", PgType("text")), Column("id", PgType("int4"), optional=False))
    table = Table(TableId("public", "t"), columns, ("id",))
    block = b"".join(line([text, str(number)]) for number, text in values)
    records = Rows(route(table)).records(block, b"")
    schema = envelope.key_schema("nguồn", table, Options())
    row = envelope.value_schema("nguồn", table, Options())
    assert [decode_one(schema, key[5:])["id"] for key, _ in records if key] == [number for number, _ in values]
    assert [decode_one(row, value[7:])["ten"] for _, value in records] == [text for _, text in values]


def test_a_null_where_none_is_allowed_tells_its_place() -> None:
    for kind in ("text", "int4"):
        columns = (Column("a", PgType("text")), Column("b", PgType(kind), optional=False))
        with pytest.raises(UnexpectedNullError) as raised:
            Rows(route(Table(TableId("public", "t"), columns))).records(line(["x", None]), b"")
        assert raised.value.place == 1


def test_a_value_that_does_not_fit_is_null_in_a_column_without_memory_too() -> None:
    table = Table(TableId("public", "t"), (Column("a", PgType("numeric", (9 << 16 | 2) + 4)),))
    made = Rows(route(table))
    schema = envelope.value_schema("nguồn", table, Options())
    for start in range(0, 3000, 1000):
        made.records(b"".join(line([f"{start + n}.00"]) for n in range(1000)), b"")
    records = made.records(b"".join(line([text]) for text in ("1.50", "NaN")), b"")
    found = [decode_one(schema, value[7:])["a"] for _, value in records]
    assert [value and float(value) for value in found] == [1.5, None]


def test_memory_is_bounded_in_number_and_size() -> None:
    table = Table(TableId("public", "t"), (Column("a", PgType("bytea")),))
    memory = route(table).rows.rows[0][0]
    assert memory is not None
    for number in range(40_000):
        memory[b"\\x%08x" % number]
    assert 0 < len(memory) <= 2048
    assert memory[b"\\x" + b"00" * 1000]
    assert b"\\x" + b"00" * 1000 not in memory


def test_a_line_with_another_number_of_columns_is_an_error() -> None:
    table = Table(TableId("public", "t"), (Column("a", PgType("text")), Column("b", PgType("text"))))
    with pytest.raises(ValueError, match="number of columns"):
        Rows(route(table)).records(b"a\tb\tc\n", b"")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_escapes_are_undone(text: str) -> None:
    assert unescaped(field(text)) == text.encode()
