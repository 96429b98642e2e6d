"""Incremental snapshots beside the stream: takes signals, opens a window, reads a chunk, writes what the log left.

Called by ``stream`` around each reading of the log, in its thread. Everything goes into the capture's batch, with the
state after it in the same source offset.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from sync import metrics
from sync.errors import Refused
from sync.ports import TaskContext
from sync.record import TableId
from sync.schema.avro import decode_one, split
from sync.schema.registry import RegistryClient
from sync.source.postgresql.batch import Batch, Record
from sync.source.postgresql.capture import Capture
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.envelope import SourceBlock
from sync.source.postgresql.incremental.channel import KafkaChannel
from sync.source.postgresql.incremental.chunk import Chunk, ChunkReader, Keyless
from sync.source.postgresql.incremental.signal import Signal, apply
from sync.source.postgresql.incremental.state import Collection, State
from sync.source.postgresql.incremental.window import Recent, Window
from sync.source.postgresql.notification import INCREMENTAL, Kind, Notifications, Outputs
from sync.source.postgresql.router import Router
from sync.source.postgresql.session import connect
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.snapshot.initial import source_ending

_log = logging.getLogger(__name__)

_NOTIFIED: dict[str, Kind] = {"pause-snapshot": "PAUSED", "resume-snapshot": "RESUMED"}
"""Type of signal → what is told of it."""


class Incremental:
    """The incremental snapshots of one connector, from the state in its offset on."""

    def __init__(
        self,
        context: TaskContext,
        settings: Settings,
        registry: RegistryClient,
        block: SourceBlock,
        state: State,
        notifications: Notifications,
    ) -> None:
        """``state`` is what ``extra`` gave. Raises Refused, Unavailable."""
        self._context = context
        self._settings = settings
        self._registry = registry
        self._block = block
        self._notifications = notifications
        self._outputs: Outputs = {}
        self._state = state
        table, topic = settings.signalling.table, settings.signalling.topic
        self._signal_topic = settings.topic(table) if table is not None else None
        self._marks: dict[str, int] = {}
        self._reader: ChunkReader | None = None
        self._reading: tuple[Collection, Window, Future[Chunk]] | None = None
        self._recent = Recent()
        self._working = False
        self.changed = False
        self._channel = None
        if topic is not None:
            bootstrap = settings.signalling.bootstrap or context.bootstrap
            self._channel = KafkaChannel(
                bootstrap, topic, settings.prefix, settings.signalling.consumer, self._state.offset
            )
        self._running = metrics.INCREMENTAL_RUNNING.labels(context.connector)
        self._tell()

    def close(self) -> None:
        """Give up the chunk being read and free what is open."""
        if self._reader is not None:
            self._reader.close()
        if self._channel is not None:
            self._channel.close()

    @property
    def active(self) -> bool:
        """True while a chunk is on its way: the stream should look here often."""
        return self._reading is not None

    @property
    def blocking(self) -> bool:
        """True when a signal asks for a snapshot while nothing streams: the stream is to end."""
        return bool(self._state.blocking)

    def extra(self) -> dict[str, Any]:
        """Return what the source offset must hold with the batch that is taken now."""
        self.changed = False
        state = self._state.encode()
        return {"incremental": state} if state else {}

    def before(self, batch: Batch) -> None:
        """Be told that the log is about to be read into ``batch``."""
        topics: set[str | None] = {self._signal_topic}
        if self._working:
            topics |= {self._topic(collection) for collection in self._state.queue}
        self._marks = {topic: len(batch.outputs.get(topic, ())) for topic in topics if topic is not None}

    def after(self, capture: Capture) -> None:
        """Be told that it was read: note its changes, take its signals, go on with the chunk.

        Raises what reading a chunk raises, but for Refused, which ends the table's snapshot.
        """
        batch = capture.batch
        self._outputs = batch.outputs
        new = {topic: batch.outputs[topic][mark:] for topic, mark in self._marks.items() if topic in batch.outputs}
        self._recent.note(capture.begun, capture.open, new if self._working else {})
        if self._reading is not None:
            window = self._reading[1]
            window.touch(new.get(window.topic, ()))
        capture.begun.clear()
        if self._signal_topic is not None and (signals := new.get(self._signal_topic)):
            for signal in self._signals(signals):
                self._take(signal)
        if self._channel is not None:
            for offset, found in self._channel.poll():
                self._state.offset, self.changed = offset, True
                if found is not None:
                    self._take(found)
        self._go_on(capture)

    def _signals(self, records: Iterable[Record]) -> Iterable[Signal]:
        for _, value in records:
            if value is None:
                continue
            number, datum = split(value)
            event = decode_one(self._registry.schema(number), datum)
            if event["op"] != "c":
                continue
            try:
                yield Signal.read(*list(event["after"].values())[:3])
            except (ValueError, TypeError):
                _log.warning("A row of %s is no signal; it is passed over.", self._settings.signalling.table)

    def _take(self, signal: Signal) -> None:
        tables: list[str] = []
        if signal.type == "execute-snapshot":
            with connect(self._settings) as connection:
                tables = [str(table.id) for table in Catalog(self._settings, connection).tables()]
            tables = [name for name in tables if name != str(self._settings.signalling.table)]
        before = list(self._state.queue)
        try:
            apply(self._state, signal, tables)
        except ValueError as error:
            _log.warning("Signal %s (%s) is passed over: %s.", signal.id, signal.type, error)
            return
        _log.info("Signal %s (%s): tables to read: %d.", signal.id, signal.type, len(self._state.queue))
        self.changed = True
        self._tell()
        self._notify_of(signal, before)

    def _notify_of(self, signal: Signal, before: list[Collection]) -> None:
        """Notify of what a signal changed; ``before`` is the queue before it."""
        queue, gone = self._state.queue, [item.table for item in before if item not in self._state.queue]
        if gone:
            self._notify("ABORTED", before[0], gone)
        elif queue and not before:
            self._notify("STARTED", queue[0], self._state.tables)
        elif queue and signal.type in _NOTIFIED:
            self._notify(_NOTIFIED[signal.type], queue[0], self._state.tables)

    def _notify(self, kind: Kind, of: Collection, tables: list[str] | None = None, **data: str) -> None:
        self._notifications.tell(self._outputs, kind, INCREMENTAL, of.signal, tables=tables, **data)

    def _tell(self) -> None:
        self._running.set(bool(self._state.queue) and not self._state.paused)

    def _go_on(self, capture: Capture) -> None:
        if self._reading is not None:
            collection, window, future = self._reading
            if not any(item is collection for item in self._state.queue):
                # Stopped: what is read of it is of no use any more.
                self._reading = None
            elif future.done():
                self._close(capture, collection, window, future)
        if self._reading is None and self._state.queue and not self._state.paused:
            self._open(self._state.queue[0])
        elif self._reading is None and self._working:
            # From here on changes are not noted.
            self._working = False
            self._recent.clear()
            if self._reader is not None:
                self._reader.unsettle()

    def _open(self, collection: Collection) -> None:
        if self._reader is None:
            self._reader = ChunkReader(
                self._settings, Router(self._settings, self._registry, self._context.bootstrap).route
            )
        window = Window(self._topic(collection))
        # The window first: from here on each change of the log is noted.
        self._working = True
        self._reading = (collection, window, self._reader.start(collection))

    def _topic(self, collection: Collection) -> str:
        return self._settings.topic(TableId(*collection.table.split(".", 1)))

    def _close(self, capture: Capture, collection: Collection, window: Window, future: Future[Chunk]) -> None:
        try:
            chunk = future.result()
        except Refused as error:
            _log.error("The incremental snapshot of table %s is given up: %s", collection.table, error)
            self._done(collection, "NO_PRIMARY_KEY" if isinstance(error, Keyless) else "SQL_EXCEPTION")
            return
        if capture.reached < chunk.end:
            return
        self._write(capture, chunk, window)
        collection.last, collection.maximum = chunk.last or collection.last, chunk.maximum
        collection.rows += len(chunk.records)
        if chunk.last is not None:
            self._notify(
                "IN_PROGRESS",
                collection,
                self._state.tables,
                current_collection_in_progress=collection.table,
                last_processed_key=",".join(chunk.last),
                maximum_key=",".join(chunk.maximum or ()),
            )
        self._reading, self.changed = None, True
        metrics.INCREMENTAL_CHUNKS.labels(self._context.connector, chunk.route.topic).inc()
        if chunk.complete:
            _log.info("The incremental snapshot of table %s is complete.", collection.table)
            self._done(collection, "EMPTY" if chunk.maximum is None else "SUCCEEDED")

    def _done(self, collection: Collection, status: str) -> None:
        self._notify(
            "TABLE_SCAN_COMPLETED",
            collection,
            self._state.tables,
            scanned_collection=collection.table,
            total_rows_scanned=str(collection.rows),
            status=status,
        )
        self._state.queue = [item for item in self._state.queue if item is not collection]
        self._reading, self.changed = None, True
        if not self._state.queue:
            self._notify("COMPLETED", collection)
        self._tell()

    def _write(self, capture: Capture, chunk: Chunk, window: Window) -> None:
        ending = source_ending(self._block, chunk.route, capture.reached, time.time_ns(), None, b"incremental")
        if chunk.view is not None:
            window.touch(self._recent.hidden(chunk.view, window.topic))
        rows = window.rows(chunk.records)
        batch = capture.batch
        batch.outputs[window.topic] += [(key, (value or b"") + ending) for key, value in rows]
        batch.captured[window.topic, "r"] += len(rows)
        batch.changes += len(rows)
