"""The stream after a resumed snapshot leaves out exactly the changes that rows read later hold."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from sync.errors import PositionLost
from sync.source.postgresql.snapshot.progress import Progress, Range, View
from sync.source.postgresql.snapshot.seen import SeenCapture
from tests.pgoutput_log import TABLE, World


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


class Seen(World):
    def __init__(self, progress: Progress, **more: Any) -> None:
        super().__init__()
        capture = self.capture
        self.capture = SeenCapture(
            progress,
            capture._block,
            capture._resolve,
            capture.position,
            skip_origin=capture._skip_origin,
            tombstones=True,
            clock=capture._clock,
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
