"""The per-record path in an agent of stock Faust: ``python -m bench.perrecord.stock_faust KAFKA REGISTRY FOLDER``.

Faust's own driver (aiokafka), bytes in and out, everything else at Faust's defaults but for what helps throughput:
batched sends, a commit after 1,000 records. At least once.
"""

from __future__ import annotations

import sys
from typing import Any

import faust

from bench.perrecord import start
from bench.stream import FEEDS, PARTITIONS
from sync import garbage

GROUP = "bench-stock-faust"


def app(bootstrap: str, registry_url: str, folder: str) -> faust.App:
    """An app with one agent."""
    path = start.path(bootstrap, registry_url)
    made = faust.App(
        GROUP,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_partitions=PARTITIONS,
        consumer_auto_offset_reset="earliest",
        broker_commit_every=1_000,
        producer_linger_ms=20,
        producer_max_batch_size=262_144,
        producer_compression_type="lz4",
        stream_wait_empty=False,
    )
    source = made.topic(*(feed.topic for feed in FEEDS), key_serializer="raw", value_serializer="raw")
    sinks: dict[str, Any] = {}

    @made.agent(source)
    async def work(stream: Any) -> None:
        async for event in stream.events():
            at = event.message
            for name, key, value in path.handle(at.topic, event.key, event.value, at.partition, at.offset):
                sink = sinks.get(name)
                if sink is None:
                    sink = sinks[name] = made.topic(name, key_serializer="raw", value_serializer="raw")
                # Not awaited to the broker's answer, only to the producer's buffer.
                await sink.send(key=key, value=value)

    return made


if __name__ == "__main__":
    made = app(*sys.argv[1:4])
    garbage.spare()
    worker = faust.Worker(made, loglevel="WARN", redirect_stdouts=False, quiet=True)
    sys.argv = sys.argv[:1]
    worker.execute_from_commandline()
