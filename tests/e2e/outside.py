"""What an outsider sees: topics through confluent-kafka's own deserializer, and what the logs give away."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

INTERNAL = re.compile(r"__.*|_schemas|dongbo\.connect\..*|dongbo-indicators.*|.*\.rows")
"""Kafka's own topics, Connect's JSON topics, the stock Faust app's changelogs, the validator's row state."""


def read_topics(bootstrap: str, registry_url: str) -> Counter[str]:
    """Decode every committed record of every data topic, key and value; the number of records by topic.

    Knows nothing but the two addresses. An undecodable record raises the deserializer's error.
    """
    with SchemaRegistryClient({"url": registry_url}) as registry:
        return _read(bootstrap, AvroDeserializer(registry))


def _read(bootstrap: str, deserialize: AvroDeserializer) -> Counter[str]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"outside-{uuid.uuid4()}",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    topics = consumer.list_topics(timeout=30).topics
    parts = {
        (name, number) for name, topic in topics.items() if not INTERNAL.fullmatch(name) for number in topic.partitions
    }
    consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for name, number in parts])
    found: Counter[str] = Counter()
    while parts:
        message = consumer.poll(30)
        assert message is not None, f"no end of {len(parts)} partitions within 30 s"
        name, number = message.topic() or "", message.partition() or 0
        if message.error() is not None:
            parts.discard((name, number))
            continue
        for data, kind in ((message.key(), MessageField.KEY), (message.value(), MessageField.VALUE)):
            if data is None:
                continue
            try:
                record = deserialize(data, SerializationContext(name, kind))
            except SerializationError as error:
                raise AssertionError(f"{kind} of {name} at {number}/{message.offset()} is unreadable") from error
            assert isinstance(record, dict)
        found[name] += 1
    consumer.close()
    return found


def leaks(logs: Path, values: set[str]) -> list[str]:
    """Files and line numbers in which one of the personal ``values`` stands; never the value itself."""
    found = []
    for path in sorted(logs.glob("*.log")):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            words = set(re.findall(r"\d{9,12}", line))
            if words & values or any(value in line for value in values if " " in value):
                found.append(f"{path.name}:{number}")
    return found
