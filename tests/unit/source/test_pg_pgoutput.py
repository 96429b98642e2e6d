"""The pgoutput decoder: any row of any table is what a reader decodes, and a damaged message is a clear error."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import ProtocolViolation, Unreadable
from sync.record import TableId
from sync.source.postgresql.replication import keepalive
from sync.source.postgresql.table import Column, Identity, PgType, Table
from tests.pgoutput_log import TABLE, UNCHANGED, World

EPOCH = dt.date(1970, 1, 1)
FULL = Table(TABLE.id, TABLE.columns, TABLE.key, Identity.FULL)
PLACEHOLDER = "__debezium_unavailable_value"

# PostgreSQL's text never holds a zero byte, nor half of a surrogate pair.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300)
VALUES: dict[str, st.SearchStrategy[tuple[str, Any]]] = {
    "int4": st.integers(-(2**31), 2**31 - 1).map(lambda n: (str(n), n)),
    "text": TEXT.map(lambda text: (text, text)),
    "date": st.dates().map(lambda day: (day.isoformat(), (day - EPOCH).days)),
}

Cell = tuple[Any, Any]
"""A value as the log spells it and as a reader decodes it."""
Row = list[Cell]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    # Wide ones too: an update is compared in blocks of columns.
    width = draw(st.integers(1, 20))
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=width, max_size=width))
    keys = draw(st.integers(1, min(3, len(kinds))))
    columns = tuple(
        Column(f"c{place}", PgType(kind), optional=place >= keys and draw(st.booleans()))
        for place, kind in enumerate(kinds)
    )
    key = draw(st.permutations([column.name for column in columns[:keys]]))
    return Table(TableId("public", "can_bo"), columns, tuple(key), draw(st.sampled_from(Identity)))


def cells(column: Column) -> st.SearchStrategy[Cell]:
    values: st.SearchStrategy[Cell] = VALUES[column.type.name]
    return st.just((None, None)) | values if column.optional else values


def rows(table: Table) -> st.SearchStrategy[Row]:
    return st.tuples(*map(cells, table.columns)).map(list)


class Model:
    """What a reader should see of the changes that it is told, and the messages of them."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.world = World(table)
        self.expected: list[tuple[Any, Any]] = []

    def image(self, row: Row) -> tuple[Any, ...]:
        return tuple(spelled for spelled, _ in row)

    def keyed(self, row: Row) -> tuple[Any, ...]:
        keys = self.table.key
        return tuple(
            cell[0] if column.name in keys else None for column, cell in zip(self.table.columns, row, strict=True)
        )

    def value(self, row: Row, *, keys_only: bool = False) -> dict[str, Any]:
        empty = {"int4": 0, "date": 0, "text": ""}
        return {
            column.name: cell[1]
            if not keys_only or column.name in self.table.key
            else None
            if column.optional
            else empty[column.type.name]
            for column, cell in zip(self.table.columns, row, strict=True)
        }

    def key(self, row: Row) -> dict[str, Any]:
        value = self.value(row)
        return {name: value[name] for name in self.table.key}

    def insert(self, row: Row) -> None:
        self.world.log.insert(*self.image(row))
        self.expect("c", None, row)

    def expect(self, op: str, before: dict[str, Any] | None, after: Row | None, *, key: Any = None) -> None:
        key = key or self.key(after or [])
        self.expected.append((key, {"op": op, "before": before, "after": after and self.value(after)}))

    def delete(self, row: Row) -> None:
        full = self.table.identity is Identity.FULL
        self.world.log.change(b"D", (b"O", self.image(row)) if full else (b"K", self.keyed(row)))
        self.gone(row)

    def gone(self, row: Row) -> None:
        full = self.table.identity is Identity.FULL
        self.expect("d", self.value(row, keys_only=not full), None, key=self.key(row))
        self.expected.append((self.key(row), None))

    def update(self, old: Row, new: Row, unchanged: set[int]) -> None:
        """``unchanged`` are places of TOASTed values that the log leaves out."""
        full = self.table.identity is Identity.FULL
        same_key = self.key(old) == self.key(new)
        logged = tuple(UNCHANGED if place in unchanged else cell[0] for place, cell in enumerate(new))
        read = [
            (None, cell[1] if full else PLACEHOLDER) if place in unchanged else cell for place, cell in enumerate(new)
        ]
        if full:
            self.world.log.change(b"U", (b"O", self.image(old)), (b"N", logged))
        elif same_key:
            self.world.log.change(b"U", (b"N", logged))
        else:
            self.world.log.change(b"U", (b"K", self.keyed(old)), (b"N", logged))
        if same_key:
            self.expect("u", self.value(old) if full else None, read)
        else:
            self.gone(old)
            self.expect("c", None, read)


