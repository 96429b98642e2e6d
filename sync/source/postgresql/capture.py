"""pgoutput messages in, a batch of Kafka records and a position out: the pure heart of the connector.

Called by the task with each XLogData payload in the order of the log. No I/O of its own: what a table looks like
comes from ``resolve``, time from ``clock``. A batch may end after any change, also inside a transaction; the
position says after which one (invariant 2).
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.record import Position
from sync.source.postgresql import datum, pgoutput
from sync.source.postgresql.envelope import Origin, SourceBlock, ending
from sync.source.postgresql.pgoutput import Relation
from sync.source.postgresql.route import Route
from sync.source.postgresql.transcoder import UnexpectedNullError

_OID = struct.Struct(">I").unpack_from
_LSN = struct.Struct(">Q").unpack_from

HEADER = 25
"""Bytes of an XLogData message before the payload: 'w', start, end, time."""

Record = tuple[bytes | None, bytes | None]
Resolve = Callable[[Relation, frozenset[str]], Route | None]
"""``(description, columns that must be nullable) -> route``; None for a table that is not captured."""


@dataclass(slots=True)
class Batch:
    """What one Kafka transaction will hold. Counts are by topic and op; ``changes`` counts both kinds."""

    outputs: defaultdict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    captured: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    suppressed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    changes: int = 0
    transactions: int = 0
    position: Position = field(default_factory=lambda: Position(0))
    committed_us: int = 0

    def __bool__(self) -> bool:
        return self.changes > 0


class Capture:
    """The state of one replication stream. Not thread safe; one per connection."""

    def __init__(
        self,
        block: SourceBlock,
        resolve: Resolve,
        position: Position,
        *,
        skip_origin: re.Pattern[str],
        tombstones: bool,
        clock: Callable[[], int],
    ) -> None:
        """``clock`` gives nanoseconds since 1970; ``position`` is the last one that was committed."""
        self._block = block
        self._resolve = resolve
        self._skip_origin = skip_origin
        self._tombstones = tombstones
        self._clock = clock
        self._routes: dict[int, Route] = {}
        self._relations: dict[int, tuple[Relation, frozenset[str]]] = {}
        self._start = position
        self._end = position.end
        self._commit = 0
        self._event = 0
        self._skip: int | None = 0
        self._open = False
        self._suppressed = False
        self._origin = Origin(0, None)
        self._opening = self._closing = b""
        self._sequence = b""
        self._endings: dict[str, bytes] = {}
        self._table_parts: dict[int, bytes] = {}
        self.batch = Batch(position=position)
        self.ignored_truncates = 0
        self.tick()

    @property
    def open(self) -> bool:
        """True inside a transaction."""
        return self._open

    def tick(self) -> None:
        """Take the time anew for the envelopes' ts_ms: once a round, not once an event."""
        now = self._clock()
        self._endings = {op: ending(op, now) for op in ("c", "u", "d")}

    def take(self) -> Batch:
        """Return what was gathered and start a new batch."""
        batch = self.batch
        batch.position = self.position
        self.batch = Batch(position=batch.position, committed_us=batch.committed_us)
        return batch

    @property
    def position(self) -> Position:
        """After the last change that was fed."""
        if self._open and self._skip is not None and self._event > self._skip:
            return Position(self._end, self._commit, self._event)
        if self._start.events and self._end <= self._start.commit:
            # The transaction that was read in part is still ahead, or being skipped through.
            return Position(self._end, self._start.commit, self._start.events)
        return Position(self._end)

    def advance(self, end: int) -> None:
        """Note that the server has nothing for us before ``end`` (a keepalive outside a transaction)."""
        if not self._open and end > self._end:
            self._end = end

    def feed(self, message: bytes) -> None:
        """Take one XLogData message, header included. Raises what ``resolve`` raises."""
        kind = message[HEADER]
        if kind == 73 or kind == 85 or kind == 68:  # I, U, D
            self._change(kind, message)
        elif kind == 66:  # B
            self._begin(message)
        elif kind == 67:  # C
            self._end_transaction(message)
        elif kind == 82:  # R
            self._describe(pgoutput.relation(message, HEADER), frozenset())
        elif kind == 79:  # O
            self._origin_of(message)
        elif kind == 84:  # T
            self.ignored_truncates += 1

    def _begin(self, message: bytes) -> None:
        self._commit, time, xid = pgoutput.begin(message, HEADER)
        self._skip = self._start.skip(self._commit)
        self._event, self._open, self._suppressed = 0, True, False
        self._from(Origin(time, xid))
        last = f'"{self._end}"' if self._end else "null"
        self._sequence = f'[{last},"'.encode()
        self._opening = self._block.opening(time)

    def _from(self, origin: Origin) -> None:
        self._origin = origin
        self._closing = self._block.closing(origin)
        self._table_parts.clear()

    def _origin_of(self, message: bytes) -> None:
        name, lsn = pgoutput.origin(message, HEADER)
        self._from(Origin(self._origin.ts_us, self._origin.xid, name, lsn))
        self._suppressed = self._skip_origin.fullmatch(name.decode()) is not None

    def _end_transaction(self, message: bytes) -> None:
        _, end = pgoutput.commit(message, HEADER)
        self._open = False
        self._end = max(self._end, end)
        if self._event and self._skip is not None:
            self.batch.transactions += 1
            self.batch.committed_us = self._origin.ts_us

    def _describe(self, relation: Relation, nullable: frozenset[str]) -> None:
        route = self._resolve(relation, nullable)
        self._relations[relation.oid] = (relation, nullable)
        self._table_parts.pop(relation.oid, None)
        if route is None:
            self._routes.pop(relation.oid, None)
        else:
            self._routes[relation.oid] = route

    def _change(self, kind: int, message: bytes) -> None:
        self._event += 1
        skip = self._skip
        if skip is None or self._event <= skip:
            return
        oid = _OID(message, HEADER + 1)[0]
        route = self._routes.get(oid)
        if route is None:
            return
        batch = self.batch
        batch.changes += 1
        if self._suppressed:
            batch.suppressed[route.topic] += 1
            return
        source = self._source(message, oid, route)
        try:
            self._write(kind, message, route, source)
        except UnexpectedNullError as missing:
            self._loosen(oid, missing.place)
            self._write(kind, message, self._routes[oid], source)

    def _loosen(self, oid: int, place: int) -> None:
        relation, nullable = self._relations[oid]
        self._describe(relation, nullable | {relation.columns[place].name})

    def _source(self, message: bytes, oid: int, route: Route) -> bytes:
        part = self._table_parts.get(oid)
        if part is None:
            part = self._table_parts[oid] = self._block.table_part(route.table, self._origin)
        lsn = _LSN(message, 1)[0]
        sequence = b'%b%d"]' % (self._sequence, lsn)
        return b"".join((self._opening, datum.zigzag(len(sequence)), sequence, part, datum.zigzag(lsn), self._closing))

    def _write(self, kind: int, message: bytes, route: Route, source: bytes) -> None:
        if kind == 73:
            parts = [route.created]
            route.rows.logged(message, HEADER + 8, route.rows.rows, parts)
            self._emit(route, route.key(parts), parts, source, "c")
        elif kind == 85:
            self._update(message, route, source)
        else:
            old = [route.deleted]
            plan = route.rows.rows if message[HEADER + 5] == 79 else route.rows.keys
            route.rows.logged(message, HEADER + 8, plan, old)
            self._delete(route, old, source)

    def _update(self, message: bytes, route: Route, source: bytes) -> None:
        kind = message[HEADER + 5]
        rows = route.rows
        if kind == 78:  # N: the key is the same and the identity is not full
            parts = [route.created]
            rows.logged(message, HEADER + 8, rows.rows, parts)
            self._emit(route, route.key(parts), parts, source, "u")
            return
        old, new = [route.updated], [datum.SOME]
        full = kind == 79  # O, otherwise K
        place = rows.logged(message, HEADER + 8, rows.rows if full else rows.keys, old)
        rows.logged(message, place + 3, rows.rows, new, old if full else ())
        key = route.key(new)
        if route.key(old) == key:
            if full:
                self._emit(route, key, old + new, source, "u")
            else:
                self._emit(route, key, [route.created, *new[1:]], source, "u")
            return
        # A new key is a new row: Debezium writes a delete of the old one and a create.
        self._delete(route, [route.deleted, *old[1:]], source)
        self._emit(route, key, [route.created, *new[1:]], source, "c")

    def _delete(self, route: Route, old: list[bytes], source: bytes) -> None:
        key = route.key(old)
        old.append(datum.NULL)
        self._emit(route, key, old, source, "d")
        if self._tombstones and key is not None:
            self.batch.outputs[route.topic].append((key, None))

    def _emit(self, route: Route, key: bytes | None, parts: list[bytes], source: bytes, op: str) -> None:
        parts.append(source)
        parts.append(self._endings[op])
        self.batch.outputs[route.topic].append((key, b"".join(parts)))
        self.batch.captured[route.topic, op] += 1
