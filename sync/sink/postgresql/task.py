"""The PostgreSQL sink's task: topics into tables, each record once (invariants 2 and 3).

Called by a worker in a thread of its own, which writes; a second thread reads Kafka, decodes and renders the next batch
meanwhile (librdkafka, Polars and libpq release the interpreter's lock). A batch is what has arrived.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sync.errors import Fenced, Unavailable, Unreadable
from sync.metrics import SINK_BATCH_SECONDS, SINK_ROWS
from sync.ports import TaskContext
from sync.retry import until
from sync.schema.registry import RegistryClient
from sync.sink.deadletter import DeadLetter, DeadLetters
from sync.sink.postgresql.definition import Settings
from sync.sink.postgresql.failure import Contended, RowRefused
from sync.sink.postgresql.feed import Feed
from sync.sink.postgresql.handover import Handover
from sync.sink.postgresql.target import Advance, Load, Target
from sync.sink.reduction import Bad, Block, Reduction
from sync.sink.transformation import Transformation
from sync.transform.chain import Chain

LOGGER = logging.getLogger(__name__)

_WAITING = 2
"""Batches decoded ahead of the one being written."""

_POLL, _REST = 0.1, 0.5
"""Longest waits for a record in seconds: the second once none has come for ``_CALM`` seconds."""

_CALM = 5.0
_GRACE = 1.0
"""Seconds that a stopping task lets the running transaction finish before it is broken off."""

_LOOK = 10.0
"""Seconds without a record after which an idle task looks whether its target still answers."""

_TAKEOVERS, _WINDOW = 3, 60.0
"""How often another task may take partitions over within so many seconds before this one gives up."""


@dataclass(slots=True)
class Batch:
    """Blocks of messages, what became of them, and the offsets behind them."""

    blocks: list[Block]
    advances: list[Advance]
    bad: list[dict[int, Bad]]
    loads: list[Load]
    block_of: list[int]


class SinkTask:
    """A ``ports.Task``."""

    def __init__(self, context: TaskContext, settings: Settings, chain: Chain | None = None) -> None:
        """No I/O here."""
        self._context = context
        self._settings = settings
        self._chain = chain

    def run(self, stop: threading.Event) -> None:
        """Write until ``stop``. Raises as ``ports.Task`` says.

        A task that lost its partitions to another one joins the group anew: the group decides who is right. When that
        happens over and over, two sinks of the same name write to one target, and Fenced is raised.
        """
        takeovers: deque[float] = deque(maxlen=_TAKEOVERS)
        while not stop.is_set():
            try:
                _Session(self._context, self._settings, self._chain, stop).run()
                return
            except Unavailable:
                # Broken off by our own stop: nothing of the batch is in the target.
                if not stop.is_set():
                    raise
            except _TakenOver as error:
                now = time.monotonic()
                if len(takeovers) == _TAKEOVERS and now - takeovers[0] < _WINDOW:
                    raise Fenced(error.args[0], hint=error.hint) from error
                takeovers.append(now)
                LOGGER.warning("Sink %s/%d joins its group anew: %s", *self._name, error)

    @property
    def _name(self) -> tuple[str, int]:
        return self._context.connector, self._context.task


class _TakenOver(Fenced):
    """The target's offsets have another owner now."""


