"""The sink's consumer: which partitions, from which offset, and the next batch of messages.

Called by the task's reading thread only (``written`` by the writing one). The group shares the partitions out; the
offset to start from is the target's, never the group's, so a batch that was written is never read again.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

from sync.errors import PositionLost, SyncError, Unavailable
from sync.kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from sync.kafka.client import bounds, consumer, topic_names, translate
from sync.ports import TaskContext
from sync.sink.postgresql.definition import Settings
from sync.sink.postgresql.target import Advance
from sync.sink.reduction import Block, Details

LOGGER = logging.getLogger(__name__)

_SLICE = 1000
_BATCH_BYTES = 16 * 1024 * 1024
"""A batch ends at this many bytes of keys and values, so that wide rows don't need more memory than narrow ones."""

_EXPECTING, _SETTLED = 2000, 10_000
"""How often topics are looked for, ms: where one may be created after the start, to be read then, and otherwise."""

_PATIENCE = 30.0
"""Seconds that giving up partitions waits for the batches already read from them."""

_PASSING = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._MAX_POLL_EXCEEDED,
    }
)
_MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})


def pattern(expression: str) -> str:
    """A Java regular expression of whole topic names as librdkafka's (POSIX, told by a leading ``^``)."""
    posix = expression.replace(r"\d", "[0-9]").replace(r"\w", "[A-Za-z0-9_]").replace("(?:", "(")
    return f"^({posix})$"


def _exist(bootstrap: str, settings: Settings) -> bool:
    """Whether all topics that are to be read are there, as far as the broker tells."""
    try:
        return bool(settings.topics) and {*settings.topics} <= {*topic_names(bootstrap)}
    except Unavailable:
        return False


def _details(message: Message) -> Details:
    kind, time = message.timestamp()
    given = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return Details(
        str(message.topic()),
        message.key(),
        message.value(),
        None if kind == TIMESTAMP_NOT_AVAILABLE else time,
        tuple(given),
    )


