"""Puts the readers' pieces into batches, with Debezium's snapshot markers and the progress that goes with them.

Called by ``phase`` in the task's thread. Of each table the newest piece is held back, as only what follows tells
whether it holds the table's last row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from sync.record import Position
from sync.source.postgresql.batch import Batch
from sync.source.postgresql.envelope import Origin, SourceBlock, ending
from sync.source.postgresql.notification import Kind, Outputs
from sync.source.postgresql.route import Route
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.snapshot.chunk import TableRead
from sync.source.postgresql.snapshot.progress import Progress
from sync.source.postgresql.snapshot.reader import Piece, Readers
from sync.source.postgresql.snapshot.written import Written

Clock = Callable[[], int]


class Tell(Protocol):
    """``Notifications.tell`` about a snapshot of certain tables."""

    def __call__(self, outputs: Outputs, kind: Kind, **data: Any) -> None:
        """Tell that ``kind`` happened; ``tables`` may be given in place of those."""


def source_ending(
    block: SourceBlock, route: Route, position: int, now_ns: int, xid: int | None, marker: bytes = b"true"
) -> bytes:
    """Return what follows a row that was read: the source block, ``op: r`` and the times."""
    origin = Origin(now_ns // 1000, xid)
    return block.whole(origin, b'[null,"%d"]' % position, route.names, position, snapshot=marker) + ending("r", now_ns)


class Initial:
    """Batches of one reading. ``view`` is the number of its snapshot in ``progress``; ``finished`` are the tables that
    are read whole.
    """

    def __init__(
        self,
        settings: Settings,
        block: SourceBlock,
        position: Position,
        progress: Progress,
        view: int,
        clock: Clock,
        written: Written | None = None,
        xid: int | None = None,
        tell: Tell = lambda *_, **__: None,
        *,
        resumable: bool = True,
    ) -> None:
        """``position`` is the log's from which the stream will start; ``written``: what a crash left behind.

        ``xid`` is the number of the first transaction that the snapshot does not hold, for the source block. ``tell``
        is told when it starts, and when a table begins and ends. Without ``resumable`` a restart does not go on
        with it.
        """
        self._settings = settings
        self._block = block
        self._progress = progress
        self._view = view
        self._clock = clock
        self._written = written
        self._xid = xid
        self._position = position
        self._first = not any(table.begun or table.finished for table in progress.tables.values())
        self._held: dict[TableRead, Piece] = {}
        self._ended: Piece | None = None
        self.finished: list[TableRead] = []
        self._tell = tell
        self._resumable = resumable
        self._scanned: dict[TableRead, int] = {}
        self._batch = self._new()
        tell(self._batch.outputs, "STARTED", tables=None)

    def ending(self, route: Route, marker: bytes = b"true") -> bytes:
        """As ``reader.Ending``."""
        return source_ending(self._block, route, self._position.end, self._clock(), self._xid, marker)

    def batches(self, readers: Readers, stop: threading.Event) -> Iterator[Batch]:
        """Yield batches of about the configured size; the last one may be empty. Ends early with ``stop``.

        Raises what the readers raise.
        """
        for piece in readers.pieces(stop):
            self._take(piece)
            if self._batch.changes >= self._settings.batch:
                yield self._full()
        if not stop.is_set():
            if self._ended is not None:
                self._flush(self._ended, b"last")
            yield self._full()

    def _new(self) -> Batch:
        return Batch(position=self._position, snapshot=self._resumable)

    def _full(self) -> Batch:
        batch = self._batch
        batch.committed_us = self._clock() // 1000
        if self._resumable:
            batch.extra["progress"] = self._progress.encode()
        self._batch = self._new()
        return batch

    def _take(self, piece: Piece) -> None:
        table, scanned = piece.table, len(piece.records)
        if self._written is not None and piece.records:
            self._written.filter(table.route.topic, piece.records, len(piece.ending))
        if piece.records and table not in self._held and self._ended is not None:
            # The snapshot's last row is none of the table that ended before.
            self._flush(self._ended, b"last_in_data_collection")
            self._ended = None
        if table not in self._scanned:
            self._scanned[table] = 0
            self._tell(self._batch.outputs, "IN_PROGRESS", current_collection_in_progress=str(table.table.id))
        self._scanned[table] += scanned
        if piece.records:
            if not table.progress.begun:
                self._mark(piece, 0, b"first" if self._first else b"first_in_data_collection")
                self._first, table.progress.begun = False, True
            if (before := self._held.pop(table, None)) is not None:
                self._flush(before)
            self._held[table] = piece
        elif piece.done is not None:
            table.progress.add(piece.done, self._view)
        if piece.last:
            self._end(table)

    def _end(self, table: TableRead) -> None:
        self._remove_gone(table)
        tail = self._held.pop(table, None)
        if tail is None:
            self._finish(table)
            return
        if self._ended is not None:
            self._flush(self._ended, b"last_in_data_collection")
        tail.last = True
        self._ended = tail

    def _finish(self, table: TableRead) -> None:
        self.finished.append(table)
        if table.progress.key is None:
            table.progress.whole = self._view
        self._tell(
            self._batch.outputs,
            "TABLE_SCAN_COMPLETED",
            scanned_collection=str(table.table.id),
            total_rows_scanned=str(self._scanned.pop(table, 0)),
            status="SUCCEEDED",
        )

    def _flush(self, piece: Piece, marker: bytes = b"") -> None:
        if marker:
            self._mark(piece, -1, marker)
        topic, batch = piece.table.route.topic, self._batch
        batch.outputs[topic] += piece.records
        batch.captured[topic, "r"] += len(piece.records)
        batch.changes += len(piece.records)
        if piece.done is not None:
            piece.table.progress.add(piece.done, self._view)
        if piece.last:
            self._finish(piece.table)

    def _mark(self, piece: Piece, at: int, marker: bytes) -> None:
        key, value = piece.records[at]
        alone = at == -1 and len(piece.records) == 1 and piece.opened
        if alone and piece.opened == b"first" and marker != b"last":
            # As Debezium: of the snapshot's first row, only its being the last says more.
            return
        ending = self.ending(piece.table.route, piece.opened) if alone else piece.ending
        if at == 0:
            piece.opened = marker
        if value is not None:
            piece.records[at] = (key, value[: -len(ending)] + self.ending(piece.table.route, marker))

    def _remove_gone(self, table: TableRead) -> None:
        if self._written is None:
            return
        topic = table.route.topic
        records = self._batch.outputs[topic]
        for key, delete in self._written.gone(topic, self._position.end, self._clock()):
            records.append((key, delete))
            if self._settings.tombstones:
                records.append((key, None))
            self._batch.captured[topic, "d"] += 1
            self._batch.changes += 1
