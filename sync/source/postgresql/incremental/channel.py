"""Signals from a Kafka topic. Called by ``run`` in the stream's thread; never waits."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping

from sync.kafka.client import Topic, ensure_topics
from sync.kafka.follow import Follower
from sync.source.postgresql.incremental.signal import Signal

_log = logging.getLogger(__name__)


class KafkaChannel:
    """The signals of one connector: those of ``topic`` whose key is ``name``, the ``topic.prefix``."""

    def __init__(self, bootstrap: str, topic: str, name: str, settings: Mapping[str, str], offset: int | None) -> None:
        """Begin at ``offset``, or at the first record. Raises Refused, Unavailable, ConfigError."""
        ensure_topics(bootstrap, [Topic(topic)])
        self._topic = topic
        self._name = name
        self._follower = Follower(bootstrap, topic, offset, **settings)

    def close(self) -> None:
        """Leave the topic."""
        self._follower.close()

    def poll(self) -> Iterator[tuple[int, Signal | None]]:
        """Yield ``(next offset, signal)`` of what has arrived; None where it is no signal of ours."""
        for offset, key, value in self._follower.arrived():
            yield offset + 1, self._read(offset, key, value)

    def _read(self, offset: int, key: bytes | None, value: bytes | None) -> Signal | None:
        if key != self._name.encode() or value is None:
            return None
        try:
            found = json.loads(value)
            return Signal.read(found.get("id"), found.get("type"), found.get("data"))
        except (ValueError, AttributeError):
            _log.warning("The message at offset %d of topic %s is no signal; it is passed over.", offset, self._topic)
            return None
