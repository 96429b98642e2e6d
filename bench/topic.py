"""A topic under measurement: how far it is visible to a read_committed consumer, and what it holds.

Used by ``bench.capture_trial``. Looking costs a small request, so that the measured programs keep the cores.
"""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import fastavro

from sync.kafka import TopicPartition
from sync.kafka.client import consumer, read_all
from sync.schema.avro import split
from sync.schema.registry import RegistryClient

LOOK_SECONDS = 0.03
QUIET_SECONDS = 2.0
"""A topic that doesn't grow for so long, and has enough records, is complete."""

Decode = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """At ``time`` (monotonic, seconds) the first ``visible`` offsets could be read; ``cpu`` seconds were used."""

    time: float
    visible: int
    cpu: dict[str, float]


class Watch:
    """Looks at the topic's last stable offset. One partition. To be closed."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._reader = consumer(bootstrap, "bench-watch")
        self._place = TopicPartition(topic, 0)

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def visible(self) -> int:
        """The offset up to which committed records can be read."""
        found = self._reader.get_watermark_offsets(self._place, timeout=30, cached=False)
        assert found is not None, "the broker did not answer within 30 s"
        return int(found[1])

    def complete(self, least: int, cpu: Callable[[], dict[str, float]], check: Callable[[], None]) -> Sample:
        """Wait until at least ``least`` offsets are visible and no more come; the sample in which the last came.

        ``check`` raises where the capture has failed.
        """
        last = Sample(time.monotonic(), self.visible(), cpu())
        while True:
            now = Sample(time.monotonic(), self.visible(), cpu())
            if now.visible > last.visible:
                last = now
            elif now.visible >= least and now.time - last.time > QUIET_SECONDS:
                return last
            check()
            time.sleep(LOOK_SECONDS)


@dataclass(slots=True)
class Held:
    """What a topic holds: records by op, and by key a hash of the last row's values."""

    ops: Counter[str] = field(default_factory=Counter)
    rows: dict[str, int] = field(default_factory=dict)


def held(bootstrap: str, topic: str, key: str, columns: tuple[str, ...], decode: Decode) -> Held:
    """Read a topic of envelopes whose rows have ``columns``."""
    found = Held()
    for message in read_all(bootstrap, topic):
        data = message.value()
        if data is None:
            continue
        envelope = decode(data)
        row = envelope["after"]
        found.ops[envelope["op"]] += 1
        found.rows[row[key]] = hash(tuple([row[name] for name in columns]))
    return found


def json_decoder() -> Decode:
    """What Connect's JSON converter writes, with or without schemas."""

    def decode(data: bytes) -> Any:
        whole = json.loads(data)
        return whole.get("payload", whole)

    return decode


def avro_decoder(registry: RegistryClient) -> Decode:
    """Avro in Confluent's wire format."""
    parsed: dict[int, Any] = {}

    def decode(data: bytes) -> Any:
        number, datum = split(data)
        if number not in parsed:
            parsed[number] = fastavro.parse_schema(registry.schema(number))
        return fastavro.schemaless_reader(io.BytesIO(datum), parsed[number])

    return decode


class Arrivals:
    """Notes when each record becomes readable, from the topic's present end. To be closed."""

    def __init__(self, bootstrap: str, topic: str, start: int) -> None:
        self._reader = consumer(bootstrap, "bench-arrivals", fetch_wait_max_ms=10)
        self._reader.assign([TopicPartition(topic, 0, start)])

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def times(self, count: int, patience: float) -> Iterator[float]:
        """Yield the time (Unix, seconds) at which each of ``count`` records was there; fewer where they stay away."""
        deadline = time.monotonic() + patience
        while count and time.monotonic() < deadline:
            message = self._reader.poll(0.1)
            if message is not None and message.error() is None:
                count -= 1
                yield time.time()
