"""Read a topic for a person: its records as JSON-able dicts, whatever they were written with.

Called by ``dongbo tail`` and by tests. Avro in the wire format is decoded with its schema from the registry; other
bytes are shown as JSON, as text or as base64. What is shown is what is in the topic, personal data included: it goes
to whoever asked for it and nowhere else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, Message, TopicPartition

from sync.errors import Unreadable
from sync.kafka.client import consumer, partitions, translate
from sync.schema import avro
from sync.schema.registry import RegistryClient


def tail(
    bootstrap: str,
    registry_url: str,
    topic: str,
    *,
    limit: int | None = None,
    from_beginning: bool = False,
    follow: bool = True,
) -> Iterator[dict[str, Any]]:
    """Yield ``{topic, partition, offset, timestamp, key, value}`` of committed records as they come.

    Starts at the end unless ``from_beginning``; stops after ``limit`` records or, without ``follow``, where each
    partition ends. ``timestamp`` is in milliseconds. Raises Refused (no such topic), Unavailable.
    """
    if limit is not None and limit <= 0:
        return
    numbers = partitions(bootstrap, topic)
    start = OFFSET_BEGINNING if from_beginning else OFFSET_END
    registry = RegistryClient(registry_url)
    reader = consumer(bootstrap, f"dongbo-tail-{uuid4()}", enable_partition_eof=True)
    try:
        reader.assign([TopicPartition(topic, number, start) for number in numbers])
        for number, message in enumerate(_messages(reader, set(numbers), follow), start=1):
            yield shown(message, registry)
            if number == limit:
                return
    finally:
        reader.close()
        registry.close()


def _messages(reader: Consumer, pending: set[int], follow: bool) -> Iterator[Message]:
    while follow or pending:
        for message in reader.consume(100, 0.2):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                pending.discard(message.partition() or 0)
            elif error.fatal() or not error.retriable():
                raise translate(error, f"topic {message.topic()}")


def shown(message: Message, registry: RegistryClient) -> dict[str, Any]:
    """Return a record as ``tail`` yields it. Raises Unavailable where the registry doesn't answer."""
    return {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": content(message.key(), registry),
        "value": content(message.value(), registry),
    }


def content(data: bytes | None, registry: RegistryClient) -> Any:
    """Return a key or value as JSON-able data: Avro decoded, else JSON, else text, else ``{"base64": …}``."""
    if data is None:
        return None
    try:
        schema_id, datum = avro.split(data)
        return plain(avro.decode_value(registry.schema(schema_id), datum))
    except Unreadable:
        pass
    try:
        return json.loads(data)
    except ValueError:
        pass
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def plain(value: Any) -> Any:
    """Return a decoded Avro value as JSON-able data: times in ISO 8601 (UTC), decimals as text, bytes in base64."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value
