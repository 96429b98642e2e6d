"""The stream after a resumed snapshot leaves out exactly the changes that rows read later hold."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from sync.errors import PositionLost
from sync.record import Position
from sync.source.postgresql.snapshot.progress import Progress, Range, View
from sync.source.postgresql.snapshot.seen import SeenCapture
from sync.source.postgresql.transaction import Transactions
from tests.pgoutput_log import START, TABLE, World


def held(whole: bool = False) -> Progress:
    """Keys up to 10 were read first, others in a view that holds transaction 5 and not 6."""
    progress = Progress()
    table = progress.table(str(TABLE.id))
    view = progress.resume(View.parse("6:6:", 10_000))
    if whole:
        table.whole = view
    else:
        table.key = "id"
        table.add(Range(None, 10), 0)
        table.add(Range(10, None), view)
    return progress.held()


META = "tinh.transaction"


class Seen(World):
    def __init__(self, progress: Progress, position: Position = START, *, metadata: bool = False, **more: Any) -> None:
        super().__init__(position=position)
        capture = self.capture
        self.capture = SeenCapture(
            progress,
            capture._block,
            capture._resolve,
            capture.position,
            skip_origin=capture._skip_origin,
            tombstones=True,
            clock=capture._clock,
            transactions=Transactions(META, self.registry) if metadata else None,
            **more,
        )
        self.log.deliver = self.capture.feed

    def begin(self, commit: int, xid: int) -> None:
        self.log.begin(commit, xid=xid)
        self.log.relation(self.table)

    def told(self) -> list[tuple[int, str | None]]:
        batch = self.capture.take()
        assert sum(batch.captured.values()) == sum(value is not None for _, value in batch.outputs[self.topic])
        return [(key["id"], value and value["op"]) for key, value in self.records(batch)]

    topic = "tinh.public.can_bo"


def test_changes_are_left_out_by_key_and_transaction() -> None:
    world = Seen(held())
    world.begin(500, 5)
    world.log.insert("10", "trước", None)
    world.log.insert("11", "sau", None)
    world.log.change(b"D", (b"K", ("12", None, None)))
    world.log.change(b"D", (b"K", ("9", None, None)))
    world.log.commit(500)
    world.begin(600, 6)
    world.log.insert("13", "mới", None)
    world.log.commit(600)
    assert world.told() == [(10, "c"), (9, "d"), (9, None), (13, "c")]


def test_a_change_of_the_key_is_judged_by_both_keys() -> None:
    world = Seen(held())
    world.begin(500, 5)
    world.log.change(b"U", (b"K", ("5", None, None)), (b"N", ("50", "An", None)))
    world.log.change(b"U", (b"K", ("60", None, None)), (b"N", ("6", "Bình", None)))
    world.log.commit(500)
    assert world.told() == [(5, "d"), (5, None), (6, "c")]


def play(world: Seen) -> None:
    world.begin(500, 5)
    world.log.insert("11", "đã đọc", None)
    world.log.insert("10", "trước", None)
    world.log.change(b"U", (b"K", ("60", None, None)), (b"N", ("6", "Bình", None)))
    world.log.insert("12", "đã đọc", None)
    world.log.commit(500)
    world.begin(600, 5)
    world.log.insert("13", "đã đọc", None)
    world.log.commit(600)


def test_what_is_left_out_counts_in_no_transaction() -> None:
    world = Seen(held(), metadata=True)
    play(world)
    batch = world.capture.take()
    places = [value["transaction"]["total_order"] for _, value in world.records(batch)]
    assert places == [1, 2]
    told = [(value["status"], value["event_count"]) for _, value in world.records(batch, META)]
    assert told == [("BEGIN", None), ("END", 2), ("BEGIN", None), ("END", 0)]


@pytest.mark.parametrize("events", range(1, 5))
def test_places_are_the_same_after_a_restart_within_the_transaction(events: int) -> None:
    whole = Seen(held(), metadata=True)
    play(whole)
    wanted = whole.capture.take()
    rest = Seen(held(), Position(0, 500, events), metadata=True)
    play(rest)
    found = rest.capture.take()
    left = [value["transaction"] for _, value in rest.records(found)]
    places = [value["transaction"] for _, value in whole.records(wanted)]
    assert left == places[{1: 0, 2: 1, 3: 2, 4: 2}[events] :]
    ends = [value for _, value in rest.records(found, META) if value["status"] == "END"]
    assert ends == [value for _, value in whole.records(wanted, META) if value["status"] == "END"]


def test_the_offset_keeps_what_is_held_until_the_log_is_past_it() -> None:
    world = Seen(held())
    world.begin(500, 5)
    world.log.commit(500)
    assert world.capture.take().extra["held"] == held().encode()
    world.begin(10_000, 6)
    world.log.commit(10_000)
    assert world.capture.take().extra == {}


def truncate(world: Seen) -> None:
    world.log.send(b"T" + struct.pack(">IBI", 1, 0, world.log.oid), world.log.lsn + 1)


def test_a_truncate_is_left_out_where_all_rows_hold_it_and_a_lost_position_where_some_do() -> None:
    world = Seen(held(whole=True), skipped=frozenset())
    world.begin(500, 5)
    truncate(world)
    world.log.commit(500)
    assert world.told() == []
    world = Seen(held(), skipped=frozenset())
    world.begin(500, 5)
    with pytest.raises(PositionLost, match="truncated"):
        truncate(world)
    world = Seen(held(), skipped=frozenset())
    world.begin(600, 6)
    truncate(world)
    batch = world.capture.take()
    assert batch.captured[world.topic, "t"] == 1
