"""Source offsets in a compacted topic, in Kafka Connect's format.

Key: the JSON ``["<connector>", {<source partition>}]``; value: the JSON of the source offset, or null where it was
removed (``org.apache.kafka.connect.storage.OffsetUtils``). A source task adds ``encode``'s record to the transaction
of the records that it covers, so position and records are visible together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sync.errors import Unreadable
from sync.kafka.client import Topic, ensure_topics, read_all


def partition_key(partition: Mapping[str, Any]) -> str:
    """Return the source partition as canonical JSON: keys sorted, no blanks."""
    return json.dumps(partition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def encode(
    connector: str, partition: Mapping[str, Any], offset: Mapping[str, Any] | None
) -> tuple[bytes, bytes | None]:
    """Return the record ``(key, value)``; ``offset`` None makes the tombstone that removes the position."""
    key = f"[{json.dumps(connector, ensure_ascii=False)},{partition_key(partition)}]".encode()
    return key, None if offset is None else partition_key(offset).encode()


class OffsetStore:
    """The source offsets of all connectors of a worker group."""

    def __init__(self, bootstrap: str, topic: str = "dongbo.connect.offsets") -> None:
        self.topic = topic
        self._bootstrap = bootstrap

    def ensure(self) -> None:
        """Create the topic (compacted, one partition) unless it exists. Raises Refused, Unavailable."""
        ensure_topics(self._bootstrap, [Topic(self.topic, compacted=True)])

    def load(self, connector: str) -> dict[str, dict[str, Any]]:
        """Return ``source partition as canonical JSON → offset`` of a connector; ``{}`` where it has none.

        Call it after ``Transactions.open``, which ends a predecessor's open transaction. Transactions of other
        connectors that are open at the call are waited for. Raises Unreadable, Refused, Unavailable.
        """
        self.ensure()
        found: dict[str, dict[str, Any]] = {}
        for message in read_all(self._bootstrap, self.topic):
            name, partition = _key(message.key(), self.topic)
            if name != connector:
                continue
            at, value = partition_key(partition), message.value()
            if value is None:
                found.pop(at, None)
            else:
                found[at] = _object(value, self.topic)
        return found

    @staticmethod
    def encode(
        connector: str, partition: Mapping[str, Any], offset: Mapping[str, Any] | None
    ) -> tuple[bytes, bytes | None]:
        """See ``encode`` of this module."""
        return encode(connector, partition, offset)


def _key(data: bytes | None, topic: str) -> tuple[str, dict[str, Any]]:
    try:
        name, partition = json.loads(data or b"")
    except (ValueError, TypeError) as error:
        raise _unreadable("key", topic) from error
    if not isinstance(name, str) or not isinstance(partition, dict):
        raise _unreadable("key", topic)
    return name, partition


def _object(data: bytes, topic: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise _unreadable("value", topic) from error
    if not isinstance(value, dict):
        raise _unreadable("value", topic)
    return value


def _unreadable(part: str, topic: str) -> Unreadable:
    return Unreadable(
        f"A {part} in topic {topic} isn't a source offset as Kafka Connect writes it.",
        hint="name another offsets topic, or remove the foreign record with a tombstone",
    )
