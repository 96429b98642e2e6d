"""Follows one partition without waiting: what has arrived since the last look.

Used where a thread has something else to wait for (signals to a connector).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from sync.kafka.client import consumer, translate

_MOST = 100


class Follower:
    """A reader of partition 0 of a topic, in no group; committed records only."""

    def __init__(self, bootstrap: str, topic: str, offset: int | None, **settings: Any) -> None:
        """Begin at ``offset``; None: at the first record. ``settings`` are librdkafka's. Raises ConfigError."""
        self._topic = topic
        self._reader = consumer(bootstrap, f"dongbo-follow-{uuid4()}", **settings)
        self._reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING if offset is None else offset)])

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()

    def arrived(self) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        """Yield ``(offset, key, value)`` of what is here. Raises Refused, Unavailable, PositionLost."""
        for message in self._reader.consume(_MOST, 0):
            error = message.error()
            if error is None:
                yield message.offset() or 0, message.key(), message.value()
            elif not error.retriable() and error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                raise translate(error, f"topic {self._topic}")
