"""Changes fed together become the records that they become one by one, whatever they are and however they come."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sync.errors import ProtocolViolation
from sync.record import Position, TableId
from sync.source.postgresql import capture as capture_module
from sync.source.postgresql.capture import Capture
from sync.source.postgresql.column import Options
from sync.source.postgresql.envelope import SourceBlock
from sync.source.postgresql.pgoutput import Relation
from sync.source.postgresql.route import Route, loosened
from sync.source.postgresql.table import Column, Identity, PgType, Table
from tests.pgoutput_log import NOW_NS, UNCHANGED, Log, Registry
from tests.unit.source.pg_rows import KINDS

DAYS = ["2025-07-01", "0044-03-15 BC", "infinity", "20000-01-01", "1969-12-31", "0001-01-01", "2000-02-29"]
TIMES = ["00:00:00", "23:59:59.5", "12:30:00.000001", "07:08:09.123456"]
MOMENTS = [f"{day} {time}" for day in ("2025-07-01", "1969-12-31", "0001-01-01") for time in TIMES]
NUMBERS = ["0.00", "-0.01", "1.27", "1.28", "-1.28", "-1.29", "327.67", "327.68", "9999999.99", "-83886.08", "NaN"]
ODD: dict[str, tuple[PgType, list[str]]] = {
    "date": (PgType("date"), DAYS),
    "timestamp": (PgType("timestamp"), [*MOMENTS, "infinity", "20000-01-01 00:00:00"]),
    "timestamp(3)": (PgType("timestamp", 3), ["2025-07-01 00:00:00.123", "1969-12-31 23:59:59.999"]),
    "timestamptz": (PgType("timestamptz"), [*(f"{moment}+00" for moment in MOMENTS), "-infinity"]),
    "timestamptz(0)": (PgType("timestamptz", 0), ["2025-07-01 01:02:03+00", "0044-03-15 01:02:03+00 BC"]),
    "numeric": (PgType("numeric"), ["1", "-2.50", "NaN", "Infinity", "1e3", "9" * 40]),
    "numeric(9,2)": (PgType("numeric", (9 << 16 | 2) + 4), NUMBERS),
    "numeric(9,0)": (PgType("numeric", (9 << 16) + 4), ["0", "-1", "127", "128", "-128", "-129", "999999999"]),
    "int8": (PgType("int8"), ["0", "-1", "9223372036854775807", "-9223372036854775808", "63", "64", "-64", "-65"]),
    "text": (PgType("text"), ["", "x" * 63, "x" * 64, "Đặng", "x" * 8191, "x" * 8192, "n", "t\0".rstrip("\0"), "\\N"]),
}

OPTIONS = [
    Options(),
    Options(decimals="string", times="adaptive_time_microseconds"),
    Options(times="connect"),
    Options(times="isostring", decimals="double"),
    Options(times="nanoseconds"),
]

kinds = st.sampled_from(sorted(ODD)).map(lambda name: (ODD[name][0], st.sampled_from(ODD[name][1]))) | st.sampled_from(
    sorted(KINDS)
).map(lambda name: (KINDS[name][0], KINDS[name][1].map(lambda pair: pair[0])))


@st.composite
def changes(draw: st.DrawFn) -> tuple[Table, list[tuple[Any, ...]]]:
    """A table, and changes ``(kind, *images)`` of it, or a transaction's end."""
    chosen = draw(st.lists(st.tuples(kinds, st.booleans(), st.booleans()), min_size=1, max_size=5))
    columns = [Column("id", PgType("int4"), optional=False)]
    columns += [
        Column(f"c{place}", kind, optional=optional, captured=captured)
        for place, ((kind, _), optional, captured) in enumerate(chosen)
    ]
    table = Table(TableId("public", "can_bo"), tuple(columns), ("id",), draw(st.sampled_from(list(Identity))))
    # Few rows, each many times: the point is what stands beside what.
    nulls = draw(st.integers(0, 10))
    values = [st.none() | texts if nulls > 5 else texts for (_, texts), _, _ in chosen]
    row = st.tuples(st.integers(0, 3).map(str), *values)
    some = draw(st.lists(row, min_size=1, max_size=4))
    rows = st.sampled_from(some)
    toasted = rows.map(lambda found: (found[0], *(UNCHANGED,) * (len(found) - 1)))
    keys = rows.map(lambda found: (found[0], *(None,) * (len(found) - 1)))
    change = st.one_of(
        *[st.tuples(st.just(b"I"), st.tuples(st.just(b"N"), rows))] * 2,
        st.tuples(st.just(b"U"), st.tuples(st.just(b"N"), rows | toasted)),
        *[st.tuples(st.just(b"U"), st.tuples(st.just(b"O"), rows), st.tuples(st.just(b"N"), rows | toasted))] * 2,
        st.tuples(st.just(b"U"), st.tuples(st.just(b"K"), keys), st.tuples(st.just(b"N"), rows)),
        st.tuples(st.just(b"D"), st.tuples(st.just(b"O"), rows)),
    )
    found: list[tuple[Any, ...]] = []
    for _ in range(draw(st.integers(1, 4))):
        one = st.just(draw(change)) if draw(st.booleans()) else change
        found += draw(st.lists(one, min_size=9, max_size=24))
        if draw(st.booleans()):
            found.append(("commit",))
    return table, found


