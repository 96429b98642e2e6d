"""The compiled loops keep to the room that they are given, and to the bytes of a message."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.compiled import PIECE
from sync.record import TableId
from sync.source.postgresql.column import Options
from sync.source.postgresql.kernel import copy, log
from sync.source.postgresql.kernel.encoded import room
from sync.source.postgresql.kernel.field import Around, Room
from sync.source.postgresql.kernel.value import MARGIN
from sync.source.postgresql.route import Route
from sync.source.postgresql.table import Column, PgType, Table

# What grows most: short texts, times with more digits than they show, whole numbers as decimals; and long texts.
GROWING: list[tuple[PgType, list[bytes | None]]] = [
    (PgType("text"), [b"", b"x", b"x" * 63, b"x" * 64, b"x" * 8192, b"x" * 1_048_576, None]),
    (PgType("timestamptz"), [b"2025-07-01 00:00:00+00", b"2025-07-01 00:00:00.5+00", None]),
    (PgType("numeric", (18 << 16) + 4), [b"0", b"-1", b"9" * 18, None]),
    (PgType("int8"), [b"9" * 18, b"-1", b"9" * 19]),
    (PgType("timestamp"), [b"9999-12-31 23:59:59.999999", b"infinity", None]),
    (PgType("bool"), [b"t", b"f", None]),
]
BEFORE = b"\0\0\0\0\1"
GUARD = 0xA5


def route(kinds: list[PgType]) -> Route:
    columns = tuple(Column(f"c{place}", kind) for place, kind in enumerate(kinds))
    return Route(Table(TableId("public", "t"), columns), "tinh", Options(), lambda *_: 1)


def around(count: int) -> Around:
    ends = np.zeros((2, count), np.int64)
    return Around(np.frombuffer(BEFORE, np.uint8), np.frombuffer(bytearray(MARGIN), np.uint8), ends)


def guarded(space: Room) -> Room:
    """The same room in an array that goes on: what is written behind the room is seen."""
    out = np.full(len(space.out) + 4 * PIECE, GUARD, np.uint8)
    return space._replace(out=out)


def tuple_of(fields: list[bytes | None]) -> bytes:
    return b"".join(b"n" if field is None else b"t" + struct.pack(">I", len(field)) + field for field in fields)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[PgType], list[list[bytes | None]]]:
    chosen = draw(st.lists(st.sampled_from(GROWING), min_size=1, max_size=6))
    row = st.tuples(*[st.sampled_from(values) for _, values in chosen]).map(list)
    return [kind for kind, _ in chosen], draw(st.lists(row, min_size=1, max_size=6))


@given(tables(), st.booleans())
def test_what_grows_most_keeps_to_the_room(drawn: tuple[list[PgType], list[list[bytes | None]]], pairs: bool) -> None:
    kinds, rows = drawn
    made = route(kinds)
    second = made.rows.new if pairs else b""
    messages = [second.join([tuple_of(row)] * (1 + pairs)) for row in rows]
    ends = np.cumsum([len(message) for message in messages])
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    data = np.frombuffer(b"".join((*messages, MARGIN)), np.uint8)
    count, fields = len(rows), len(rows) * len(kinds) * (1 + pairs)
    space = room(count, len(data) + count * len(BEFORE), fields, 0)
    written = guarded(space)
    log.rows(
        data, starts, ends, made.columns, np.frombuffer(second, np.uint8), made.key_columns, around(count), written
    )
    assert np.all(np.diff(written.bounds) >= len(BEFORE))
    assert np.all(written.out[len(space.out) :] == GUARD)


@given(tables())
def test_lines_that_grow_most_keep_to_the_room(drawn: tuple[list[PgType], list[list[bytes | None]]]) -> None:
    kinds, rows = drawn
    made = route(kinds)
    block = b"".join(b"\t".join(rb"\N" if field is None else field for field in row) + b"\n" for row in rows)
    space = room(len(rows), len(block) + len(rows) * len(BEFORE), len(rows) * len(kinds), 0)
    written = guarded(space)
    data = np.frombuffer(block + MARGIN, np.uint8)
    _, wrong = copy.rows(data, len(block), made.columns, made.key_columns, around(len(rows)), written)
    assert wrong == copy.NONE
    assert np.all(written.out[len(space.out) :] == GUARD)


@pytest.mark.parametrize("kind", ["text", "int8", "date", "timestamp", "timestamptz", "bool"])
@given(data=st.data())
def test_a_message_is_not_read_past_its_end(kind: str, data: st.DataObject) -> None:
    """What stands behind a message, were it read, would make its cut field whole."""
    whole = tuple_of([b"2025-07-01 00:00:00+00"[: data.draw(st.integers(0, 22))]])
    cut = data.draw(st.integers(0, len(whole) - 1))
    made = route([PgType(kind)])
    view = np.frombuffer(whole + MARGIN, np.uint8)
    starts, ends = np.zeros(1, np.int64), np.array([cut], np.int64)
    space = room(1, len(view) + len(BEFORE), 1, 0)
    none: Any = np.frombuffer(b"", np.uint8)
    assert log.rows(view, starts, ends, made.columns, none, made.key_columns, around(1), space) == 0
    assert space.bounds.tolist() == [0, 0]
