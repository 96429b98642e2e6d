"""Reads the control plane's configs topic: what is registered, and which sources there are.

The worker writes the topic (``sync.connect``); the processors, which may not import the control plane, learn here
what a source's topics mean. Beside Connect's own records (``connector-<name>``) the worker writes one record
``source-<topic.prefix>`` a source connector: its declarations resolved and without secrets, kept when the connector
is deleted, so that records still on their way find their mapping.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sync.errors import Unavailable
from sync.kafka import KafkaError, KafkaException, TopicPartition
from sync.kafka.client import Topic, consumer, ensure_topics, translate

CONFIGS_TOPIC = "dongbo.connect.configs"
CONNECTOR = "connector-"
SOURCE = "source-"

Record = tuple[str, dict[str, Any] | None]

_FIRST_READ_SECONDS = 30.0


def source_declaration(config: Mapping[str, str]) -> dict[str, str] | None:
    """What the processors may know of a resolved connector configuration; None if it is no source's.

    Only ``name``, ``connector.class``, ``topic.prefix``, ``topic.delimiter`` and the keys ``dongbo.source.*``,
    ``dongbo.mappings`` and ``dongbo.origin.skip``: nothing secret.
    """
    if not config.get("topic.prefix"):
        return None
    plain = ("name", "connector.class", "topic.prefix", "topic.delimiter", "dongbo.mappings", "dongbo.origin.skip")
    return {key: value for key, value in config.items() if key in plain or key.startswith("dongbo.source.")}


class ConfigLog:
    """The configs topic, read from its beginning and then record by record. Owned by one thread."""

    def __init__(self, bootstrap: str, topic: str = CONFIGS_TOPIC) -> None:
        """Create the topic if it is missing; raises Unavailable or Refused."""
        ensure_topics(bootstrap, [Topic(topic, partitions=1, compacted=True)])
        self._topic = topic
        self._caught_up = False
        self._consumer = consumer(
            bootstrap, "dongbo-registrations", **{"enable.partition.eof": True, "enable.auto.commit": False}
        )
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def poll(self, timeout: float = 0.0) -> list[Record]:
        """New records in order, (key, value or None for a tombstone).

        The first call blocks until it has read to the end (Unavailable after 30 s); later calls wait ``timeout``
        seconds at most, and return as soon as there is something.
        """
        deadline = time.monotonic() + _FIRST_READ_SECONDS
        records: list[Record] = []
        while True:
            message = self._consumer.poll((0.0 if records else timeout) if self._caught_up else 0.2)
            if message is None:
                if self._caught_up:
                    return records
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"The topic {self._topic} could not be read to its end within {_FIRST_READ_SECONDS:.0f} s.",
                        hint="look at the broker's state and log",
                    )
                continue
            error = message.error()
            if error is None:
                records.extend(_parsed(message.key(), message.value()))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._caught_up = True
            elif error.fatal() or not error.retriable():
                raise translate(KafkaException(error))

    def close(self) -> None:
        """Leave the broker; the log can't be read afterwards."""
        self._consumer.close()


class Registrations:
    """The sources that the control plane knows, kept up to date by ``poll``. Owned by one thread."""

    def __init__(self, bootstrap: str, topic: str = CONFIGS_TOPIC) -> None:
        """Open the configs topic (created if missing); raises Unavailable or Refused."""
        self._log = ConfigLog(bootstrap, topic)
        self._sources: dict[str, dict[str, str]] = {}

    def poll(self, timeout: float = 0.0) -> bool:
        """Read what is new, waiting ``timeout`` seconds at most; True if the sources changed.

        The first call blocks until all is read.
        """
        before = dict(self._sources)
        for key, value in self._log.poll(timeout):
            if not key.startswith(SOURCE):
                continue
            if value is None:
                self._sources.pop(key, None)
            else:
                self._sources[key] = dict(value["properties"])
        return self._sources != before

    def sources(self) -> list[dict[str, str]]:
        """One mapping a source (see ``source_declaration``), by ``topic.prefix``; deleted connectors' included."""
        return [self._sources[key] for key in sorted(self._sources)]

    def close(self) -> None:
        """Leave the broker."""
        self._log.close()


def _parsed(key: bytes | str | None, value: bytes | str | None) -> list[Record]:
    # Garbage in a control topic is not ours to repair; a reader that dies of it would help nobody.
    try:
        name = key.decode() if isinstance(key, bytes) else key
        content = None if value is None else json.loads(value)
    except ValueError:
        return []
    if not name or not (content is None or isinstance(content, dict)):
        return []
    return [(name, content)]
