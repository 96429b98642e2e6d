"""Clients of Kafka with this project's settings, topics, and reading a topic to its end.

Called by connectors, processors, the worker and the demo. Every record is partitioned as Java's clients do
(``murmur2_random``), so that a topic may have producers of both kinds. Errors of the driver leave as ``SyncError``
through ``translate``.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupState,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]

from sync.errors import ConfigError, Fenced, PositionLost, Refused, SyncError, Unavailable

LOGGER = logging.getLogger("sync.kafka.driver")

_PATIENCE = 30.0
"""Seconds that an administrative request may take before the broker counts as not answering."""

_FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.TRANSACTION_COORDINATOR_FENCED,
    }
)
_REFUSED = {
    KafkaError._AUTHENTICATION: "check the user name and password of the Kafka client",
    KafkaError.SASL_AUTHENTICATION_FAILED: "check the user name and password of the Kafka client",
    KafkaError._SSL: "check the certificates and security.protocol of the Kafka client",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "grant this client access to the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "grant this client access to the consumer group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "grant this client the cluster's IdempotentWrite and Create",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "grant this client access to the transactional id",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create the topic, or check its name",
    KafkaError._UNKNOWN_TOPIC: "create the topic, or check its name",
    KafkaError._UNKNOWN_PARTITION: "add partitions to the topic, or check the partition's number",
    KafkaError.TOPIC_EXCEPTION: "choose a topic name of letters, digits, '.', '_' and '-'",
    KafkaError.INVALID_PARTITIONS: "choose a number of partitions that is at least 1",
    KafkaError.INVALID_REPLICATION_FACTOR: "choose a replication factor of at most the number of brokers",
    KafkaError.INVALID_CONFIG: "check the topic's settings",
    KafkaError.POLICY_VIOLATION: "ask the cluster's administrator for the topic policy",
    KafkaError.MSG_SIZE_TOO_LARGE: "raise max.message.bytes of the topic and message.max.bytes of the producer",
    KafkaError.RECORD_LIST_TOO_LARGE: "raise max.message.bytes of the topic",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: "lower transaction.timeout.ms to the broker's transaction.max.timeout.ms",
    KafkaError.UNSUPPORTED_VERSION: "use a broker of Kafka 2.5 or newer",
    KafkaError._UNSUPPORTED_FEATURE: "use a broker of Kafka 2.5 or newer",
}
_LOST = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION})
_CONFIG = frozenset({KafkaError._INVALID_ARG, KafkaError._NOT_CONFIGURED, KafkaError._UNKNOWN_PROTOCOL})


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to have: its name, number of partitions, and whether only the last record of a key is kept.

    ``replication`` is the number of replicas (-1: the broker's default), ``settings`` are further ones of the topic.
    """

    name: str
    partitions: int = 1
    compacted: bool = False
    replication: int = -1
    settings: tuple[tuple[str, str], ...] = ()


def translate(error: KafkaException | KafkaError, about: str = "") -> SyncError:
    """Return the ``SyncError`` that says what ``error`` means for this process; to be raised ``from`` it.

    ``about`` names the thing (``"topic x"``) where the driver's text doesn't.
    What isn't known to be final (fenced, refused, position lost, wrong configuration) is ``Unavailable``: brokers
    come back, leaders move, groups rebalance.
    """
    kafka = error if isinstance(error, KafkaError) else _inner(error)
    if kafka is None:
        return Unavailable(f"Kafka: {error}.")
    code, text = kafka.code(), f"Kafka{f', {about}' if about else ''}: {kafka.str()} ({kafka.name()})."
    if code in _FENCED:
        return Fenced(text, hint="end this instance: another one with the same identity took over")
    if code in _REFUSED:
        return Refused(text, hint=_REFUSED[code])
    if code in _LOST:
        return PositionLost(text, hint="read the topic anew from its start, or raise its retention")
    if code in _CONFIG:
        return ConfigError(text, hint="check the Kafka client's settings")
    return Unavailable(text, hint="" if not kafka.fatal() else "open the producer anew")


def _inner(error: KafkaException) -> KafkaError | None:
    first = error.args[0] if error.args else None
    return first if isinstance(first, KafkaError) else None


