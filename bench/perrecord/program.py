"""The per-record path between a plain consumer and producer: ``python -m bench.perrecord.program KAFKA REGISTRY``.

Reads and writes by librdkafka with the settings that ours has; commits after each 1,000 records, at least once.
"""

from __future__ import annotations

import sys

from bench.perrecord import start
from bench.stream import FEEDS
from sync import garbage
from sync.kafka import TopicPartition
from sync.kafka.client import consumer, place, producer

GROUP = "bench-perrecord"


def main(bootstrap: str, registry_url: str) -> None:
    """Run until the process is ended."""
    path = start.path(bootstrap, registry_url)
    garbage.spare()
    reader, writer = consumer(bootstrap, GROUP), producer(bootstrap)
    reader.subscribe([feed.topic for feed in FEEDS])
    while True:
        first = reader.poll(0.2)
        if first is None:
            continue
        batch = [first, *reader.consume(999, 0)]
        for message in batch:
            if message.error() is None:
                topic, key, value = message.topic() or "", message.key() or b"", message.value() or b""
                for name, out_key, out in path.handle(
                    topic, key, value, message.partition() or 0, message.offset() or 0
                ):
                    writer.produce(name, key=out_key, value=out)
                    writer.poll(0)
        writer.flush()
        ends = {place(message): (message.offset() or 0) + 1 for message in batch if message.error() is None}
        reader.commit(offsets=[TopicPartition(*at, offset) for at, offset in ends.items()], asynchronous=False)


if __name__ == "__main__":
    main(*sys.argv[1:3])
