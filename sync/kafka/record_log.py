"""A control topic as a log of JSON records: read from its beginning, then followed record by record.

Used for the topics of the control plane (configurations, states), which have one partition and are compacted.
"""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

from sync.errors import Unavailable
from sync.kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from sync.kafka.client import Topic, consumer, ensure_topics, translate

Record = tuple[str, dict[str, Any] | None]
"""Key, and value or None for a tombstone."""

_PATIENCE = 30.0


class RecordLog:
    """One control topic; committed records only. Owned by one thread."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        """Create the topic if it is missing; raises Unavailable or Refused."""
        ensure_topics(bootstrap, [Topic(topic, partitions=1, compacted=True)])
        self._topic = topic
        self._caught_up = False
        self._next = 0
        # An answer comes as soon as there is a record: the longer wait only spares an idle reader its requests.
        self._consumer: Consumer = consumer(
            bootstrap, f"dongbo-log-{uuid4()}", enable_partition_eof=True, fetch_wait_max_ms=500
        )
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def poll(self, timeout: float = 0.0) -> list[Record]:
        """New records in order.

        The first call blocks until it has read to the end (Unavailable after 30 s); later calls wait ``timeout``
        seconds at most, and return as soon as there is something.
        """
        deadline = time.monotonic() + _PATIENCE
        records: list[Record] = []
        while True:
            message = self._consumer.poll((0.0 if records else timeout) if self._caught_up else 0.2)
            if message is not None:
                records += self._taken(message)
            elif self._caught_up:
                return records
            elif time.monotonic() > deadline:
                raise self._silent()

    def catch_up(self) -> list[Record]:
        """Read on to where the topic ends at the time of the call. Raises Unavailable, Refused."""
        deadline = time.monotonic() + _PATIENCE
        try:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=_PATIENCE)
        except KafkaException as error:
            raise translate(error, f"topic {self._topic}") from error
        records = self.poll()
        while self._next < end:
            message = self._consumer.poll(0.2)
            if message is not None:
                records += self._taken(message)
            elif time.monotonic() > deadline:
                raise self._silent()
        return records

    def close(self) -> None:
        """Leave the broker; the log can't be read afterwards."""
        self._consumer.close()

    def _taken(self, message: Message) -> list[Record]:
        error, offset = message.error(), message.offset()
        if error is None:
            self._next = (offset or 0) + 1
            return _parsed(message.key(), message.value())
        if error.code() == KafkaError._PARTITION_EOF:
            # Behind the last record there may be markers of transactions: only the end tells of them.
            self._next = max(self._next, offset or 0)
            self._caught_up = True
        elif error.fatal() or not error.retriable():
            raise translate(KafkaException(error))
        return []

    def _silent(self) -> Unavailable:
        return Unavailable(
            f"The topic {self._topic} could not be read to its end within {_PATIENCE:.0f} s.",
            hint="look at the broker's state and log",
        )


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
