"""How fast and at what cost processes work off what is in their topics, by what their consumer groups have committed.

Used by ``bench.process``. The first part of the records is warm-up; each process is looked at while it works on the
rest, from a thread that costs a small request every tenth of a second.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.program import Programs
from sync.errors import Unavailable
from sync.kafka import Consumer, KafkaException, TopicPartition
from sync.kafka.client import consumer, topic_partitions

LOOK_SECONDS = 0.1
WARM_UP = 0.25
"""Share of the records that is not measured."""

PATIENCE = 120.0
"""Seconds without progress after which a side has failed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A process that reads ``topics`` in the consumer group ``group``."""

    name: str
    group: str
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drain:
    """One run. ``per_s``: records a second of the whole path; ``stages``: CPU seconds a record by process."""

    records: int
    per_s: float
    stages: dict[str, float]
    rss: dict[str, int]

    @property
    def cpu(self) -> float:
        """CPU seconds a record of all processes together."""
        return sum(self.stages.values())

    def told(self) -> str:
        """In a line."""
        return f"{self.per_s:,.0f} records/s, {self.cpu * 1e6:.1f} µs CPU, {1 / self.cpu:,.0f} records/s of one core"


@dataclass(frozen=True, slots=True)
class _Sample:
    time: float
    done: int
    cpu: float


class Watch:
    """How much a stage's group has committed, looked at again and again. To be closed."""

    def __init__(self, bootstrap: str, stage: Stage) -> None:
        self.stage = stage
        self.samples: list[_Sample] = []
        self._parts: list[TopicPartition] = []
        self._bootstrap = bootstrap
        self._reader: Consumer = consumer(bootstrap, stage.group)

    def look(self, cpu: float = 0.0) -> int:
        """Offsets committed by now, of all partitions; with ``cpu``, the seconds spent by now, a sample."""
        if not self._parts:
            known = topic_partitions(self._bootstrap)
            if not known.keys() >= set(self.stage.topics):
                return 0
            self._parts = [TopicPartition(topic, at) for topic in self.stage.topics for at in range(known[topic])]
        try:
            done = sum(max(0, part.offset) for part in self._reader.committed(self._parts, 30))
        except KafkaException:
            # The group's coordinator moves once when the broker makes its topic; it is asked again.
            return self.samples[-1].done if self.samples else 0
        if not self.samples or done != self.samples[-1].done:
            self.samples.append(_Sample(time.monotonic(), done, cpu))
        return done

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()


def drained(bootstrap: str, stages: Sequence[Stage], programs: Programs, records: int) -> Drain:
    """Wait until every stage has committed ``records`` records and tell what the last three quarters of them took.

    Raises Unavailable where a process ends or makes no progress.
    """
    watches = [Watch(bootstrap, stage) for stage in stages]
    # A transaction takes an offset of its own, so there may be more offsets than records.
    last, moved = 0, time.monotonic()
    try:
        while True:
            programs.check()
            cpu = programs.cpu()
            done = [watch.look(cpu[watch.stage.name]) for watch in watches]
            if sum(done) != last:
                last, moved = sum(done), time.monotonic()
            if min(done) >= records and time.monotonic() - moved > 10 * LOOK_SECONDS:
                break
            if time.monotonic() - moved > PATIENCE:
                raise Unavailable(f"No progress for {PATIENCE:.0f} s at {done} of {records} records.")
            time.sleep(LOOK_SECONDS)
        return _measured(watches, programs, records)
    finally:
        for watch in watches:
            watch.close()


def _measured(watches: Sequence[Watch], programs: Programs, records: int) -> Drain:
    costs = {}
    for watch in watches:
        ends = watch.samples[-1]
        begins = next(sample for sample in watch.samples if sample.done >= WARM_UP * ends.done)
        costs[watch.stage.name] = (ends.cpu - begins.cpu) / (records * (ends.done - begins.done) / ends.done)
    first, final = watches[0].samples, watches[-1].samples[-1]
    begins = next(sample for sample in first if sample.done >= WARM_UP * first[-1].done)
    measured = records * (1 - begins.done / first[-1].done)
    return Drain(records, measured / (final.time - begins.time), costs, programs.rss())