@given(st.data())
def test_any_change_of_any_table_is_what_a_reader_decodes(data: st.DataObject) -> None:
    table = data.draw(tables())
    model = Model(table)
    model.world.log.begin(500)
    model.world.log.relation(table)
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(rows(table))
        kind = data.draw(st.sampled_from("uid"))
        if kind == "i":
            model.insert(row)
        elif kind == "d":
            model.delete(row)
        else:
            # A few columns changed, as updates are.
            changed = data.draw(st.sets(st.integers(0, len(row) - 1), max_size=3))
            new = [
                data.draw(cells(column)) if place in changed else row[place]
                for place, column in enumerate(table.columns)
            ]
            texts = {
                place
                for place, column in enumerate(table.columns)
                if column.type.name == "text" and column.name not in table.key and new[place] == row[place]
                and row[place][0] is not None
            }  # fmt: skip
            model.update(row, new, data.draw(st.sets(st.sampled_from(sorted(texts)))) if texts else set())
    model.world.log.commit(500)
    read = [
        (key, value and {name: value[name] for name in ("op", "before", "after")})
        for key, value in model.world.records(model.world.capture.take())
    ]
    assert read == model.expected


def stream() -> list[bytes]:
    """The messages of a transaction that has one of each kind."""
    world = World(FULL)
    sent: list[bytes] = []
    world.log.deliver = sent.append
    world.log.begin(500)
    world.log.origin(b"khac")
    world.log.relation(world.table)
    world.log.insert("1", "Trần", "2000-01-01")
    world.log.change(b"U", (b"O", ("1", "Trần", None)), (b"N", ("1", UNCHANGED, "2000-01-01")))
    world.log.change(b"U", (b"K", ("1", None, None)), (b"N", ("2", "An", None)))
    world.log.change(b"U", (b"N", ("2", "An", None)))
    world.log.change(b"D", (b"K", ("2", None, None)))
    world.log.commit(500)
    return sent


STREAM = stream()


def read_all(messages: list[bytes]) -> None:
    """Feed the messages and decode what came of them."""
    world = World(FULL)
    try:
        for message in messages:
            world.capture.feed(message)
    finally:
        world.records(world.capture.take())


def test_the_undamaged_messages_are_read() -> None:
    read_all(STREAM)


@given(st.integers(0, len(STREAM) - 1), st.data())
def test_a_message_that_is_cut_off_is_a_violation_that_names_place_and_kind(place: int, data: st.DataObject) -> None:
    message = STREAM[place]
    cut = data.draw(st.integers(0, len(message) - 1))
    with pytest.raises(ProtocolViolation) as raised:
        read_all([*STREAM[:place], message[:cut], *STREAM[place + 1 :]])
    assert "can't be read" in str(raised.value)
    if cut > 25:
        assert repr(chr(message[25])) in str(raised.value)
        (lsn,) = struct.unpack_from(">Q", message, 1)
        assert f"0/{lsn:X}" in str(raised.value)


@given(st.integers(0, len(STREAM) - 1), st.binary(min_size=1, max_size=20))
def test_a_message_that_goes_on_after_its_end_is_a_violation(place: int, more: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_all([*STREAM[:place], STREAM[place] + more, *STREAM[place + 1 :]])


@given(st.integers(0, len(STREAM) - 1), st.data())
def test_flipped_bits_are_a_violation_or_another_value_but_never_another_error(place: int, data: st.DataObject) -> None:
    message = bytearray(STREAM[place])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(25, len(message) - 1))
        message[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read_all([*STREAM[:place], bytes(message), *STREAM[place + 1 :]])
    except ProtocolViolation:
        pass
    except Unreadable as error:
        # A text is passed on as it is: that a flipped bit made it no UTF-8, its reader tells.
        if "UnicodeDecodeError" not in str(error) or message[25:26] not in (b"I", b"U", b"D"):
            raise


@given(st.binary(max_size=200))
def test_random_bytes_are_a_violation(noise: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_all([*STREAM[:3], b"w" + bytes(24) + b"I" + noise, *STREAM[3:]])


@pytest.mark.parametrize("missing", [0, 2])
def test_a_message_that_is_missing_is_a_violation(missing: int) -> None:
    with pytest.raises(ProtocolViolation):
        read_all(STREAM[:missing] + STREAM[missing + 1 :])


@given(st.binary(max_size=30).filter(lambda noise: not (noise[:1] == b"k" and len(noise) == 18)))
def test_what_is_no_keepalive_is_a_violation(noise: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        keepalive(noise)


def test_a_keepalive_tells_the_end_and_whether_it_wants_an_answer() -> None:
    assert keepalive(b"k" + struct.pack(">QqB", 77, 5, 1)) == (77, True)
