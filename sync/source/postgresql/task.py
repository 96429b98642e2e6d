"""The task of a PostgreSQL source: find the position, read the snapshot, follow the log.

Runs in a thread of a worker. One Kafka transaction a batch holds the records, the offset and the ledger's entries; the
server is told that log is no longer needed only after that transaction was committed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any

from sync import metrics
from sync.errors import Unavailable
from sync.kafka.client import Topic, ensure_topics
from sync.kafka.offset import OffsetStore, partition_key
from sync.kafka.transaction import Item, Transactions
from sync.ports import TaskContext
from sync.record import TableId
from sync.retry import Retries, until
from sync.schema.registry import RegistryClient
from sync.source.captured import CapturedRegistry
from sync.source.commit import Committer
from sync.source.ledger import Ledger
from sync.source.postgresql import kernel
from sync.source.postgresql import offset as offsets
from sync.source.postgresql.batch import Batch
from sync.source.postgresql.capture import Capture
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.envelope import SourceBlock
from sync.source.postgresql.heartbeat import Heartbeat
from sync.source.postgresql.incremental.run import Incremental
from sync.source.postgresql.incremental.state import of_offset
from sync.source.postgresql.message import Messages
from sync.source.postgresql.notification import INITIAL, Notifications
from sync.source.postgresql.offset import Offset
from sync.source.postgresql.publication import prepare
from sync.source.postgresql.replication import Replication
from sync.source.postgresql.router import Router
from sync.source.postgresql.server import Server, identify, require_history
from sync.source.postgresql.session import connect
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.slot import require_slot, start_stream
from sync.source.postgresql.snapshot.phase import Phase
from sync.source.postgresql.snapshot.progress import Progress
from sync.source.postgresql.snapshot.seen import SeenCapture
from sync.source.postgresql.stream import Stream
from sync.source.postgresql.transaction import Transactions as TransactionMetadata
from sync.stop import Stop
from sync.transform.chain import Chain
from sync.transform.outgoing import Outgoing


class PostgreSQLTask:
    """``ports.Task`` of this connector. Nothing happens before ``run``."""

    def __init__(self, context: TaskContext, values: Mapping[str, Any]) -> None:
        """``values`` are typed as ``setting.KEYS``. ConfigError where keys contradict each other."""
        self.context = context
        self.settings = Settings.read(values)
        self.chain = Chain.read(values)
        self.tolerate = values.get("errors.tolerance") == "all"
        self.retries = Retries.of(values)

    def run(self, stop: Stop) -> None:
        """See ``ports.Task``."""
        kernel.prepare()
        transactions = Transactions(self.context.bootstrap, self.context.transactional_id)
        url, pause = self.context.registry_url, until(stop)
        registry = RegistryClient.patient(url, self.retries, pause)
        captured = registry if self.chain is None else CapturedRegistry.patient(url, self.retries, pause)
        try:
            transactions.open()
            committer = Committer(transactions, self.context.connector)
            try:
                ledger = self._ledger(registry)
                Run(self.context, self.settings, captured, committer, stop, ledger, self._outgoing(registry)).run()
            except Unavailable:
                # Not to get at a server is no failure of a task that ends anyway.
                if not stop.is_set():
                    raise
            finally:
                committer.close()
        finally:
            transactions.close()
            captured.close()
            registry.close()

    def _ledger(self, registry: RegistryClient) -> Ledger:
        datasets = {
            self.settings.topic(TableId(*table.split(".", 1))): mapped.dataset
            for table, mapped in self.settings.identity.mappings.items()
            if "." in table
        }
        return Ledger(self.settings.prefix, datasets, registry.register)

    def _outgoing(self, registry: RegistryClient) -> Outgoing | None:
        if self.chain is None:
            return None

        def ensure(topic: str) -> None:
            ensure_topics(self.context.bootstrap, [self.settings.creation.topic(topic)])

        return Outgoing(self.chain, registry, ensure, connector=self.context.connector, tolerate=self.tolerate)


class Run:
    """One run of the task, with everything that is open during it."""

    def __init__(
        self,
        context: TaskContext,
        settings: Settings,
        registry: RegistryClient,
        committer: Committer,
        stop: Stop,
        ledger: Ledger,
        outgoing: Outgoing | None,
    ) -> None:
        self.context = context
        self.outgoing = outgoing
        self.settings = settings
        self.committer = committer
        self.stop = stop
        self.registry = registry
        self.router = Router(settings, registry, context.bootstrap)
        self.block = SourceBlock(settings.prefix, settings.database)
        self.store = OffsetStore(context.bootstrap, context.offsets_topic)
        self.server: Server | None = None
        self.written: Offset | None = None
        """The offset whose commit was started last."""
        self.skipped = False
        self.ledger = ledger

    def run(self) -> None:
        """Work until the stop request. Raises what ``ports.Task.run`` raises."""
        ensure_topics(self.context.bootstrap, [Topic(self.ledger.topic)])
        with connect(self.settings) as connection:
            catalog = Catalog(self.settings, connection)
            catalog.require_logical()
            catalog.require_encoding()
            stored = self._stored()
            prepare(catalog, keeps_slot=_keeps_slot(self.settings.snapshot, stored))
        self.server = identify(self.settings)
        self.notifications = self._notifications()
        only_rows = self.settings.snapshot == "initial_only"
        if only_rows and stored is not None and not stored.snapshot:
            self.stop.wait()
            return
        phase = Phase(
            self.context,
            self.settings,
            self.registry,
            self.router,
            self.block,
            self.committer,
            self._commit,
            self.stop,
            self.notifications,
        )
        start = phase.begin(stored)
        if start is None:
            return
        if start is not stored:
            start = replace(start, server=self.server)
        if only_rows:
            # Nothing will be followed, so the slot must not hold the server's log.
            self._drop_slot()
            self.stop.wait()
            return
        self.skipped = start is stored
        if not self.stop.wait(self.settings.streaming_delay):
            self._work(phase, start)

    def _work(self, phase: Phase, start: Offset) -> None:
        """Follow the log from ``start``, and read what signals ask for in between, until the stop request."""
        while True:
            for request in of_offset(start.extra).blocking:
                read = phase.requested(start, request)
                if read is None:
                    return
                start = replace(read, server=self.server)
            self._follow(start)
            if self.stop.is_set() or self.written is None:
                return
            start = self.written

    def _notifications(self) -> Notifications:
        topic = self.settings.channels.topic
        if topic:
            ensure_topics(self.context.bootstrap, [self.settings.creation.topic(topic)])
        return Notifications(self.settings.channels, self.settings.prefix, self.registry.register)

    def _stored(self) -> Offset | None:
        found = self.store.load(self.context.connector)
        stored = found.get(partition_key(offsets.partition(self.settings.prefix)))
        return None if stored is None else Offset.decode(stored)

    def _follow(self, start: Offset) -> None:
        position = start.position
        replication = Replication(self.settings)
        try:
            # Of this very connection: an address may lead to another server the next time.
            self.server = require_history(replication, start.server, position)
            with connect(self.settings) as connection:
                slot = require_slot(self.settings, Catalog(self.settings, connection), position)
            if not start_stream(replication, slot, position.end, self.stop):
                return
            self._stream(replication, start)
        finally:
            replication.close()
        if self.settings.drop_slot and self.stop.is_set():
            self._forget()

    def _stream(self, replication: Replication, start: Offset) -> None:
        settings, register = self.settings, self.registry.register
        make: Callable[..., Capture] = Capture
        if "held" in start.extra:
            make = partial(SeenCapture, Progress.decode(start.extra["held"]))
        with ExitStack() as open_:
            heartbeat = open_.enter_context(closing(Heartbeat(settings, self.block, register)))
            topics = [heartbeat.topic] if settings.heartbeat.interval else []
            transactions = None
            if settings.transactions:
                transactions = TransactionMetadata(settings.transactions, register)
                topics.append(settings.transactions)
            ensure_topics(self.context.bootstrap, [settings.creation.topic(topic) for topic in topics])
            messages = Messages(
                settings.messages,
                settings.prefix,
                settings.options,
                register,
                lambda topic: ensure_topics(self.context.bootstrap, [settings.creation.topic(topic)]),
            )
            incremental = Incremental(
                self.context, settings, self.registry, self.block, of_offset(start.extra), self.notifications
            )
            open_.enter_context(closing(incremental))
            stream = Stream(
                settings,
                replication,
                self.committer,
                self.block,
                self.router.resolve,
                start.position,
                heartbeat,
                transactions,
                messages,
                incremental,
                make,
                self.context.progress,
            )
            if self.skipped:
                self.notifications.tell(stream.batch.outputs, "SKIPPED", INITIAL)
                self.skipped = False
            stream.run(self.stop, self._commit)

    def _forget(self) -> None:
        # The offset first: without it a start without the slot is a new snapshot, with it a lost position.
        removal = self.store.encode(self.context.connector, offsets.partition(self.settings.prefix), None)
        self.committer.start({self.store.topic: [removal]})
        self.committer.finish()
        self._drop_slot()

    def _drop_slot(self) -> None:
        dropper = Replication(self.settings)
        try:
            dropper.drop_slot()
        finally:
            dropper.close()

    def _commit(self, batch: Batch) -> None:
        """Start the transaction of a batch: records, offset, ledger. ``committer`` must be idle."""
        partition = offsets.partition(self.settings.prefix)
        self.written = Offset(batch.position, batch.snapshot, self.server, batch.extra)
        offset = self.written.encode()
        outputs: dict[str, list[Item]] = dict(batch.outputs)  # type: ignore[arg-type]
        captured, suppressed = Counter(batch.suppressed), Counter(batch.suppressed)
        for (topic, _), count in batch.captured.items():
            captured[topic] += count
        if self.outgoing is not None:
            outputs, fate = self.outgoing.apply(outputs)
            captured, suppressed = fate.counted(captured, suppressed)
        outputs[self.store.topic] = [self.store.encode(self.context.connector, partition, offset)]
        entries = self.ledger.entries(captured, suppressed, time.time_ns() // 1_000_000)
        if entries:
            outputs[self.ledger.topic] = list(entries)
        self.committer.start(outputs)
        self._count(batch)

    def _count(self, batch: Batch) -> None:
        connector = self.context.connector
        for (topic, op), count in batch.captured.items():
            metrics.SOURCE_EVENTS.labels(connector, topic, op).inc(count)
            if op == "r":
                metrics.SNAPSHOT_ROWS.labels(connector, topic).inc(count)
        if suppressed := sum(batch.suppressed.values()):
            metrics.SOURCE_SUPPRESSED.labels(connector).inc(suppressed)
        metrics.SOURCE_TRANSACTIONS.labels(connector).inc(batch.transactions)
        if batch.committed_us:
            behind = time.time_ns() // 1_000_000 - batch.committed_us // 1000
            metrics.SOURCE_LAG.labels(connector).set(max(0, behind))


def _keeps_slot(mode: str, stored: Offset | None) -> bool:
    """Tell whether ``snapshot.mode`` goes on from the slot, should there be one."""
    if stored is None:
        return mode == "no_data"
    return stored.snapshot or mode != "always"
