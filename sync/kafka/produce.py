"""One record into a topic, now: for what people do, where a transaction has nothing to bind together."""

from __future__ import annotations

from sync.errors import Unavailable
from sync.kafka.client import producer, translate

_PATIENCE = 30.0


def send(bootstrap: str, topic: str, key: bytes, value: bytes) -> None:
    """Write a record and return once all replicas have it. Raises Refused, Unavailable."""
    failed = []
    client = producer(bootstrap, linger_ms=0)
    client.produce(topic, value, key, on_delivery=lambda error, _: failed.append(error) if error else None)
    if client.flush(_PATIENCE):
        client.purge()
        raise Unavailable(f"Kafka did not take a record for {topic} within {_PATIENCE:.0f} s.")
    if failed:
        raise translate(failed[0], f"topic {topic}")
