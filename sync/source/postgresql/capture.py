"""pgoutput messages in, a batch of Kafka records and a position out: the pure heart of the connector.

Called by the task with each XLogData payload in the order of the log. No I/O of its own: what a table looks like
comes from ``resolve``, time from ``clock``. A batch may end after any change, also inside a transaction; the
position says after which one (invariant 2).
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Sequence

from sync.record import Position
from sync.schema import datum
from sync.source.postgresql import pgoutput
from sync.source.postgresql.batch import Batch, Gap, Record
from sync.source.postgresql.envelope import NAMELESS, Origin, SourceBlock, ending
from sync.source.postgresql.frame import Frame
from sync.source.postgresql.message import Messages
from sync.source.postgresql.pgoutput import DAMAGED, HEADER, Damaged, Relation
from sync.source.postgresql.route import Route
from sync.source.postgresql.run import Message, Run
from sync.source.postgresql.transaction import Transactions
from sync.source.postgresql.transcoder import UnexpectedNullError

_HEAD = struct.Struct(">xQ16xBI").unpack_from
"""Where a change stands in the log, its kind and its table's oid (of the messages that have one)."""

_CHANGE = struct.Struct(">xQ16xBI3s").unpack_from
"""As ``_HEAD``, and the mark and column count of the first tuple."""

_MARK = HEADER + 5
"""Where the first tuple begins, by its mark and its column count."""

_TUPLE = _MARK + 3
"""Where the first tuple's columns begin."""

_MANY = 64
"""Changes of a table that are worth encoding together."""

_INSERT, _UPDATE, _DELETE = tuple(b"IUD")
_OPERATIONS = {_INSERT: "c", _UPDATE: "u", _DELETE: "d"}
_BEGIN, _COMMIT, _RELATION, _ORIGIN, _TRUNCATE, _MESSAGE = b"BCROTM"

_HARMLESS = b"BCOIUDYM"
"""Messages that change nothing about how waiting changes are written."""

_UNUSED = b"Y"
"""A type's name: it says nothing that is needed."""

_ALL = sys.maxsize
"""Skip the whole transaction."""

Resolve = Callable[[Relation, frozenset[str]], Route | None]
"""``(description, columns that must be nullable) -> route``; None for a table that is not captured."""


