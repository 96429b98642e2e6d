"""Kafka transactions: outputs and positions are visible together or not at all (invariant 2).

Called by source tasks (records + source offsets) and processors (records + input offsets), from one thread at a
time. The transactional id is stable per task, so ``open`` fences a predecessor that may still be alive and ends its
open transaction.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from sync.errors import Fenced, SyncError, Unavailable
from sync.kafka.client import connected, producer, translate

Headers = Sequence[tuple[str, bytes | None]]
Item = (
    tuple[bytes | None, bytes | None]
    | tuple[bytes | None, bytes | None, int]
    | tuple[bytes | None, bytes | None, int, Headers]
)
"""``(key, value)``, ``(key, value, partition)`` or ``(key, value, partition, headers)``.

Partition -1 is the partitioner's choice. Of one call's items all have headers, or none has.
"""


_CONNECTING = 2.0
"""Seconds to wait for the brokers' addresses."""


class Transactions:
    """A transactional producer.

    After ``Unavailable`` with ``usable`` still true the transaction is aborted: nothing of it is visible and the same
    batch may be sent again. With ``usable`` false (or after ``Fenced``) its outcome isn't known: close, make a new
    object, ``open`` it, and read the position anew before going on.
    """

    def __init__(self, bootstrap: str, transactional_id: str, *, timeout_ms: int = 10_000, **conf: Any) -> None:
        """Prepare; no I/O. The broker aborts a transaction open for over ``timeout_ms``. ``conf``: as ``producer``."""
        self.transactional_id = transactional_id
        self.usable = False
        self._bootstrap = bootstrap
        self._timeout = timeout_ms / 1000
        self._conf = {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": timeout_ms,
            "delivery_report_only_error": True,
            **conf,
        }
        self._producer: Producer | None = None
        self._began = 0.0
        self._active = False
        self._undelivered: tuple[KafkaError, str] | None = None

    def open(self, timeout: float = 30.0) -> None:
        """Fence whoever holds the id and end its open transaction. Raises Unavailable, Refused."""
        self.close()
        self._producer = producer(self._bootstrap, **self._conf)
        deadline = time.monotonic() + timeout
        connected(self._producer, min(timeout, _CONNECTING))
        while True:
            try:
                self._producer.init_transactions(max(0.1, deadline - time.monotonic()))
                break
            except KafkaException as error:
                if not _retriable(error) or time.monotonic() >= deadline:
                    raise translate(error) from error
        self.usable, self._active = True, False

    def close(self) -> None:
        """Forget the producer; the next ``open`` of the id, or the timeout, aborts a transaction still open."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None
        self.usable = self._active = False

    def commit(
        self,
        outputs: Mapping[str, Sequence[Item]],
        *,
        offsets: Sequence[TopicPartition] = (),
        group: Any = None,
    ) -> None:
        """Write ``outputs`` (topic → items) and the input ``offsets`` of ``group`` in one transaction.

        ``group`` is ``Consumer.consumer_group_metadata()``. Blocks until committed.
        Raises Fenced, Refused, Unavailable.
        """
        self.begin()
        for topic, items in outputs.items():
            self.produce(topic, items)
        self.finish(offsets, group)

    def begin(self) -> None:
        """Begin a transaction (no I/O). Raises Unavailable when the object must be opened anew."""
        try:
            self._ready().begin_transaction()
        except KafkaException as error:
            raise self._failed(error) from error
        self._began, self._active, self._undelivered = time.monotonic(), True, None

    def produce(self, topic: str, items: Sequence[Item]) -> None:
        """Queue ``items`` for ``topic`` in the transaction; waits while the queue is full. Errors as ``commit``."""
        client = self._ready()
        try:
            if items and len(items[0]) == 4:
                self._produce_each(client, topic, items)
                return
            for number, messages in _by_partition(items):
                while messages:
                    client.produce_batch(topic, messages, number, on_delivery=self._delivered)
                    messages = self._rejected(messages)
                    client.poll(0.05 if messages else 0)
        except KafkaException as error:
            raise self._failed(error, f"topic {topic}") from error

    def _produce_each(self, client: Producer, topic: str, items: Sequence[Item]) -> None:
        """Queue records with headers, which the driver's batches have no place for; waits while the queue is full."""
        for item in items:
            key, value, partition, headers = item  # type: ignore[misc]
            queued = False
            while not queued:
                try:
                    client.produce(topic, value, key, partition, on_delivery=self._delivered, headers=[*headers])
                    queued = True
                except BufferError:
                    client.poll(0.05)
        client.poll(0)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        """Called by the driver in ``poll`` and ``commit_transaction``, for failed records only."""
        if error is not None and self._undelivered is None:
            self._undelivered = (error, message.topic() or "")

    def _rejected(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages that found the queue full, to be offered again; another reason is raised."""
        again = []
        for message in messages:
            error = message.pop("_error", None)
            if error is None:
                continue
            if error.code() != KafkaError._QUEUE_FULL:
                raise KafkaException(error)
            again.append(message)
        return again

    def flush(self) -> None:
        """Return when the broker has given all records of the transaction their offsets. Errors as ``commit``."""
        client = self._ready()
        if client.flush(max(self._timeout, 10.0)):
            raise self._failed(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
        if self._undelivered is not None:
            raise self._failed(KafkaException(self._undelivered[0]), f"topic {self._undelivered[1]}")

    def finish(self, offsets: Sequence[TopicPartition] = (), group: Any = None) -> None:
        """Add the input offsets and commit the transaction. Errors as ``commit``."""
        client = self._ready()
        try:
            if offsets:
                self._persist(lambda left: client.send_offsets_to_transaction(list(offsets), group, left))
            self._persist(client.commit_transaction)
        except KafkaException as error:
            raise self._failed(error) from error
        self._active = False

    def abort(self) -> None:
        """Abort the open transaction, if there is one. Raises Fenced or Unavailable (then ``usable`` is false)."""
        if not self._active:
            return
        try:
            self._persist(self._ready().abort_transaction)
        except KafkaException as error:
            meaning = self._meaning(error)
            self.usable = self._active = False
            raise meaning from error
        self._active = False

    def _ready(self) -> Producer:
        if self._producer is None or not self.usable:
            raise Unavailable(f"Kafka: the transactional producer {self.transactional_id} must be opened (again).")
        return self._producer

    def _persist(self, step: Any) -> None:
        """Call ``step(seconds)`` until it succeeds; after a retriable error librdkafka resumes where it was."""
        deadline = time.monotonic() + max(self._timeout, 10.0)
        while True:
            try:
                step(max(0.1, deadline - time.monotonic()))
                return
            except KafkaException as error:
                if not _retriable(error) or time.monotonic() >= deadline:
                    raise

    def _failed(self, error: KafkaException, about: str = "") -> SyncError:
        """Bring the producer to a known state after ``error`` and return what to raise."""
        meaning = self._meaning(error, about)
        if isinstance(meaning, Fenced) or not self.usable:
            self.usable = self._active = False
            return meaning
        if _fatal(error) or _retriable(error):
            # A commit that timed out may still succeed: only a new producer with the same id can tell.
            self.usable = self._active = False
            return meaning
        try:
            self.abort()
        except SyncError as other:
            return other
        return meaning

    def _meaning(self, error: KafkaException, about: str = "") -> SyncError:
        """Tell a rival from our own expired transaction: the broker fences both in the same way."""
        meaning = translate(error, about or f"transactional id {self.transactional_id}")
        if type(meaning) is Unavailable and self._undelivered is not None:
            # The commit only says that records failed; why, their delivery report says.
            meaning = translate(self._undelivered[0], f"topic {self._undelivered[1]}")
        if isinstance(meaning, Fenced) and self._active and time.monotonic() - self._began >= self._timeout:
            self.usable = False
            return Unavailable(
                f"Kafka: the transaction of {self.transactional_id} was open for longer than {self._timeout:.0f} s "
                "and expired."
            )
        return meaning


def _by_partition(items: Sequence[Item]) -> list[tuple[int, list[dict[str, Any]]]]:
    """The driver's messages grouped by the partition that the items name; -1 is the partitioner's choice.

    A batch takes one partition: the driver ignores a partition named in a message of a batch.
    """
    if max(map(len, items), default=2) == 2:
        # The hot path, and several times quicker.
        return [(-1, [{"key": key, "value": value} for key, value in items])]  # type: ignore[misc]
    groups: dict[int, list[dict[str, Any]]] = {}
    for item in items:
        groups.setdefault(item[2] if len(item) == 3 else -1, []).append({"key": item[0], "value": item[1]})
    return list(groups.items())


def _kafka(error: KafkaException) -> KafkaError | None:
    first = error.args[0] if error.args else None
    return first if isinstance(first, KafkaError) else None


def _retriable(error: KafkaException) -> bool:
    kafka = _kafka(error)
    return kafka is not None and kafka.retriable()


def _fatal(error: KafkaException) -> bool:
    kafka = _kafka(error)
    return kafka is not None and kafka.fatal()