@pytest.fixture(autouse=True, scope="module")
def always_together() -> Iterator[None]:
    """Let few changes be enough to be encoded together."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture_module, "_MANY", 2)
        yield


class Feeding:
    """A capture of two tables of one form, and what feeds it."""

    def __init__(self, table: Table, options: Options, position: Position, skip_unchanged: bool) -> None:
        self.registry = Registry()

        def resolve(relation: Relation, nullable: frozenset[str]) -> Route:
            named = replace(table, id=TableId("public", f"bang_{relation.oid}"))
            return Route(loosened(named, nullable), "tinh", options, self.registry)

        self.capture = Capture(
            SourceBlock("tinh", "bonoivu"),
            resolve,
            position,
            skip_origin=re.compile("dongbo.*"),
            tombstones=True,
            clock=lambda: NOW_NS,
            skip_unchanged=skip_unchanged,
        )

    def read(self) -> dict[str, list[tuple[Any, Any]]]:
        """Return what was written by topic: keys and values as their schema and its bytes."""
        return {
            topic: [(self._named(key), self._named(value)) for key, value in records]
            for topic, records in self.capture.batch.outputs.items()
        }

    def _named(self, data: bytes | None) -> tuple[Any, bytes] | None:
        return data and (self.registry.schemas[int.from_bytes(data[1:5], "big") - 1], data[5:])


def messages(table: Table, found: list[tuple[Any, ...]]) -> list[bytes]:
    sent: list[bytes] = []
    log = Log(Feeding(table, Options(), Position(0), False).capture)
    log.deliver = sent.append
    commit = 1_000_000_000 - 60
    for oid in (7, 8):
        log.oid = oid
        log.relation(table)
    log.begin(commit)
    for number, one in enumerate(found):
        if one == ("commit",):
            log.commit(commit)
            commit += 100
            log.begin(commit, xid=number)
            if number % 3 == 0:
                log.origin(b"dongbo" if number % 2 else b"khac")
        else:
            log.oid = 7 + (number % 20 < 3)
            log.change(one[0], *one[1:])
    log.commit(commit)
    return sent


@settings(max_examples=150, deadline=None)
@given(changes(), st.sampled_from(OPTIONS), st.integers(1, 40), st.integers(0, 12), st.booleans())
def test_together_is_as_one_by_one(
    drawn: tuple[Table, list[tuple[Any, ...]]], options: Options, step: int, skipped: int, skip_unchanged: bool
) -> None:
    table, found = drawn
    sent = messages(table, found)
    # Some of the first transaction's changes were committed before.
    position = Position(0, 1_000_000_000 - 60, skipped) if skipped else Position(0)
    alone, together = (Feeding(table, options, position, skip_unchanged) for _ in range(2))
    failures = [outcome(lambda: [alone.capture.feed(message) for message in sent])]
    steps = [sent[start : start + step] for start in range(0, len(sent), step)]
    failures.append(outcome(lambda: [together.capture.feed_all(list(map(memoryview, some))) for some in steps]))
    assert failures[0] == failures[1]
    event(f"failed: {failures[0]}")
    if failures[0]:
        return
    assert together.read() == alone.read()
    for name in ("captured", "suppressed", "changes", "transactions"):
        assert getattr(together.capture.batch, name) == getattr(alone.capture.batch, name)
    assert together.capture.position == alone.capture.position


TEXTS = ["", "a", "A", "Nguyễn Thị Bích Ngọc", "x" * 70, "y" * 70, "x" * 5000, "x" * 4999 + "y", None]


@st.composite
def updates(draw: st.DrawFn) -> list[tuple[list[int], list[int]]]:
    """Old and new rows, as places of ``TEXTS``, in which few columns, or none, are others than before."""
    width = draw(st.integers(2, 20))
    texts = st.integers(0, len(TEXTS) - 1)
    changed = draw(st.sets(st.integers(0, width - 1), max_size=3))
    found = []
    for _ in range(draw(st.integers(20, 40))):
        old = draw(st.lists(texts, min_size=width, max_size=width))
        found.append((old, [draw(texts) if place in changed else text for place, text in enumerate(old)]))
    return found


@settings(max_examples=60, deadline=None)
@given(updates())
def test_updates_of_few_columns_are_as_one_by_one(drawn: list[tuple[list[int], list[int]]]) -> None:
    columns = [Column("id", PgType("int4"), optional=False)]
    columns += [Column(f"c{place}", PgType("text")) for place in range(1, len(drawn[0][0]))]
    table = Table(TableId("public", "can_bo"), tuple(columns), ("id",), Identity.FULL)
    rows = [[(str(row[0]), *(TEXTS[place] for place in row[1:])) for row in pair] for pair in drawn]
    sent = messages(table, [(b"U", (b"O", old), (b"N", new)) for old, new in rows])
    alone, together = (Feeding(table, Options(), Position(0), False) for _ in range(2))
    for message in sent:
        alone.capture.feed(message)
    together.capture.feed_all(sent)
    assert together.read() == alone.read()


def outcome(work: Callable[[], object]) -> str:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - compared
        return type(error).__name__
    return ""


@pytest.mark.parametrize("place", [33, 37, 39, 43])
@pytest.mark.parametrize("byte", [0, 0x6E, 0x75, 0xFF])
def test_a_damaged_change_among_others_is_told(place: int, byte: int) -> None:
    columns = (Column("id", PgType("int4"), optional=False), Column("ten", PgType("text")))
    table = Table(TableId("public", "can_bo"), columns, ("id",))
    sent = messages(table, [(b"I", (b"N", ("1", "An")))] * 40)
    good = Feeding(table, Options(), Position(0), False)
    good.capture.feed_all(sent)
    assert len(good.read()["tinh.public.bang_7"]) == 34
    damaged = bytearray(sent[20])
    assert damaged[place] != byte
    damaged[place] = byte
    with pytest.raises(ProtocolViolation, match="can't be read"):
        Feeding(table, Options(), Position(0), False).capture.feed_all([*sent[:20], bytes(damaged), *sent[21:]])


def test_an_update_that_goes_on_after_its_last_column_is_told() -> None:
    columns = (Column("id", PgType("int4"), optional=False), Column("ten", PgType("text")))
    table = Table(TableId("public", "can_bo"), columns, ("id",), Identity.FULL)
    old, new = (b"O", ("1", "An Bình Định")), (b"N", ("1", "An Bình Thuận"))
    sent = messages(table, [(b"U", old, new)] * 40)
    feeding = Feeding(table, Options(), Position(0), False)
    feeding.capture.feed_all(sent)
    assert len(feeding.read()["tinh.public.bang_7"]) == 34
    with pytest.raises(ProtocolViolation, match="can't be read"):
        Feeding(table, Options(), Position(0), False).capture.feed_all([*sent[:20], sent[20] + b"t", *sent[21:]])
