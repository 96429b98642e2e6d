"""Micro-batches for Faust agents: librdkafka feeds a channel, an agent works, one Kafka transaction commits.

A ``Bridge`` is a Faust service. Its one poll thread owns the consumer: it takes what has arrived (never waits for a
full batch), puts it on the channel and waits. The agent on the channel does the work inside ``async with batch:``;
leaving the block hands outputs, ledger and input offsets to one transaction, which commits while the next batch is
worked on. That batch sees the state of the one before it, and is thrown away with it if the commit fails: both are read
again (``errors.decide``), never skipped; what can't be retried ends the process with a non-zero exit code. Uses Faust's
public API only: ``docs/adr/0001``.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Any, Protocol, TypeVar, cast

import faust

from sync.errors import Decision, Fenced, PositionLost, decide
from sync.kafka import KafkaError, KafkaException, Message, TopicPartition
from sync.kafka.client import consumer, place, resume, translate
from sync.kafka.transaction import Transactions
from sync.metrics import PROCESSOR_BATCH_SECONDS, PROCESSOR_RETRIES
from sync.process.state import StateStore

log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_SECONDS = 0.5

BATCH = 5000
"""Records of a batch at most, by default."""

_OVERLAPPED = 5
"""A batch of at least this part of the greatest size is worked on while the one before it is committed."""

Item = tuple[bytes | None, bytes | None] | tuple[bytes | None, bytes | None, int]
"""Key, value and optionally a partition."""


@dataclass(slots=True)
class Output:
    """What a step makes of a batch: records by topic, and state by (state topic, partition)."""

    records: dict[str, list[Item]] = field(default_factory=dict)
    state: dict[tuple[str, int], list[tuple[bytes, bytes | None]]] = field(default_factory=dict)

    def add(self, topic: str, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
        """Add a record to a topic; ``partition`` -1 leaves the choice to the key."""
        self.records.setdefault(topic, []).append((key, value, partition))

    def keep(self, topic: str, records: Sequence[tuple[bytes, bytes | None, int]]) -> None:
        """Add state records (key, value, partition): to the topic, and after the commit to the local store."""
        self.records.setdefault(topic, []).extend(records)
        for key, value, partition in records:
            self.state.setdefault((topic, partition), []).append((key, value))

    def hold(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        """Keep a record that was read in the local store only: its truth is the topic that it came from."""
        self.state.setdefault((topic, partition), []).append((key, value))


@dataclass(frozen=True, slots=True)
class Again:
    """A record to be worked on once more for a reason of the step's own; it looks like a consumed one.

    It was read before, so its offset is not committed, and it is not read again where its batch fails: the step is
    asked anew (``Step.again``).
    """

    of_topic: str
    of_partition: int
    of_offset: int
    of_key: bytes | None
    of_value: bytes | None

    def topic(self) -> str:
        """The topic in which it is taken to have arrived."""
        return self.of_topic

    def partition(self) -> int:
        """The partition."""
        return self.of_partition

    def offset(self) -> int:
        """The offset that it had."""
        return self.of_offset

    def key(self) -> bytes | None:
        """The key."""
        return self.of_key

    def value(self) -> bytes | None:
        """The value."""
        return self.of_value


class Step(Protocol):
    """The work of one agent."""

    name: str

    def topics(self) -> Iterable[str]:
        """The topics to read now; asked about once a second, so that a new source is picked up."""

    def state_topics(self, topic: str) -> Iterable[str]:
        """The state topics whose partition p belongs to partition p of ``topic``.

        One of ``topics`` among them is held as state: the step gives each of its records to ``Output.hold``.
        """

    def again(self, assigned: Collection[tuple[str, int]], *, anew: bool) -> Sequence[Again]:
        """Records of ``assigned`` partitions to be worked on once more; asked about once a second, before any poll.

        ``anew``: those handed out before may be lost, so all are wanted that are not known to be done.
        """

    def process(self, messages: Sequence[Message]) -> Output:
        """Pure but for reads of the state: called in a thread; the same batch may come again after an abort."""


class Batch:
    """A micro-batch on its way through an agent: ``async with batch:`` around the work that sets ``output``."""

    def __init__(self, bridge: Bridge, messages: Sequence[Message], done: asyncio.Future[None]) -> None:
        self.messages = messages
        self.output = Output()
        self.started = time.perf_counter()
        self._bridge = bridge
        self._done = done

    async def run(self, work: Callable[[Sequence[Message]], T]) -> T:
        """Run ``work(messages)`` in a thread: Polars and librdkafka release the GIL there."""
        return await asyncio.get_running_loop().run_in_executor(None, work, self.messages)

    async def __aenter__(self) -> Batch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            try:
                await asyncio.get_running_loop().run_in_executor(None, self._bridge.commit, self)
            except Exception as failure:  # noqa: BLE001 - the poll thread decides what follows
                error = failure
        if self._done.done():
            return False
        if error is None:
            self._done.set_result(None)
        elif isinstance(error, Exception):
            self._done.set_exception(error)
        else:
            self._done.cancel()
        # The agent goes on with the next batch; a cancellation (the app stops) must pass.
        return error is None or isinstance(error, Exception)


class Bridge(faust.Service):
    """One consumer, one transactional producer, one channel. See the module's docstring."""

    def __init__(
        self,
        app: Any,
        step: Step,
        store: StateStore,
        *,
        bootstrap: str,
        group: str,
        instance: str,
        size: int = BATCH,
        ended: Callable[[str, int], None] | None = None,
        fatal: Callable[[BaseException], None],
    ) -> None:
        """``ended`` is told, in the poll thread, of each partition whose records were handed out to its present end."""
        super().__init__(loop=app.loop, beacon=app.beacon)
        self.step = step
        self.store = store
        self.channel = app.channel(maxsize=1)
        self.app = app
        self._size = size
        self._ended = ended
        self._fatal = fatal
        self._stopping = threading.Event()
        self._bootstrap = bootstrap
        self._group = group
        self._instance = f"{group}-{instance}"
        self._transactions = Transactions(bootstrap, self._instance)
        self._committer = ThreadPoolExecutor(1, thread_name_prefix=f"commit-{step.name}")
        self._in_flight: Future[None] | None = None
        self._uncommitted: list[list[Message]] = []
        self._failure: Exception | None = None
        self._subscribed: set[str] = set()
        self._asked = 0.0
        self._losses = 0
        self._anew = True
        self._thread = threading.Thread(target=self._main, name=f"bridge-{step.name}", daemon=True)

    async def on_started(self) -> None:
        # Without Faust's own Kafka client nobody else opens the gate that agents wait at for an assignment.
        self.app.flow_control.resume()
        self._running = asyncio.get_running_loop()
        self._thread.start()

    async def on_stop(self) -> None:
        self._stopping.set()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join, 10)

    def commit(self, batch: Batch) -> None:
        """Begin to commit a batch. Called in an executor thread; raises what the commit before it raised."""
        self._settle()
        # The next batch must see this one's state, which the store gets only after the commit.
        self.store.stage(batch.output.state)
        self._in_flight = self._committer.submit(self._commit, batch)

    def _commit(self, batch: Batch) -> None:
        """One transaction: outputs and input offsets; then the state store."""
        offsets: dict[tuple[str, int], int] = {}
        for message in _read(batch.messages):
            offsets[place(message)] = (message.offset() or 0) + 1
        self._transactions.commit(
            batch.output.records,
            offsets=[TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()],
            group=self._consumer.consumer_group_metadata(),
        )
        self.store.put(batch.output.state, offsets)
        PROCESSOR_BATCH_SECONDS.labels(self.step.name).observe(time.perf_counter() - batch.started)

    def _settle(self) -> None:
        """Wait for the commit in flight; raises what it raised. Its batch then stays among the uncommitted."""
        commit, self._in_flight = self._in_flight, None
        if commit is not None:
            commit.result()
            self._uncommitted.pop(0)

    # -- the poll thread

    def _main(self) -> None:
        while not self._stopping.is_set():
            try:
                self._session()
            except Exception as error:  # noqa: BLE001 - the thread's last word: the process must not look alive
                if self._stopping.is_set():
                    return
                if isinstance(error, Fenced) or decide(error) is not Decision.RETRY:
                    self._fatal(error)
                    return
                PROCESSOR_RETRIES.labels(self.step.name).inc()
                log.warning("%s begins anew from what is committed: %s", self.step.name, error)
                self._stopping.wait(RETRY_SECONDS)

    def _session(self) -> None:
        """Read and commit batches until told to stop. After an error the next session begins at the committed state."""
        # A static member: a restarted instance has its partitions back at once, not after the session's timeout.
        self._consumer = consumer(
            self._bootstrap,
            self._group,
            group_instance_id=self._instance,
            auto_offset_reset="error",
            queued_max_messages_kbytes=32768,
            enable_partition_eof=self._ended is not None,
            # Partition p of all topics goes to one member: what belongs to an entity is worked on in one place.
            partition_assignment_strategy="range",
        )
        try:
            self._transactions.open()
            self._subscribed, self._asked = set(), 0.0
            self._uncommitted, self._failure, self._anew = [], None, True
            while not self._stopping.is_set():
                again = self._subscribe()
                messages = self._beside(again, partial(self._poll, wait=not again))
                try:
                    self._deliver(messages)
                except Exception as error:  # noqa: BLE001 - raised again unless it can be retried
                    self._again(error)
        except KafkaException as error:
            raise translate(error) from error
        finally:
            with suppress(Exception):
                # Whatever became of it, the next session finds out what is committed.
                self._settle()
            self._consumer.close()
            self._transactions.close()
            self.store.close()

    def _subscribe(self) -> list[Message]:
        """Ask the step once a second what to read, and what to work on once more: returned."""
        now = time.monotonic()
        if now - self._asked < 1.0:
            return []
        self._asked = now
        wanted = set(self.step.topics())
        if wanted != self._subscribed and wanted:
            self._subscribed = wanted
            self._consumer.subscribe(
                sorted(wanted), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )
            # The step may ask for more state beside partitions that are read already, before they are assigned anew.
            self._open(self._consumer, self._consumer.assignment())
        assigned = {(part.topic, part.partition) for part in self._consumer.assignment()}
        anew, self._anew = self._anew, False
        return cast(list[Message], [*self.step.again(assigned, anew=anew)])

    def _poll(self, *, wait: bool) -> list[Message]:
        if not self._subscribed:
            self._stopping.wait(0.2)
            return []
        first = self._consumer.poll(0.2 if wait else 0)
        return [] if first is None else self._beside(self._good([first]), partial(self._more, self._size - 1))

    def _beside(self, held: list[Message], read: Callable[[], list[Message]]) -> list[Message]:
        """``held`` and what ``read`` reads; only that where partitions were taken away meanwhile.

        Their state is closed. What was held is read again by whom they went to, from what is committed.
        """
        losses = self._losses
        fresh = read()
        return [*held, *fresh] if losses == self._losses else fresh

    def _more(self, most: int) -> list[Message]:
        """What has arrived by now."""
        return self._good(self._consumer.consume(most, 0))

    def _good(self, messages: Sequence[Message]) -> list[Message]:
        good = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
                continue
            if error.code() == KafkaError._PARTITION_EOF and self._ended is not None:
                self._ended(*place(message))
                continue
            meaning = translate(error)
            if error.fatal() or isinstance(meaning, PositionLost):
                raise meaning
            log.debug("consumer of %s: %s", self.step.name, error.name())
        return good

    def _deliver(self, messages: list[Message]) -> None:
        """Hand a batch to the agent and wait until it is worked on."""
        if messages:
            # From here on it is read again whatever fails.
            self._uncommitted.append(messages)
        if self._failure is not None:
            raise self._failure
        if len(messages) < self._size // _OVERLAPPED:
            # A small batch gains more from what arrives during the commit in flight than from overlapping it.
            self._settle()
            if messages:
                messages[:] = self._beside(messages, partial(self._more, self._size - len(messages)))
                if not messages:
                    self._uncommitted.pop()
        if messages:
            asyncio.run_coroutine_threadsafe(self._offer(messages), self._running).result()

    def _again(self, error: Exception) -> None:
        """After a retryable failure rewind to the first batch that isn't committed; raises the error otherwise."""
        try:
            # Where a batch failed in the agent, the commit of the one before it may be in flight yet.
            self._settle()
        except Exception as earlier:  # noqa: BLE001 - decided upon here
            error = earlier
        if self._stopping.is_set():
            return
        # Aborted cleanly: the same batches again. After anything else the next session finds out what is committed.
        if decide(error) is not Decision.RETRY or not self._transactions.usable:
            raise error
        PROCESSOR_RETRIES.labels(self.step.name).inc()
        log.warning("batch of %s aborted, to be read again: %s", self.step.name, error)
        self.store.stage({})
        self._rewind(list(chain.from_iterable(self._uncommitted)))
        self._uncommitted, self._failure, self._anew = [], None, True
        self._stopping.wait(RETRY_SECONDS)

    async def _offer(self, messages: list[Message]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self.channel.put(Batch(self, messages, done))
        await done

    def _rewind(self, messages: list[Message]) -> None:
        first: dict[tuple[str, int], int] = {}
        for message in _read(messages):
            first.setdefault(place(message), message.offset() or 0)
        assigned = {(part.topic, part.partition) for part in self._consumer.assignment()}
        for (topic, partition), offset in first.items():
            if (topic, partition) in assigned:
                self._consumer.seek(TopicPartition(topic, partition, offset))

    def _assigned(self, client: Any, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        # ``resume`` asks for stable offsets, so a predecessor's open transaction has ended before its state is read.
        resume(client, partitions, cooperative=False)
        self._open(client, partitions)

    def _open(self, client: Any, partitions: list[TopicPartition]) -> None:
        for part in partitions:
            for topic in self.step.state_topics(part.topic):
                until = self._position(client, topic, part.partition) if topic in self._subscribed else None
                self.store.open(topic, part.partition, until)
        self._anew = True

    def _position(self, client: Any, topic: str, partition: int) -> int:
        """The offset that the group reads next: what was read before it is in the state."""
        (known,) = client.committed([TopicPartition(topic, partition)], 30)
        return max(0, int(known.offset))

    def _revoked(self, client: Any, partitions: list[TopicPartition]) -> None:
        del client
        self._losses += 1
        # An exception must not pass through librdkafka's callback: ``_deliver`` raises it.
        try:
            self._settle()
        except Exception as error:  # noqa: BLE001
            self._failure = error
        for part in partitions:
            for topic in self.step.state_topics(part.topic):
                self.store.release(topic, part.partition)


def _read(messages: Iterable[Message]) -> Iterable[Message]:
    """Those that the consumer read, whose offsets count."""
    return (message for message in messages if not isinstance(message, Again))
