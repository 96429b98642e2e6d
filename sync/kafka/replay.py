"""Read a partition of a compacted topic from an offset to its end, committed records only (state restore)."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition

from sync.kafka.client import admin, consumer, end_offsets, translate

Items = list[tuple[bytes, bytes | None]]


def topic_id(bootstrap: str, topic: str) -> str:
    """The id that Kafka gave the topic when it was made: another one after the topic was deleted and made anew."""
    client = admin(bootstrap)
    try:
        return str(client.describe_topics(TopicCollection([topic]))[topic].result(30).topic_id)
    except KafkaException as error:
        raise translate(error) from error


def replay(
    bootstrap: str, topic: str, partition: int, start: int, until: int | None = None
) -> Iterator[tuple[Items, int]]:
    """Yield (items, next offset) from ``start`` until the end as it is now, or to the offset ``until`` before it.

    Waits for transactions that are open now to end (they are the predecessor's: Kafka aborts them after their
    timeout). A ``start`` that compaction or retention removed moves on to the first record there is.
    """
    end = end_offsets(bootstrap, [topic])[topic, partition]
    if until is not None:
        end = min(end, until)
    client = consumer(bootstrap, "dongbo-replay", enable_partition_eof=True)
    try:
        client.assign([TopicPartition(topic, partition, start)])
        yield from _until(client, end, start)
    except KafkaException as error:
        raise translate(error) from error
    finally:
        client.close()


def _until(client: Consumer, end: int, position: int) -> Iterator[tuple[Items, int]]:
    while position < end:
        items: Items = []
        for message in client.consume(5000, 0.5):
            error = message.error()
            offset, key = message.offset() or 0, message.key()
            if error is None and offset >= end:
                # The last fetch may hold more than was asked for.
                position = end
            elif error is None:
                position = offset + 1
                if key is not None:
                    items.append((key, message.value()))
            elif error.code() == KafkaError._PARTITION_EOF:
                # Behind the last record there may be control records only; EOF tells the offset behind them.
                position = max(position, offset)
            else:
                raise KafkaException(error)
        if items or position >= end:
            yield items, position
