"""Several small compacted topics read whole, then followed: what a process must know in full to work on anything.

Used for data stewards' decisions. Each topic has one partition, so its order is that of its offsets; every reader sees
all of it, in no group, and keeps what it needs in memory.
"""

from __future__ import annotations

import time
from uuid import uuid4

from sync.errors import Unavailable
from sync.kafka import Consumer, KafkaError, KafkaException, TopicPartition
from sync.kafka.client import consumer, translate

Item = tuple[str, int, bytes, bytes | None]
"""Topic, offset, key and value."""

_MOST = 1000


class Feed:
    """A reader of partition 0 of the topics added; committed records only. Owned by one thread."""

    def __init__(self, bootstrap: str, *, patience: float = 30.0) -> None:
        """``patience``: seconds after which a topic that can't be read to its end is Unavailable."""
        self._reader: Consumer = consumer(bootstrap, f"dongbo-feed-{uuid4()}", enable_partition_eof=True)
        self._topics: set[str] = set()
        self._behind: set[str] = set()
        self._patience = patience

    def add(self, topic: str) -> None:
        """Read an existing topic too, from its first record; does nothing if it is known."""
        if topic not in self._topics:
            self._topics.add(topic)
            self._behind.add(topic)
            self._reader.incremental_assign([TopicPartition(topic, 0, 0)])

    def poll(self) -> list[Item]:
        """What arrived since the last call, in order by topic.

        Blocks only until the topics added since have been read to their ends. Raises Unavailable, Refused.
        """
        deadline = time.monotonic() + self._patience
        found: list[Item] = []
        while True:
            messages = self._reader.consume(_MOST, 0.2 if self._behind else 0)
            for message in messages:
                error, topic = message.error(), message.topic() or ""
                if error is None:
                    found.append((topic, message.offset() or 0, message.key() or b"", message.value()))
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._behind.discard(topic)
                elif error.fatal() or not error.retriable():
                    raise translate(KafkaException(error), f"topic {topic}")
            if not self._behind and len(messages) < _MOST:
                return found
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The topic {min(self._behind or self._topics)} could not be read to its end.",
                    hint="look at the broker's state and log",
                )

    def close(self) -> None:
        """Leave the broker."""
        self._reader.close()