class Capture:
    """The state of one replication stream. Not thread safe; one per connection.

    ``begun`` has the number of each transaction that began; whoever drives the capture empties it.
    """

    def __init__(
        self,
        block: SourceBlock,
        resolve: Resolve,
        position: Position,
        *,
        skip_origin: re.Pattern[str],
        tombstones: bool,
        clock: Callable[[], int],
        skipped: frozenset[str] = frozenset("t"),
        transactions: Transactions | None = None,
        reselect: bool = False,
        skip_unchanged: bool = False,
        messages: Messages | None = None,
    ) -> None:
        """``clock`` gives nanoseconds since 1970; ``position`` is the last one that was committed.

        ``skipped`` are the operations (c, u, d, t) that are not captured; ``transactions`` counts, if wanted. With
        ``reselect`` a batch's ``gaps`` are noted; with ``skip_unchanged`` an update whose old and new row are written
        in the same bytes is not. ``messages`` makes the records of logical decoding messages, if wanted.
        """
        self._block = block
        self._resolve = resolve
        self._skip_origin = skip_origin
        self._tombstones = tombstones
        self._clock = clock
        self._skipped = skipped
        self._written = frozenset(kind for kind, op in _OPERATIONS.items() if op not in skipped)
        self._transactions = transactions
        if transactions is not None:
            self._emit = self._emit_in_order  # type: ignore[method-assign]
        self._reselect = reselect
        self._skip_unchanged = skip_unchanged
        self._messages = messages
        self._routes: dict[int, Route] = {}
        self._relations: dict[int, tuple[Relation, frozenset[str]]] = {}
        self._start = position
        self._end = position.end
        self._last_commit = position.end
        self._commit = 0
        self._event = 0
        self._skip = _ALL
        self._open = False
        self._suppressed = False
        self._frame = Frame(block, Origin(0, None), b"")
        self._endings: dict[str, bytes] = {}
        self._ordered_endings: dict[str, bytes] = {}
        self.begun: list[int] = []
        self.batch = Batch(position=position)
        self.ignored_truncates = 0
        self.tick()

    @property
    def open(self) -> bool:
        """True inside a transaction."""
        return self._open

    def tick(self) -> None:
        """Take the time anew for the envelopes' ts_ms: once a round, not once an event."""
        now = self._now = self._clock()
        self._endings = {op: ending(op, now) for op in ("c", "u", "d", "t")}
        self._ordered_endings = {op: end[len(datum.NULL) :] for op, end in self._endings.items()}

    def take(self) -> Batch:
        """Return what was gathered and start a new batch."""
        batch = self.batch
        batch.position = self.position
        self.batch = Batch(position=batch.position, committed_us=batch.committed_us)
        return batch

    @property
    def position(self) -> Position:
        """After the last change that was fed."""
        if self._open and self._event > self._skip:
            return Position(self._end, self._commit, self._event)
        if self._start.events and self._end <= self._start.commit:
            # The transaction that was read in part is still ahead, or being skipped through.
            return Position(self._end, self._start.commit, self._start.events)
        return Position(self._end)

    @property
    def reached(self) -> int:
        """A log position: all changes of transactions that committed before it were fed."""
        return max(self._end, self._commit) if self._open else self._end

    def advance(self, end: int) -> None:
        """Note that the server has nothing for us before ``end`` (a keepalive outside a transaction)."""
        if not self._open and end > self._end:
            self._end = end

    def feed(self, message: bytes) -> None:
        """Take one XLogData message, header included. Raises ProtocolViolation, and what ``resolve`` raises."""
        try:
            lsn, kind, oid = _HEAD(message)
        except struct.error as error:
            raise pgoutput.violation(message, "it is too short") from error
        if kind in self._written:
            self._event += 1
            if self._event <= self._skip:
                self._pass(message, kind, lsn, oid)
                return
            route = self._routes.get(oid)
            if route is None:
                if oid not in self._relations:
                    raise pgoutput.violation(message, "a change of a table that was not described")
                return
            self.batch.changes += 1
            if self._suppressed:
                self.batch.suppressed[route.topic] += 1
            else:
                self._write(kind, message, lsn, oid, route)
        else:
            self._control(kind, message)

    def feed_all(self, messages: Sequence[Message]) -> None:
        """As ``feed`` of each; inserts and updates of one table are encoded together, several times faster.

        A topic's records stand in the order of the log; between topics it may differ.
        """
        runs: dict[int, Run] = {}
        alone = self._transactions is not None
        for message in messages:
            if not alone and len(message) >= _TUPLE:
                lsn, kind, oid, mark = _CHANGE(message)
                run = runs.get(oid)
                if run is None or run.kind != kind or run.mark != mark:
                    run = self._run(runs, kind, oid, mark)
                if run is not None and self._event >= self._skip:
                    self._event += 1
                    self.batch.changes += 1
                    if self._suppressed:
                        self.batch.suppressed[run.route.topic] += 1
                    else:
                        run.add(message, lsn, self._frame)
                    continue
                if kind not in _HARMLESS:
                    self._flush(runs)
            self.feed(bytes(message))
        self._flush(runs)

    def _run(self, runs: dict[int, Run], kind: int, oid: int, mark: bytes) -> Run | None:
        """Begin a run of such changes, after the one of the table that there is; None if this is no change to write."""
        route = self._routes.get(oid)
        if route is None or kind not in self._written:
            return None
        if oid in runs:
            self._write_run(runs[oid], oid)
        # That may have made another route.
        run = runs[oid] = Run(self._routes[oid], kind, mark)
        return run

    def _flush(self, runs: dict[int, Run]) -> None:
        for oid, run in runs.items():
            self._write_run(run, oid)
        runs.clear()

    def _write_run(self, run: Run, oid: int) -> None:
        """Write changes that waited, those that don't fit in each by itself."""
        route, kind, op = run.route, run.kind, _OPERATIONS[run.kind]
        records: Sequence[Record | None] = [None] * len(run.messages)
        plain = kind == _INSERT or (kind == _UPDATE and not self._skip_unchanged)
        if plain and len(run.messages) >= _MANY and run.mark == (route.rows.old if run.pairs else route.rows.new):
            records = run.records(self._endings[op])
        whole = [record for record in records if record is not None]
        if whole:
            self.batch.captured[route.topic, op] += len(whole)
        if whole and len(whole) == len(records):
            self.batch.outputs[route.topic] += whole
            return
        frame = self._frame
        for place, record in enumerate(records):
            if record is None:
                self._frame = run.frames[place]
                self._write(kind, bytes(run.messages[place]), run.lsns[place], oid, self._routes[oid])
            else:
                self.batch.outputs[route.topic].append(record)
        self._frame = frame

    def _pass(self, message: bytes, kind: int, lsn: int, oid: int) -> None:
        """Pass over a change that was committed before; the transaction's records are counted again all the same."""
        if not self._open:
            raise pgoutput.violation(message, "a change outside a transaction")
        if self._transactions is None or self._skip == _ALL or self._suppressed:
            return
        kept, self.batch = self.batch, Batch()
        try:
            if kind == _TRUNCATE:
                self._empty(message, lsn)
            elif kind == _MESSAGE:
                self._tell(message, lsn)
            elif route := self._routes.get(oid):
                self._write(kind, message, lsn, oid, route)
        finally:
            self.batch = kept

    def _control(self, kind: int, message: bytes) -> None:
        relation: Relation | None = None
        try:
            if kind == _BEGIN:
                self._begin(message)
            elif kind == _COMMIT:
                self._end_transaction(message)
            elif kind == _RELATION:
                relation = pgoutput.relation(message, HEADER)
            elif kind == _ORIGIN:
                self._origin_of(message)
            elif kind == _TRUNCATE:
                self._truncate(message)
            elif kind == _MESSAGE:
                self._message(message)
            elif kind in _OPERATIONS:
                self._event += 1
                if not self._open:
                    raise Damaged("a change outside a transaction")
            elif kind not in _UNUSED:
                raise Damaged("a kind that was not asked for")
        except DAMAGED as error:
            raise pgoutput.violation(message, error) from error
        if relation is not None:
            self._describe(relation, frozenset())

    def _begin(self, message: bytes) -> None:
        if self._open:
            raise Damaged("a transaction begins inside another")
        self._commit, time, xid = pgoutput.begin(message, HEADER)
        skip = self._start.skip(self._commit)
        self._skip = _ALL if skip is None else skip
        self._event, self._open, self._suppressed = 0, True, False
        # Not ``_end``, which keepalives move: as Debezium, the end of the last transaction that came.
        last = f'"{self._last_commit}"' if self._last_commit else "null"
        self._frame = Frame(self._block, Origin(time, xid), f'[{last},"'.encode())
        self.begun.append(xid)
        if self._transactions is not None:
            self._transactions.begin(xid, _HEAD(message)[0], time)

    def _origin_of(self, message: bytes) -> None:
        name, lsn = pgoutput.origin(message, HEADER)
        origin = Origin(self._frame.origin.ts_us, self._frame.origin.xid, name, lsn)
        self._frame = Frame(self._block, origin, self._frame.sequence)
        self._suppressed = self._skip_origin.fullmatch(name.decode()) is not None

    def _end_transaction(self, message: bytes) -> None:
        lsn, end = pgoutput.commit(message, HEADER)
        if not self._open or lsn != self._commit:
            raise Damaged("a commit of a transaction that did not begin")
        if self._transactions is not None and self._skip != _ALL and not self._suppressed:
            records = self.batch.outputs[self._transactions.topic]
            if self._transactions.fresh:
                records.append(self._transactions.opening())
            records.append(self._transactions.closing(end))
        self._end = self._last_commit = max(self._end, end)
        if self._event and self._skip != _ALL:
            self.batch.transactions += 1
            self.batch.committed_us = self._frame.origin.ts_us
        self._open, self._skip = False, _ALL

    def _truncate(self, message: bytes) -> None:
        self._event += 1
        if not self._open:
            raise Damaged("a change outside a transaction")
        lsn = _HEAD(message)[0]
        if self._event <= self._skip:
            if "t" not in self._skipped:
                self._pass(message, _TRUNCATE, lsn, 0)
        elif "t" in self._skipped:
            self.ignored_truncates += 1
        else:
            self._empty(message, lsn)

    def _empty(self, message: bytes, lsn: int) -> None:
        """Write a record for each table that a TRUNCATE emptied."""
        for oid in pgoutput.truncate(message, HEADER):
            route = self._routes.get(oid)
            if route is None:
                continue
            self.batch.changes += 1
            if self._suppressed:
                self.batch.suppressed[route.topic] += 1
            else:
                self._emit(route, None, [route.emptied], lsn, "t")

    def _message(self, message: bytes) -> None:
        transactional, lsn, _, _ = pgoutput.logical(message, HEADER)
        if not transactional:
            # It stands by itself between transactions, and is sent again only if the position is before its end.
            if lsn > self._start.end:
                self._end = self._last_commit = max(self._end, lsn)
                self._tell(message, lsn)
            return
        self._event += 1
        if not self._open:
            raise Damaged("a message of a transaction outside one")
        lsn = _HEAD(message)[0]
        if self._event <= self._skip:
            self._pass(message, _MESSAGE, lsn, 0)
        else:
            self._tell(message, lsn)

    def _tell(self, message: bytes, lsn: int) -> None:
        """Write the record of a logical decoding message."""
        transactional, _, prefix, content = pgoutput.logical(message, HEADER)
        messages = self._messages
        if messages is None or not messages.wanted(prefix):
            return
        self.batch.changes += 1
        if transactional and self._suppressed:
            self.batch.suppressed[messages.topic] += 1
            return
        origin, last, place = self._frame.origin, self._frame.sequence, datum.NULL
        if not transactional:
            # As Debezium: the time of the transaction before it, where there was one.
            origin, last = Origin(origin.ts_us or self._now // 1000, None), b'["%d","' % lsn
        elif (counted := self._transactions) is not None:
            if counted.fresh:
                self.batch.outputs[counted.topic].append(counted.opening())
            place = counted.count("message", lsn)
        source = self._block.whole(origin, b'%b%d"]' % (last, lsn), NAMELESS, lsn)
        self.batch.outputs[messages.topic].append(messages.record(prefix, content, source, place, self._now))
        self.batch.captured[messages.topic, "m"] += 1

    def _describe(self, relation: Relation, nullable: frozenset[str]) -> None:
        route = self._resolve(relation, nullable)
        self._relations[relation.oid] = (relation, nullable)
        if route is None:
            self._routes.pop(relation.oid, None)
        else:
            self._routes[relation.oid] = route

    def _loosen(self, oid: int, place: int) -> None:
        relation, nullable = self._relations[oid]
        self._describe(relation, nullable | {relation.columns[place].name})

    def _write(self, kind: int, message: bytes, lsn: int, oid: int, route: Route) -> None:
        while True:
            try:
                return self._change(kind, message, lsn, route)
            except UnexpectedNullError as missing:
                place = missing.place
            except DAMAGED as error:
                raise pgoutput.violation(message, error) from error
            self._loosen(oid, place)
            route = self._routes[oid]

    def _change(self, kind: int, message: bytes, lsn: int, route: Route) -> None:
        """Write one change, or raise before anything of it is written."""
        rows = route.rows
        mark = message[_MARK:_TUPLE]
        if kind == _INSERT:
            if mark != rows.new:
                raise Damaged("its tuple is not a new row of the table")
            parts = [route.created]
            _whole(message, rows.logged(message, _TUPLE, rows.rows, parts))
            self._emit(route, route.key(parts), parts, lsn, "c")
        elif kind == _UPDATE:
            self._update(mark, message, lsn, route)
        else:
            if mark != rows.old and mark != rows.key:
                raise Damaged("its tuple is not an old row of the table")
            old = [route.deleted]
            _whole(message, rows.logged(message, _TUPLE, rows.rows if mark == rows.old else rows.keys, old))
            self._delete(route, old, lsn)

    def _update(self, mark: bytes, message: bytes, lsn: int, route: Route) -> None:
        rows = route.rows
        if mark == rows.new:
            # The key is the same and the identity is not full.
            parts = [route.created]
            _whole(message, rows.logged(message, _TUPLE, rows.rows, parts))
            self._emit(route, route.key(parts), parts, lsn, "u")
            if rows.missing:
                self._gap(route, parts, message, _MARK + 1)
            return
        full = mark == rows.old
        if not full and mark != rows.key:
            raise Damaged("its first tuple is not a row of the table")
        old, new = [route.updated], [datum.SOME]
        _whole(message, rows.pair(message, _TUPLE, old, new) if full else rows.keyed(message, _TUPLE, old, new))
        if full and self._skip_unchanged and old[1:] == new[1:]:
            return
        key = route.key(new)
        after = [route.created, *new[1:]]
        if route.key(old) == key:
            self._emit(route, key, old + new if full else after, lsn, "u")
        else:
            # A new key is a new row: Debezium writes a delete of the old one and a create.
            self._delete(route, [route.deleted, *old[1:]], lsn)
            self._emit(route, key, after, lsn, "c")
        if rows.missing:
            self._gap(route, after, message, rows.second)

    def _gap(self, route: Route, parts: list[bytes], message: bytes, at: int) -> None:
        """Note the record just written, which has placeholders; the new tuple's column count stands at ``at``."""
        columns = route.described.columns
        places = tuple(place for place in route.rows.missing if columns[place].captured)
        route.rows.missing.clear()
        if not self._reselect or not places or not route.described.key:
            return
        texts = pgoutput.texts(message, at)
        row = tuple(texts[place] or b"" for place in route.described.indexes(route.described.key))
        index = len(self.batch.outputs[route.topic]) - 1
        self.batch.gaps.append(Gap(route, index, parts, places, row))

    def _delete(self, route: Route, old: list[bytes], lsn: int) -> None:
        key = route.key(old)
        old.append(datum.NULL)
        self._emit(route, key, old, lsn, "d")
        if self._tombstones and key is not None:
            self.batch.outputs[route.topic].append((key, None))

    def _emit(self, route: Route, key: bytes | None, parts: list[bytes], lsn: int, op: str) -> None:
        parts += self._frame.source(route.names, lsn)
        parts.append(self._endings[op])
        batch = self.batch
        batch.outputs[route.topic].append((key, b"".join(parts)))
        batch.captured[route.topic, op] += 1

    def _emit_in_order(self, route: Route, key: bytes | None, parts: list[bytes], lsn: int, op: str) -> None:
        """``_emit`` with the record's place in its transaction."""
        counted = self._transactions
        if counted is not None and counted.fresh:
            self.batch.outputs[counted.topic].append(counted.opening())
        endings = self._endings
        if counted is not None:
            self._endings = {op: counted.place(route, lsn) + self._ordered_endings[op]}
        try:
            Capture._emit(self, route, key, parts, lsn, op)
        finally:
            self._endings = endings


def _whole(message: bytes, end: int) -> None:
    if end != len(message):
        raise Damaged("it ends elsewhere than its last column")
