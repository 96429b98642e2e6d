"""The stream after a snapshot that was resumed: leaves out changes that rows read later already hold.

``stream`` uses it in place of ``capture.Capture`` until the log is past all views of the snapshot; it looks at each
change's transaction and key, which costs time, but only of that stretch of the log.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from sync.errors import PositionLost
from sync.source.postgresql.batch import Batch, Record
from sync.source.postgresql.capture import Capture
from sync.source.postgresql.pgoutput import HEADER
from sync.source.postgresql.route import Route
from sync.source.postgresql.run import Message
from sync.source.postgresql.snapshot.progress import Progress

_OID = struct.Struct(">I").unpack_from
_CHANGES = b"IUD"
_TRUNCATE = ord("T")
_WIRE_HEADER = 5


class SeenCapture(Capture):
    """A capture that drops what ``held`` holds. The parameters are ``Capture``'s."""

    def __init__(self, held: Progress, *args: Any, **kwargs: Any) -> None:
        self._held = held
        super().__init__(*args, **kwargs)

    def feed(self, message: bytes) -> None:
        """See ``Capture.feed``; also raises PositionLost for a truncate that only a part of what was read holds."""
        kind = message[HEADER] if len(message) > HEADER else 0
        if kind == _TRUNCATE and self._frame.origin.xid is not None and self.open:
            self._feed_truncate(message, self._frame.origin.xid)
            return
        # A message too short for a change is for the capture to refuse.
        change = len(message) >= HEADER + 5 and kind in _CHANGES
        route = self._routes.get(_OID(message, HEADER + 1)[0]) if change else None
        xid = self._frame.origin.xid
        if route is None or xid is None:
            super().feed(message)
            return
        records = self.batch.outputs[route.topic]
        known, gaps = len(records), len(self.batch.gaps)
        before = {op: self.batch.captured[route.topic, op] for op in "duc"}
        super().feed(message)
        ops = [op for op, count in before.items() if self.batch.captured[route.topic, op] > count]
        kept: list[Record] = []
        moved: dict[int, int] = {}
        for place, record in enumerate(records[known:], known):
            key, value = record
            # A tombstone follows its delete; each other record is of the next operation.
            op = ops.pop(0) if value is not None and ops else None
            if self._holds(route, key, xid):
                if op is not None:
                    self.batch.captured[route.topic, op] -= 1
            else:
                moved[place] = known + len(kept)
                kept.append(record)
        records[known:] = kept
        found, self.batch.gaps[gaps:] = self.batch.gaps[gaps:], []
        for gap in found:
            if gap.index in moved:
                gap.index = moved[gap.index]
                self.batch.gaps.append(gap)

    def _holds(self, route: Route, key: bytes | None, xid: int) -> bool:
        optional = any(route.described.columns[place - 1].optional for place in route.key_places)
        return self._held.holds(str(route.table), integer(key, optional=optional), xid)

    def _emit_in_order(self, route: Route, key: bytes | None, parts: list[bytes], lsn: int, op: str) -> None:
        """See ``Capture``; what is about to be left out is none of its transaction's records."""
        xid = self._frame.origin.xid
        if xid is not None and self._holds(route, key, xid):
            Capture._emit(self, route, key, parts, lsn, op)
        else:
            super()._emit_in_order(route, key, parts, lsn, op)

    def feed_all(self, messages: Sequence[Message]) -> None:
        """See ``Capture.feed_all``; each change is looked at by itself."""
        for message in messages:
            self.feed(bytes(message))

    def _feed_truncate(self, message: bytes, xid: int) -> None:
        batch = self.batch
        known = {topic: len(records) for topic, records in batch.outputs.items()}
        super().feed(message)
        for route in {route.topic: route for route in self._routes.values()}.values():
            records = batch.outputs.get(route.topic, [])
            if len(records) == known.get(route.topic, 0) or not self._held.touches(str(route.table), xid):
                continue
            if not self._held.holds(str(route.table), None, xid):
                raise PositionLost(
                    f"Table {route.table} was truncated between two parts of its snapshot: which rows are gone can't "
                    "be told.",
                    hint="delete the connector's offsets: the next start reads a new snapshot",
                )
            records.pop()
            batch.captured[route.topic, "t"] -= 1

    def take(self) -> Batch:
        """See ``Capture.take``; the offset keeps what is still needed."""
        batch = super().take()
        if batch.position.end < self._held.end:
            batch.extra["held"] = self._held.encode()
        return batch


def integer(key: bytes | None, *, optional: bool = False) -> int | None:
    """Return the integer of a key of one integer in wire form; ``optional``: its schema allows null.

    Other keys give a number without meaning.
    """
    if key is None or len(key) <= _WIRE_HEADER:
        return None
    number = shift = 0
    for byte in key[_WIRE_HEADER + optional :]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return number >> 1 ^ -(number & 1)