class _Session:
    """One connection to the target and one membership in the group."""

    def __init__(self, context: TaskContext, settings: Settings, chain: Chain | None, stop: threading.Event) -> None:
        self._context = context
        self._settings = settings
        self._stop = stop
        self._registry = RegistryClient.patient(context.registry_url, settings.retries, until(stop))
        self._transformation = None
        if chain is not None:
            self._transformation = Transformation(chain, self._registry.schema, context.connector)
        self._reduction = Reduction(
            self._transformation.schema if self._transformation else self._registry.schema,
            deletes=settings.delete_enabled,
            key_fields=settings.key_fields,
        )
        self._letters = DeadLetters(context, settings.tolerance)
        self._handover: Handover[Batch] = Handover(_WAITING)
        self._finished = threading.Event()

    def run(self) -> None:
        self._target = Target(self._settings, self._context.connector, self._context.task)
        reader = threading.Thread(
            target=self._read, name=f"sink-reader-{self._context.connector}-{self._context.task}", daemon=True
        )
        try:
            self._feed = Feed(
                self._context,
                self._settings,
                self._target.claim,
                self._handover.drain,
                self._handover.discard,
                detailed=self._transformation is not None,
            )
            reader.start()
            while (batch := self._handover.take()) is not None:
                self._write(batch)
        except BaseException as error:
            self._handover.end(error)
            raise
        finally:
            self._finished.set()
            self._handover.end()
            if reader.ident is not None:
                reader.join()
            self._letters.close()
            self._registry.close()
            self._target.close()
        if self._handover.error is not None:
            raise self._handover.error

    def _read(self) -> None:
        """The reading thread: until the task stops, or either side fails."""
        looked = came = time.monotonic()
        try:
            while not self._stop.is_set() and not self._finished.is_set():
                calm = time.monotonic() - came > _CALM and self._handover.idle()
                blocks, advances = self._feed.batch(_REST if calm else _POLL)
                self._feed.commit()
                if advances or not self._handover.idle():
                    self._context.progress.pending()
                if advances:
                    bad: list[dict[int, Bad]] = [{} for _ in blocks]
                    if self._transformation is not None:
                        blocks, bad = self._transformation.apply(blocks)
                    self._handover.put(self._prepared(blocks, advances, bad))
                    looked = came = time.monotonic()
                elif self._handover.idle():
                    self._feed.commit_ends()
                    if time.monotonic() - looked > _LOOK:
                        self._target.ping()
                        looked = time.monotonic()
        except BaseException as error:  # noqa: BLE001 - handed to the writing thread, which raises it
            self._handover.end(error)
        finally:
            self._handover.end()
            if not self._finished.wait(_GRACE):
                self._target.cancel()
            self._feed.close()

    def _prepared(self, blocks: list[Block], advances: list[Advance], bad: list[dict[int, Bad]]) -> Batch:
        """Decode and render; what can't be read joins ``bad``."""
        loads: list[Load] = []
        block_of: list[int] = []
        for number, block in enumerate(blocks):
            try:
                groups = self._reduction.reduce(block, bad[number])
            except Unreadable:
                found = self._reduction.unreadable(block)
                if not found:
                    raise
                bad[number].update((b.index, b) for b in found)
                groups = self._reduction.reduce(block, bad[number])
            for rows in groups:
                loads.append(self._target.load(block.topic, rows))
                block_of.append(number)
        return Batch(blocks, advances, bad, loads, block_of)

    def _write(self, batch: Batch) -> None:
        """Write one batch, whatever rows PostgreSQL refuses left out of it."""
        parked: set[tuple[int, int]] = set()
        while True:
            parked = self._park(batch, parked)
            try:
                changed = self._put(batch)
                break
            except Fenced as error:
                raise _TakenOver(error.args[0], hint=error.hint) from error
            except RowRefused:
                refused = self._refused(batch)
                if not refused:
                    raise
                for number, bad in refused:
                    batch.bad[number][bad.index] = bad
                batch = self._prepared(batch.blocks, batch.advances, batch.bad)
        self._feed.written(batch.advances)
        self._context.progress.advanced()
        self._count(batch.loads, changed)

    def _put(self, batch: Batch) -> list[int]:
        """Write; again for as long as ``errors.retry.timeout`` says while the target puts it off."""
        pauses = self._settings.retries.pauses()
        while True:
            try:
                with SINK_BATCH_SECONDS.labels(self._context.connector).time():
                    return self._target.write(batch.advances, batch.loads)
            except Contended:
                pause = next(pauses, None)
                if pause is None or self._stop.wait(pause):
                    raise

    def _refused(self, batch: Batch) -> list[tuple[int, Bad]]:
        """The messages behind the rows that PostgreSQL refuses, each with its block's number."""
        return [
            (batch.block_of[r.load], Bad(batch.loads[r.load].indices[r.row], r.reason))
            for r in self._target.refusals(batch.loads)
        ]

    def _park(self, batch: Batch, parked: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Set the bad records aside that aren't yet; return all that are."""
        letters = [
            _letter(block, found[index])
            for number, (block, found) in enumerate(zip(batch.blocks, batch.bad, strict=True))
            for index in sorted(found)
            if (number, index) not in parked
        ]
        self._letters.park(letters)
        return parked | {(n, i) for n, found in enumerate(batch.bad) for i in found}

    def _count(self, loads: Sequence[Load], changed: Sequence[int]) -> None:
        totals: dict[tuple[str, str], int] = {}
        for load, rows in zip(loads, changed, strict=True):
            kind = "deleted" if load.deletes else "upserted"
            _add(totals, (load.topic, kind), rows)
            _add(totals, (load.topic, "unchanged"), load.frame.height - rows)
        for (topic, kind), rows in totals.items():
            SINK_ROWS.labels(self._context.connector, topic, kind).inc(rows)


def _add(totals: dict[tuple[str, str], int], key: tuple[str, str], count: int) -> None:
    totals[key] = totals.get(key, 0) + count


def _letter(block: Block, bad: Bad) -> DeadLetter:
    index = bad.index
    topic, key, value = block.topic, block.keys[index], block.values[index]
    if block.details:
        came = block.details[index]
        topic, key, value = came.topic, came.key, came.value
    return DeadLetter(topic, block.partitions[index], block.offsets[index], key, value, bad.reason, bad.stage)