def consumer(bootstrap: str, group: str, *, read_committed: bool = True, **overrides: Any) -> Consumer:
    """Return a consumer of ``group`` that commits only when told.

    ``overrides`` are librdkafka's keys with underscores for dots (``auto_offset_reset="latest"``) or as they are
    (``**{"auto.offset.reset": "latest"}``). A group without offsets starts at the earliest record.

    Raises ConfigError where librdkafka refuses a setting.
    """
    conf: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed" if read_committed else "read_uncommitted",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1000,
        "fetch.wait.max.ms": 20,
        "topic.metadata.refresh.interval.ms": 10_000,
    }
    return _made(Consumer, conf, overrides)


def resume(reader: Consumer, assigned: list[TopicPartition], *, cooperative: bool = True) -> None:
    """Begin newly assigned partitions at the group's offsets, and at their first record where the group has none.

    ``cooperative``: whether the group's assignor is; ``range`` is not, and assigns all partitions anew each time.

    To be given to ``subscribe(on_assign=)`` of a consumer made with ``auto_offset_reset="error"``: then an offset
    whose record is gone is an error (``translate`` makes it PositionLost), and never a silent jump (invariant 9).
    Raises Unavailable where the group's coordinator doesn't answer.
    """
    try:
        known = reader.committed(assigned, _PATIENCE)
    except KafkaException as error:
        raise translate(error) from error
    for at in known:
        at.offset = at.offset if at.offset >= 0 else OFFSET_BEGINNING
    if cooperative:
        reader.incremental_assign(known)
    else:
        reader.assign(known)


def producer(bootstrap: str, **overrides: Any) -> Producer:
    """Return an idempotent producer; ``overrides`` as in ``consumer``. Raises ConfigError for a bad setting."""
    conf: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
        "batch.size": 1_000_000,
        "queue.buffering.max.messages": 500_000,
        "queue.buffering.max.kbytes": 262_144,
    }
    return _made(Producer, conf, overrides)


Client = TypeVar("Client", Consumer, Producer)


def _made(kind: type[Client], conf: dict[str, Any], overrides: dict[str, Any]) -> Client:
    # librdkafka's keys have dots; the driver's own, for callbacks, have underscores.
    own = {"on_delivery", "on_commit", *(key for key in overrides if key.endswith("_cb"))}
    given = {key if key in own else key.replace("_", "."): value for key, value in overrides.items()}
    try:
        return kind({**conf, **given}, logger=LOGGER)
    except KafkaException as error:
        raise translate(error) from error


def admin(bootstrap: str) -> AdminClient:
    """Return an administrative client. Raises nothing for a broker that is down: its requests do."""
    return AdminClient({"bootstrap.servers": bootstrap}, logger=LOGGER)