class Feed:
    """An open subscription. ``claim`` takes a partition over in the target and returns its next offset."""

    def __init__(
        self,
        context: TaskContext,
        settings: Settings,
        claim: Callable[[str, int], int],
        drain: Callable[[float], Any],
        discard: Callable[[float], Any],
        *,
        detailed: bool = False,
    ) -> None:
        """``drain`` waits until what was read is written, ``discard`` drops it; both get seconds.

        ``detailed``: whether blocks have their messages' details.
        """
        self._settings = settings
        self._bootstrap = context.bootstrap
        self._detailed = detailed
        self._claim, self._drain, self._discard = claim, drain, discard
        self._next: dict[tuple[str, int], int] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._error: BaseException | None = None
        self._reported: set[str] = set()
        self._written: deque[Sequence[Advance]] = deque()
        # The batch being gathered; callbacks of the consumer change it when partitions leave in between.
        self._blocks: dict[str, Block] = {}
        self._reached: dict[tuple[str, int], int] = {}
        conf: dict[str, Any] = {
            # A static member: a restarted task gets its partitions back at once, also after a SIGKILL.
            "group.instance.id": f"{context.connector}-{context.task}",
            "client.id": f"dongbo-{context.connector}-{context.task}",
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": 32_768,
            "allow.auto.create.topics": False,
            # An answer comes as soon as there is a record: the longer wait only spares an idle sink its requests.
            "fetch.wait.max.ms": 1000,
            # The only member has nothing to learn from the group's answers.
            "heartbeat.interval.ms": 1000 if context.tasks > 1 else 2000,
            "topic.metadata.refresh.interval.ms": _SETTLED if _exist(context.bootstrap, settings) else _EXPECTING,
            **settings.consumer,
        }
        self._consumer: Consumer = consumer(context.bootstrap, f"connect-{context.connector}", **conf)
        topics = list(settings.topics) or [pattern(settings.topics_regex)]
        try:
            self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        except KafkaException as error:
            self._consumer.close()
            raise translate(error) from error

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # An exception must not pass through librdkafka's callback: ``batch`` raises it.
        try:
            consumer.incremental_assign(self._placed(partitions))
        except KafkaException as error:
            self._error = translate(error)
        except SyncError as error:
            self._error = error

    def _placed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Take the partitions over in the target; each with the offset to read from."""
        written: dict[str, dict[int, int]] = {}
        placed = []
        for at in partitions:
            offset = self._next[at.topic, at.partition] = self._claim(at.topic, at.partition)
            if offset == 0:
                placed.append(TopicPartition(at.topic, at.partition, OFFSET_BEGINNING))
            else:
                written.setdefault(at.topic, {})[at.partition] = offset
        for topic, offsets in written.items():
            # Not asked by the consumer, whose connection may be busy waiting for records of other partitions.
            for number, held in bounds(self._bootstrap, topic, offsets).items():
                placed.append(self._within(TopicPartition(topic, number, offsets[number]), held))
        return placed

    def _within(self, at: TopicPartition, held: tuple[int, int]) -> TopicPartition:
        """``at``, of a partition that holds the offsets from ``held``'s first to before its second; PositionLost."""
        if not held[0] <= at.offset <= held[1]:
            raise PositionLost(
                f"The target was written up to offset {at.offset} of {at.topic}-{at.partition}, but the topic holds "
                f"{held[0]} to {held[1]}: it was recreated, or records expired before they were read.",
                hint=f"delete the connector's rows of this topic from {self._settings.offsets_table} in the target to "
                "read the topic from its start",
            )
        return at

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._drain(_PATIENCE)
        self._leave(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._discard(_PATIENCE)
        self._leave(consumer, partitions)

    def _leave(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for at in partitions:
            self._next.pop((at.topic, at.partition), None)
            self._ends.pop((at.topic, at.partition), None)
            self._forget(at.topic, at.partition)
        try:
            consumer.incremental_unassign(partitions)
        except KafkaException as error:
            self._error = translate(error)

    def _forget(self, topic: str, partition: int) -> None:
        """Take messages of a partition that is given up out of the batch being gathered: its next owner reads them."""
        if self._reached.pop((topic, partition), None) is None:
            return
        block, kept = self._blocks[topic], Block(topic)
        for index, number in enumerate(block.partitions):
            if number != partition:
                kept.partitions.append(number)
                kept.offsets.append(block.offsets[index])
                kept.keys.append(block.keys[index])
                kept.values.append(block.values[index])
                kept.details += block.details[index : index + 1]
        self._blocks[topic] = kept

    def batch(self, timeout: float) -> tuple[list[Block], list[Advance]]:
        """What has arrived, at most the batch's size, by topic; empty after ``timeout`` seconds without a message.

        Raises PositionLost, Fenced, Refused or Unavailable.
        """
        count = size = 0
        messages = self._poll(timeout)
        if not messages:
            return [], []
        while messages:
            size += self._sort(messages)
            count += len(messages)
            room = self._settings.batch_size - count
            if room <= 0 or size >= _BATCH_BYTES:
                break
            messages = self._consumer.consume(min(_SLICE, room), 0)
        if self._error is not None:
            raise self._error
        advances = [Advance(*at, self._next[at], offset + 1) for at, offset in self._reached.items()]
        for step in advances:
            self._next[step.topic, step.partition] = step.next
        blocks = [block for block in self._blocks.values() if block.keys]
        self._blocks, self._reached = {}, {}
        return blocks, advances

    def _poll(self, timeout: float) -> list[Message]:
        try:
            # Not ``poll``, which wakes up five times a second to look for signals.
            messages = self._consumer.consume(1, timeout)
        except KafkaException as error:
            raise translate(error) from error
        if self._error is not None:
            raise self._error
        return messages

    def _sort(self, messages: Sequence[Message]) -> int:
        """Add messages to their topics' blocks and return their bytes."""
        size = 0
        for message in messages:
            if message.error() is not None:
                self._event(message)
                continue
            topic, partition, offset = str(message.topic()), message.partition() or 0, message.offset() or 0
            # Of a partition just given up, or before the target's offset: someone else's, or already written.
            if offset < self._next.get((topic, partition), offset + 1):
                continue
            block = self._blocks.get(topic)
            if block is None:
                block = self._blocks[topic] = Block(topic)
            key, value = message.key(), message.value()
            block.partitions.append(partition)
            block.offsets.append(offset)
            block.keys.append(key)
            block.values.append(value)
            if self._detailed:
                block.details.append(_details(message))
            self._reached[topic, partition] = offset
            size += len(key or b"") + len(value or b"")
        return size

    def _event(self, message: Message) -> None:
        error = message.error()
        assert error is not None
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            self._ends[str(message.topic()), message.partition() or 0] = message.offset() or 0
        elif code in _MISSING:
            topic = str(message.topic())
            if topic not in self._reported:
                self._reported.add(topic)
                LOGGER.warning("Topic %s does not exist yet; the sink waits for it.", topic)
        elif error.fatal() or not (code in _PASSING or error.retriable()):
            raise translate(error)

    def written(self, advances: Sequence[Advance]) -> None:
        """Note what the target has, for the next ``commit``. Called by the writing thread."""
        # Not committed here: librdkafka blocks a commit while a rebalance callback waits for this very thread.
        self._written.append(advances)

    def commit(self) -> None:
        """Tell the group's offsets to Kafka, for tools that show the lag; failures are of no consequence."""
        if not self._written:
            return
        offsets: dict[tuple[str, int], int] = {}
        while self._written:
            offsets |= {(a.topic, a.partition): a.next for a in self._written.popleft()}
        self._commit([TopicPartition(*at, offset) for at, offset in offsets.items() if at in self._next])

    def commit_ends(self) -> None:
        """When all that was read is written: commit the ends reached, which lie behind transactions' markers."""
        ends = [TopicPartition(*at, end) for at, end in self._ends.items() if end >= self._next.get(at, end + 1)]
        self._ends.clear()
        self._commit(ends)

    def _commit(self, offsets: list[TopicPartition]) -> None:
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except (KafkaException, RuntimeError):
            # Closed or not in the group at this moment: the target has the offsets that count.
            pass

    def close(self) -> None:
        """Leave; a static member's partitions wait for its return until the session times out."""
        try:
            self._consumer.close()
        except (KafkaException, RuntimeError) as error:
            LOGGER.warning("Closing the consumer failed (%s).", type(error).__name__)
