"""Records against a register at its scale: ``make bench-process ARGS="--matching"``.

``dongbo process reconcile`` runs once a core; the register is a compacted topic with as many partitions. Measured: the
register taken in for the first time, the state rebuilt from the topics on an empty disk, and the records matched,
merged and written. Counts of golden records and reviews are compared with what was made before a figure is told.
With ``--candidates`` then ``dongbo process candidates``, once: the register, the golden records and the open cases
indexed, and the cases answered.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import stream
from bench.crowd import CHUNK, Crowd, crowd
from bench.drain import Stage, Watch
from bench.program import Programs
from sync.demo.process import wait_until
from sync.embedded.endpoint import Endpoints
from sync.errors import Refused
from sync.kafka.client import end_offsets, producer, read_all
from sync.process.outbox import Subject, Subjects, partition_of
from sync.schema.dataset import load
from sync.schema.registry import RegistryClient

REGISTER, VALID = "population.golden", "civil_servant.valid"
GOLDEN, CASES, ANSWERS = "civil_servant.golden", "civil_servant.review", "civil_servant.candidates"
PATIENCE = 1800.0
_REPLAYED = re.compile(r"state (\S+)/(\d+): (\d+) records replayed in ([0-9.]+) s")

Tell = Callable[[str], None]


def measure(
    endpoints: Endpoints,
    data_dir: Path,
    *,
    people: int,
    records: int,
    workers: int,
    seed: int,
    candidates: bool,
    tell: Tell,
) -> dict[str, Any]:
    """Seconds, rates, CPU and memory of each phase. Raises SyncError where one fails or the outcome is wrong."""
    made = crowd(people, records, seed)
    registry = RegistryClient(endpoints.registry_url)
    subjects = Subjects(registry, endpoints.bootstrap, workers)
    servants = load("civil_servant")
    # A processor takes on the datasets of sources that the control plane knows.
    stream.declare(endpoints.bootstrap)
    tell(f"making {people:,} people of the register")
    subject = subjects.golden(load("population"))
    _write(endpoints.bootstrap, subject, workers, made.register(subject.value))
    run = _Run(endpoints, data_dir, "reconcile", workers)
    try:
        tell("taking the register in for the first time")
        taken = run.phase((REGISTER,), people)
        run.stop()
        tell(f"making {records:,} records")
        valid = subjects.valid(servants)
        _write(endpoints.bootstrap, valid, workers, made.valid(valid.value))
        shutil.rmtree(data_dir / "state", ignore_errors=True)
        tell("rebuilding the state on an empty disk, then matching")
        matched = run.phase((VALID,), records)
        restored = run.restored(REGISTER)
    finally:
        run.stop()
    _verify(endpoints.bootstrap, made)
    state_bytes = _size(data_dir / "state" / "reconcile")
    answered = None
    if candidates:
        tell("indexing register, golden records and open cases, and answering them")
        answered = _answered(endpoints, data_dir, people)
    return {
        "people": people,
        "records": records,
        "workers": workers,
        "register": taken,
        "restore": restored,
        "matching": matched,
        "state_bytes": state_bytes,
        **({} if answered is None else {"candidates": answered}),
    }


def _answered(endpoints: Endpoints, data_dir: Path, people: int) -> dict[str, float]:
    """What ``dongbo process candidates`` takes from nothing to the last answer. Raises Refused where one is missing."""
    golden, cases = _keys(endpoints.bootstrap, GOLDEN), _keys(endpoints.bootstrap, CASES)
    run = _Run(endpoints, data_dir, "candidates", 1)
    try:
        found = run.phase((REGISTER, GOLDEN, CASES), people + golden + cases)
        began = time.monotonic()
        wait_until(
            lambda: sum(end_offsets(endpoints.bootstrap, [ANSWERS]).values()) >= cases,
            "The last answer",
            seconds=PATIENCE,
        )
        found |= {"answered_seconds": time.monotonic() - began, "rss": run.rss()}
    finally:
        run.stop()
    answers = _keys(endpoints.bootstrap, ANSWERS)
    if answers != cases:
        raise Refused(f"{answers} answers to {cases} cases: the figures mean nothing.")
    return {**found, "cases": cases, "state_bytes": _size(data_dir / "state" / "candidates")}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class _Run:
    """The workers of one step, started and stopped."""

    def __init__(self, endpoints: Endpoints, data_dir: Path, step: str, workers: int) -> None:
        self._endpoints = endpoints
        self._data_dir = data_dir
        self._step = step
        self._names = [f"{step}-{number}" for number in range(workers)]
        self._programs = Programs(data_dir)

    def phase(self, topics: tuple[str, ...], records: int) -> dict[str, float]:
        """Start the workers and wait until they have worked off topics of ``records`` records.

        ``seconds`` from the first to the last commit, ``start_seconds`` from the start to the first.
        """
        where = (
            "--bootstrap-servers",
            self._endpoints.bootstrap,
            "--schema-registry-url",
            self._endpoints.registry_url,
        )
        began = time.monotonic()
        for number, name in enumerate(self._names):
            self._programs.log(name).unlink(missing_ok=True)
            command = [sys.executable, "-m", "sync.cli", "process", self._step, *where, "--data-dir"]
            instance = () if len(self._names) == 1 else ("--instance", str(number))
            partitions = ("--partitions", str(stream.PARTITIONS))
            self._programs.start(name, [*command, str(self._data_dir), *instance, *partitions])
        end = self._end(topics)
        watch = Watch(self._endpoints.bootstrap, Stage(self._step, f"dongbo-{self._step}", topics))
        read = ", ".join(topics)
        try:
            wait_until(lambda: self._done(watch) > 0, f"The first batch of {read}", seconds=PATIENCE)
            first, cpu, done = time.monotonic(), sum(self._programs.cpu().values()), self._done(watch)
            wait_until(lambda: self._done(watch) >= end, f"The end of {read}", seconds=PATIENCE)
        finally:
            watch.close()
        seconds = time.monotonic() - first
        share = 1 - done / end
        spent = sum(self._programs.cpu().values()) - cpu
        return {
            "start_seconds": first - began,
            "seconds": seconds,
            "records_per_s": records * share / seconds,
            "cpu_per_record": spent / (records * share),
            "rss": self.rss(),
        }

    def rss(self) -> float:
        """Peak memory of all workers, bytes."""
        return float(sum(self._programs.rss().values()))

    def _end(self, topics: tuple[str, ...]) -> int:
        """What the group's offsets add up to in the end: behind the last record of each partition.

        Where that was written in a transaction, the mark behind it has an offset too, which nobody reads.
        """
        ends = end_offsets(self._endpoints.bootstrap, list(topics))
        marked = {topic for topic in topics if topic in (GOLDEN, CASES)}
        return sum(end - (topic in marked and end > 0) for (topic, _), end in ends.items())

    def restored(self, topic: str) -> dict[str, float]:
        """What the workers' logs tell of the rebuilding of their state of ``topic``."""
        found = [line for name in self._names for line in _REPLAYED.findall(self._programs.log(name).read_text())]
        told = [(int(count), float(seconds)) for name, _, count, seconds in found if name == topic and int(count)]
        # A partition may be restored twice, by the worker that came first and by the one that has it in the end.
        records, seconds = sum(count for count, _ in told), sum(seconds for _, seconds in told)
        return {"records": records, "seconds": seconds, "records_per_s": records / seconds}

    def stop(self) -> None:
        """Stop the workers."""
        self._programs.stop()

    def _done(self, watch: Watch) -> int:
        self._programs.check()
        return watch.look()