@lru_cache(maxsize=4)
def _topic_admin(bootstrap: str) -> AdminClient:
    """The process's client for requests about topics: a new one takes 50 ms to know its broker."""
    return AdminClient({"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 1000}, logger=LOGGER)


def group_admin(bootstrap: str, *, timeout: float = _PATIENCE) -> AdminClient:
    """Return an administrative client for requests about consumer groups. Raises Unavailable where no broker answers.

    Such a request must not be on its way when Kafka can't be reached: librdkafka (2.16) ends the process when one times
    out (``rd_kafka_admin_coord_response_parse``: "Assertion `eonce->refcnt > 0' failed"). So brokers are asked first.
    """
    client = admin(bootstrap)
    _metadata(client, timeout=timeout)
    return client


def connected(client: Producer, timeout: float) -> None:
    """Return when the client knows its brokers, or after ``timeout`` seconds without an answer.

    A request for its coordinator that is on its way while librdkafka replaces the bootstrap address by the broker's own
    is lost, and is made again only half a second later. The first answer brings the brokers, the second one comes from
    them.
    """
    for _ in range(2):
        with suppress(KafkaException):
            client.list_topics(timeout=timeout)


def ensure_topics(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Create the topics that don't exist yet, and return when the broker can use them.

    An existing topic stays as it is, whatever its partitions and settings.
    Raises Refused (name, privilege, policy) or Unavailable.
    """
    wanted = {topic.name: topic for topic in topics}
    client = _topic_admin(bootstrap)
    existing = _metadata(client).topics
    missing = [topic for name, topic in wanted.items() if name not in existing]
    if not missing:
        return
    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=topic.replication,
            config={**({"cleanup.policy": "compact"} if topic.compacted else {}), **dict(topic.settings)},
        )
        for topic in missing
    ]
    for name, future in client.create_topics(new, operation_timeout=_PATIENCE).items():
        try:
            future.result()
        except KafkaException as error:
            kafka = _inner(error)
            if kafka is None or kafka.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise translate(error, f"topic {name}") from error
    _await_leaders(client, {topic.name for topic in missing})


def _await_leaders(client: AdminClient, names: set[str]) -> None:
    """The controller has made the topics; the brokers learn of them, and of their leaders, a moment later."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = _metadata(client).topics
        led = {
            name
            for name in names & found.keys()
            if found[name].partitions and all(part.leader >= 0 for part in found[name].partitions.values())
        }
        if led == names:
            return
        if time.monotonic() > deadline:
            raise Unavailable(
                f"Kafka: the new topic {min(names - led)} has no leader after {_PATIENCE:.0f} s.",
                hint="look at the brokers' logs",
            )
        # The brokers tell nobody when they know: they have to be asked again.
        time.sleep(0.02)


def _metadata(client: AdminClient, topic: str | None = None, timeout: float = _PATIENCE) -> Any:
    try:
        return client.list_topics(topic, timeout=timeout) if topic else client.list_topics(timeout=timeout)
    except KafkaException as error:
        raise translate(error) from error


def cluster_id(bootstrap: str, *, timeout: float = _PATIENCE) -> str:
    """Return the cluster's id. Raises Unavailable when no broker answers for ``timeout`` seconds."""
    return str(_metadata(admin(bootstrap), timeout=timeout).cluster_id)


def topic_names(bootstrap: str) -> list[str]:
    """Return the names of all topics, sorted, without Kafka's own. Raises Unavailable."""
    return sorted(name for name in _metadata(_topic_admin(bootstrap)).topics if not name.startswith("__"))


def partitions(bootstrap: str, topic: str) -> list[int]:
    """Return the numbers of the topic's partitions. Raises Refused where there is no such topic, Unavailable."""
    return _partitions(_topic_admin(bootstrap), topic)


def _partitions(client: AdminClient, topic: str) -> list[int]:
    found = _metadata(client).topics.get(topic)
    if found is None or not found.partitions:
        raise Refused(f"Kafka: there is no topic {topic}.", hint="create the topic, or check its name")
    return sorted(found.partitions)


def end_offsets(bootstrap: str, topics: Iterable[str], *, read_committed: bool = False) -> dict[tuple[str, int], int]:
    """Return ``(topic, partition) -> offset of the next record``: the high watermark, transactions still open included.

    With ``read_committed`` it is the last stable offset. Raises Refused for a missing topic, Unavailable.
    """
    # Kept until the answers are there: a client that is let go never answers.
    client = _topic_admin(bootstrap)
    places = [TopicPartition(topic, number) for topic in topics for number in _partitions(client, topic)]
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    return {at: _offset(found) for at, found in _asked(client, places, latest, read_committed).items()}


def bounds(bootstrap: str, topic: str, numbers: Iterable[int] | None = None) -> dict[int, tuple[int, int]]:
    """Return ``partition -> (offset of the first record kept, offset of the next record)`` of a topic.

    Of the partitions with these ``numbers``, or of all. The next is as ``end_offsets`` tells it. Raises Refused,
    Unavailable.
    """
    client = _topic_admin(bootstrap)
    wanted = _partitions(client, topic) if numbers is None else numbers
    places = [TopicPartition(topic, number) for number in wanted]
    earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    first, following = _asked(client, places, earliest), _asked(client, places, latest)
    return {number: (_offset(first[topic, number]), _offset(following[topic, number])) for _, number in first}


def _asked(
    client: AdminClient, places: list[TopicPartition], spec: OffsetSpec, read_committed: bool = False
) -> dict[tuple[str, int], Future[Any]]:
    """Send the request for offsets; no request for no partition."""
    if not places:
        return {}
    level = IsolationLevel.READ_COMMITTED if read_committed else IsolationLevel.READ_UNCOMMITTED
    asked = client.list_offsets(dict.fromkeys(places, spec), isolation_level=level, request_timeout=_PATIENCE)
    return {(at.topic, at.partition): future for at, future in asked.items()}


def _offset(answer: Future[Any]) -> int:
    return int(_result(answer).offset)


def _result(future: Future[Any], timeout: float | None = None) -> Any:
    try:
        return future.result(timeout)
    except KafkaException as error:
        raise translate(error) from error


def committed_offsets(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """Return ``(topic, partition) -> offset committed by the consumer group``; of transactions that ended.

    Raises Refused, Unavailable.
    """
    # Not AdminClient.list_consumer_group_offsets: where the coordinator has moved, or the cluster has not seen the
    # group before, librdkafka ends the process, since an administrative client is no member (its issue 5040).
    reader = consumer(bootstrap, group, read_committed=False)
    try:
        places = [
            TopicPartition(name, number)
            for name, found in reader.list_topics(timeout=_PATIENCE).topics.items()
            for number in found.partitions
        ]
        known = reader.committed(places, _PATIENCE) if places else []
    except KafkaException as error:
        raise translate(error, f"group {group}") from error
    finally:
        reader.close()
    for at in known:
        if at.error is not None:
            raise translate(at.error, f"group {group}")
    return {(at.topic, at.partition): at.offset for at in known if at.offset >= 0}


_waiting: set[AdminClient] = set()
"""Clients of requests that nobody waits for any more."""


def members(bootstrap: str, group: str, *, timeout: float = _PATIENCE) -> list[tuple[str, list[TopicPartition]]] | None:
    """Return each member's ``client.id`` and partitions; None while the group is not stable.

    Waits ``timeout`` seconds at most. Raises Refused, Unavailable.
    """
    client = group_admin(bootstrap, timeout=timeout)
    answer = client.describe_consumer_groups([group], request_timeout=_PATIENCE)[group]
    # Whoever waits gives up before the request does (see ``group_admin``), which keeps its client until then.
    _waiting.add(client)
    answer.add_done_callback(lambda _: _waiting.discard(client))
    try:
        found = _result(answer, timeout)
    except FutureTimeout as error:
        raise Unavailable(f"Kafka told nothing of group {group} for {timeout:.0f} s.") from error
    if found.state != ConsumerGroupState.STABLE:
        return None
    return [(str(m.client_id), list(m.assignment.topic_partitions) if m.assignment else []) for m in found.members]


def read_all(bootstrap: str, topic: str, read_committed: bool = True, *, timeout: float = 60.0) -> Iterator[Message]:
    """Yield the records that are in ``topic`` at the time of the call, in order within each partition.

    The end is the high watermark, so that a transaction which was open at the call is waited for until it is
    committed or aborted: what was committed after it in the same partition is never missed (Kafka Connect reads its
    offsets so, ``KafkaBasedLog.readToLogEnd``). ``timeout`` is the number of seconds without progress after which
    Unavailable is raised. Raises Refused for a missing topic.
    """
    held = bounds(bootstrap, topic)
    pending = {number: end for number, (start, end) in held.items() if end > start}
    if not pending:
        return
    reader = consumer(
        bootstrap, f"dongbo-reader-{uuid.uuid4()}", read_committed=read_committed, enable_partition_eof=True
    )
    try:
        # Not OFFSET_BEGINNING, which librdkafka looks up only after half a second.
        reader.assign([TopicPartition(topic, number, held[number][0]) for number in pending])
        yield from _until(reader, topic, pending, timeout)
    finally:
        reader.close()


def _until(reader: Consumer, topic: str, pending: dict[int, int], timeout: float) -> Iterator[Message]:
    """Yield messages below each partition's end offset; control records are passed by the end-of-partition events."""
    deadline = time.monotonic() + timeout
    while pending:
        # Not ``consume`` alone, which waits for a full batch.
        first = reader.poll(0.1)
        batch = [] if first is None else [first, *reader.consume(1000, 0)]
        if not batch and time.monotonic() > deadline:
            raise Unavailable(f"Kafka: the end of topic {topic} wasn't reached: no progress for {timeout:.0f} s.")
        for message in batch:
            number, offset = message.partition() or 0, message.offset()
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                if error.retriable() or error.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                    continue
                raise translate(error, f"topic {topic}")
            if number not in pending or offset is None:
                continue
            deadline = time.monotonic() + timeout
            if error is None and offset < pending[number]:
                yield message
            # A record at end - 1 is the last; an end-of-partition event carries the offset of the next fetch.
            if offset >= pending[number] - (error is None):
                del pending[number]


def topic_partitions(bootstrap: str) -> dict[str, int]:
    """Return ``topic -> number of partitions`` of all topics that exist. Raises Unavailable."""
    return {name: len(found.partitions) for name, found in _metadata(_topic_admin(bootstrap)).topics.items()}


def place(message: Message) -> tuple[str, int]:
    """Return a consumed record's topic and partition (the driver's types allow None, for records not yet sent)."""
    return message.topic() or "", message.partition() or 0
