"""Topics, offsets and reading on a real broker and a real registry."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]

from sync.errors import Incompatible, PositionLost, Refused, Unavailable
from sync.kafka import Consumer, Message, TopicPartition
from sync.kafka.client import (
    Topic,
    admin,
    bounds,
    cluster_id,
    consumer,
    end_offsets,
    ensure_topics,
    partitions,
    producer,
    read_all,
    resume,
    topic_names,
    translate,
)
from sync.kafka.tail import tail
from sync.schema import avro
from sync.schema.registry import RegistryClient

pytestmark = pytest.mark.integration


def fresh(name: str) -> str:
    return f"h3.{name}.{uuid.uuid4().hex[:8]}"


def write(kafka: str, topic: str, *items: tuple[bytes | None, bytes | None]) -> None:
    client = producer(kafka)
    for key, value in items:
        client.produce(topic, value, key)
    assert client.flush(30) == 0


def test_topics_are_made_once_as_asked_for(kafka: str) -> None:
    plain, compacted = fresh("plain"), fresh("compacted")
    topics = [Topic(plain, partitions=4), Topic(compacted, compacted=True)]

    ensure_topics(kafka, topics)
    ensure_topics(kafka, [*topics, Topic(plain, partitions=9)])

    assert partitions(kafka, plain) == [0, 1, 2, 3]
    assert {plain, compacted} <= set(topic_names(kafka))
    assert policy(kafka, compacted) == "compact"
    assert policy(kafka, plain) == "delete"


def policy(kafka: str, topic: str) -> str:
    client = admin(kafka)
    (answer,) = client.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return str(answer.result()["cleanup.policy"].value)


def test_topics_made_by_two_at_once_are_no_error(kafka: str) -> None:
    names = [fresh("race") for _ in range(5)]
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(ensure_topics, kafka, [Topic(name) for name in names]) for _ in range(4)]:
            future.result()

    assert set(names) <= set(topic_names(kafka))


def test_a_bad_topic_name_is_refused_and_named(kafka: str) -> None:
    with pytest.raises(Refused, match="bad name"):
        ensure_topics(kafka, [Topic("bad name!")])


def test_a_missing_topic_is_refused_and_named(kafka: str) -> None:
    missing = fresh("missing")
    for ask in (lambda: end_offsets(kafka, [missing]), lambda: list(read_all(kafka, missing))):
        with pytest.raises(Refused, match=missing):
            ask()


def test_offsets_and_records_of_a_topic_agree(kafka: str) -> None:
    topic = fresh("offsets")
    ensure_topics(kafka, [Topic(topic, partitions=2)])
    assert list(read_all(kafka, topic)) == []

    write(kafka, topic, *((str(number).encode(), b"v") for number in range(500)))

    ends = end_offsets(kafka, [topic])
    assert sum(ends.values()) == 500
    assert bounds(kafka, topic) == {number: (0, ends[topic, number]) for number in (0, 1)}
    assert bounds(kafka, topic, [1]) == {1: (0, ends[topic, 1])}
    assert bounds(kafka, topic, []) == {}
    messages = list(read_all(kafka, topic))
    assert {message.key() for message in messages} == {str(number).encode() for number in range(500)}
    for number in (0, 1):
        offsets = [message.offset() for message in messages if message.partition() == number]
        assert offsets == list(range(ends[topic, number]))


def test_the_cluster_has_an_id(kafka: str) -> None:
    assert cluster_id(kafka) == cluster_id(kafka) != ""


def test_a_broker_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        cluster_id("127.0.0.1:1", timeout=0.5)


def polled(reader: Consumer) -> Message:
    """The next record or error of a consumer."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        message = reader.poll(0.2)
        if message is not None:
            return message
    raise AssertionError("nothing came")


def test_a_group_begins_at_the_start_goes_on_at_its_offset_and_never_jumps(kafka: str) -> None:
    topic, group = fresh("resume"), fresh("group")
    ensure_topics(kafka, [Topic(topic)])
    write(kafka, topic, *((str(number).encode(), b"v") for number in range(10)))

    for expected in (b"0", b"4"):
        reader = consumer(kafka, group, auto_offset_reset="error")
        reader.subscribe([topic], on_assign=resume)
        assert polled(reader).key() == expected
        reader.commit(offsets=[TopicPartition(topic, 0, 4)], asynchronous=False)
        reader.close()
    client = admin(kafka)
    for future in client.delete_records([TopicPartition(topic, 0, 8)]).values():
        future.result()
    reader = consumer(kafka, group, auto_offset_reset="error")
    reader.subscribe([topic], on_assign=resume)

    problem = polled(reader).error()

    assert problem is not None
    assert isinstance(translate(problem), PositionLost)
    reader.close()


SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "pay", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ],
}


def test_a_topic_is_shown_to_a_person_whatever_it_was_written_with(kafka: str, registry_url: str) -> None:
    topic = fresh("tail")
    ensure_topics(kafka, [Topic(topic)])
    registry = RegistryClient(registry_url)
    schema_id = registry.register(f"{topic}-value", SCHEMA)
    record = {"id": "Đặng", "pay": Decimal("2.34"), "at": datetime(2025, 7, 1, tzinfo=UTC)}
    write(
        kafka,
        topic,
        (b"k", avro.wire(schema_id, avro.encode_one(SCHEMA, record))),
        (b'{"json": 1}', None),
        (None, b"\0\xff"),
    )

    shown = list(tail(kafka, registry_url, topic, from_beginning=True, follow=False))

    assert [(line["key"], line["value"]) for line in shown] == [
        ("k", {"id": "Đặng", "pay": "2.34", "at": "2025-07-01T00:00:00Z"}),
        ({"json": 1}, None),
        (None, {"base64": "AP8="}),
    ]
    assert [line["offset"] for line in tail(kafka, registry_url, topic, limit=2, from_beginning=True)] == [0, 1]
    assert list(tail(kafka, registry_url, topic, limit=0)) == []
    registry.close()


def test_a_schema_is_registered_found_and_protected_by_the_registry(registry_url: str) -> None:
    registry, subject = RegistryClient(registry_url), fresh("subject")
    assert registry.latest(subject) is None
    assert registry.lookup(subject, SCHEMA) is None

    schema_id = registry.register(subject, SCHEMA)

    assert RegistryClient(registry_url).register(subject, SCHEMA) == schema_id
    assert RegistryClient(registry_url).schema(schema_id) == SCHEMA
    latest, found = registry.latest(subject), registry.lookup(subject, SCHEMA)
    assert latest is not None
    assert latest == found
    assert (latest.subject, latest.version, latest.id, latest.schema) == (subject, 1, schema_id, SCHEMA)
    assert subject in registry.subjects()
    stricter = {**SCHEMA, "fields": [*SCHEMA["fields"], {"name": "new", "type": "string"}]}
    with pytest.raises(Incompatible, match=subject):
        registry.register(subject, stricter)
    registry.close()