def _write(bootstrap: str, subject: Subject, partitions: int, chunks: Iterable[tuple[list[str], list[bytes]]]) -> None:
    client = producer(bootstrap)
    head, value_head = subject.key_header, subject.value_header
    for keys, datums in chunks:
        parts: dict[int, list[dict[str, bytes]]] = {}
        for key, datum in zip(keys, datums, strict=True):
            entity = bytes((2 * len(key),)) + key.encode()
            parts.setdefault(partition_of(entity, partitions), []).append(
                {"key": head + entity, "value": value_head + datum}
            )
        for partition, records in parts.items():
            client.produce_batch(subject.topic, records, partition)
        client.flush()


def _verify(bootstrap: str, made: Crowd) -> None:
    """Golden records and reviews are as many as were made to be. Raises Refused."""
    kinds = Counter[str]()
    for start in range(0, made.records, CHUNK):
        kinds.update(made.kinds(start, min(start + CHUNK, made.records)).to_list())
    golden = _keys(bootstrap, "civil_servant.golden")
    reviews = _keys(bootstrap, "civil_servant.review")
    wanted = kinds["MATCH"], made.records - kinds["MATCH"]
    if (golden, reviews) != wanted:
        raise Refused(f"{golden} golden records and {reviews} reviews instead of {wanted}: the figures mean nothing.")


def _keys(bootstrap: str, topic: str) -> int:
    """Keys whose last value is no tombstone."""
    live: set[bytes] = set()
    for message in read_all(bootstrap, topic):
        key = message.key() or b""
        if message.value() is None:
            live.discard(key)
        else:
            live.add(key)
    return len(live)


def show(console: Console, found: dict[str, Any]) -> None:
    """Print the phases beside what is aimed at."""
    matching, restore, register = found["matching"], found["restore"], found["register"]
    table = Table("", "measured", "aim", title=f"{found['records']:,} records against {found['people']:,} people")
    table.add_row("matched, merged, written", f"{matching['seconds']:.0f} s", "180 s")
    table.add_row("  records/s", f"{matching['records_per_s']:,.0f}", "")
    table.add_row("  CPU µs a record", f"{matching['cpu_per_record'] * 1e6:.1f}", "")
    table.add_row("peak RSS of all workers", f"{matching['rss'] / 1e6:,.0f} MB", "2,000 MB")
    table.add_row("state restored", f"{restore['records_per_s']:,.0f} records/s", "100,000 records/s")
    table.add_row("  seconds", f"{restore['seconds']:.0f}", "")
    table.add_row("register taken in first", f"{register['records_per_s']:,.0f} records/s", "")
    table.add_row("state on disk", f"{found['state_bytes'] / 1e6:,.0f} MB", "")
    if "candidates" in found:
        answered = found["candidates"]
        table.add_section()
        table.add_row("candidates: register, golden records, cases indexed", f"{answered['seconds']:.0f} s", "")
        table.add_row("  records/s", f"{answered['records_per_s']:,.0f}", "")
        table.add_row("open cases answered", f"{answered['cases']:,.0f}", "")
        table.add_row("  seconds", f"{answered['answered_seconds']:.0f}", "")
        table.add_row("  peak RSS", f"{answered['rss'] / 1e6:,.0f} MB", "")
        table.add_row("  state on disk", f"{answered['state_bytes'] / 1e6:,.0f} MB", "")
    console.print(table)
