"""A topic's records from its beginning, or from a time, to its end as it is now, with their places and headers.

Called by ``dongbo replay``. Nothing is committed for the group: a reader leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sync.kafka.client import consumer, end_offsets, translate

_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``headers`` by name."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


def history(bootstrap: str, topic: str, *, since_ms: int | None = None) -> tuple[list[Record], dict[int, int]]:
    """The committed records of a topic, and by partition the offset behind what was looked at.

    Waits for open transactions to end. ``since_ms``: only records of that time (milliseconds since 1970) or later.
    Raises Refused for a missing topic, Unavailable.
    """
    ends = {number: end for (_, number), end in end_offsets(bootstrap, [topic]).items()}
    starts = dict.fromkeys(ends, 0)
    client = consumer(bootstrap, "dongbo-history", enable_partition_eof=True)
    try:
        if since_ms is not None:
            asked = [TopicPartition(topic, number, since_ms) for number in ends]
            found = client.offsets_for_times(asked, _SECONDS)
            starts = {part.partition: part.offset if part.offset >= 0 else ends[part.partition] for part in found}
        return list(_read(client, topic, starts, ends)), ends
    except KafkaException as error:
        raise translate(error, f"topic {topic}") from error
    finally:
        client.close()


def appended(bootstrap: str, topic: str, starts: Mapping[int, int]) -> list[Record]:
    """The records at ``starts`` and later, those of open and aborted transactions included."""
    ends = {number: end for (_, number), end in end_offsets(bootstrap, [topic]).items() if number in starts}
    client = consumer(bootstrap, "dongbo-history", read_committed=False, enable_partition_eof=True)
    try:
        return list(_read(client, topic, starts, ends))
    except KafkaException as error:
        raise translate(error, f"topic {topic}") from error
    finally:
        client.close()


def _read(client: Consumer, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Record]:
    left = {number for number, end in ends.items() if starts[number] < end}
    client.assign([TopicPartition(topic, number, starts[number]) for number in sorted(left)])
    while left:
        for message in client.consume(1000, 0.1):
            error, number, offset = message.error(), message.partition() or 0, message.offset() or 0
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            # Behind the last record there may be the marks of transactions only; the partition's end tells.
            if offset >= ends[number] - (error is None):
                left.discard(number)
            if error is None and offset < ends[number]:
                yield Record(topic, number, offset, message.key(), message.value(), _headers(message))


def _headers(message: Message) -> dict[str, bytes]:
    given = message.headers() or []
    pairs = given.items() if isinstance(given, dict) else given
    return {name: value for name, value in pairs if isinstance(value, bytes)}
