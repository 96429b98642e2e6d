"""A group of worker processes with light connectors (``light_worker``), and what must be true of what they did."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync.connect.client import Client
from sync.errors import SyncError
from sync.kafka.client import Topic, ensure_topics, read_all
from sync.kafka.follow import Follower
from tests.eventually import START, eventually

HEAL = float(os.environ.get("DONGBO_TEST_HEAL_SECONDS", "60"))
"""Seconds after which every task must run again. ``make test-group`` sets the ten that a machine not busy with other
tests needs at most; here they only keep the test from waiting for ever."""

EVEN = HEAL + 10
"""Seconds after which workers must have equally many tasks."""


@dataclass
class Process:
    """One worker process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    journal: Path
    url: str = ""

    def healthy(self) -> bool:
        if not self.url:
            found = [line.rpartition(" ")[2] for line in self.log.read_text().splitlines() if " serves http" in line]
            self.url = found[0] if found else ""
        try:
            with Client(self.url) as client:
                return bool(self.url) and client.health()["status"] == "healthy"
        except (SyncError, ValueError):
            return False

    def running_tasks(self) -> int:
        """How many runs of tasks it has begun and not ended."""
        lines = [json.loads(line)["what"] for line in self.journal.read_text().splitlines()]
        return lines.count("begin") - lines.count("end")

    def wait_until_healthy(self) -> Process:
        assert eventually(self.healthy, START), self.log.read_text()
        return self


@dataclass
class Group:
    """A group of worker processes, its topics and what its tasks have written.

    The connectors' names are the group's own: a transactional id has them, and tests may share a broker.
    """

    bootstrap: str
    folder: Path
    name: str
    size: int
    processes: list[Process] = field(default_factory=list)
    last: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each connector wrote last, as far as ``follow`` has read."""

    def __post_init__(self) -> None:
        self.follower = Follower(self.bootstrap, self.topic, 0)

    def follow(self) -> dict[str, dict[str, Any]]:
        """Read on, and return ``last``."""
        while arrived := list(self.follower.arrived()):
            self.last |= {(key or b"").decode(): json.loads(value or b"") for _, key, value in arrived}
        return self.last

    @property
    def connectors(self) -> list[str]:
        """The names of the group's connectors."""
        return [f"counter-{self.name}-{number:02d}" for number in range(self.size)]

    @property
    def topic(self) -> str:
        return f"{self.name}-numbers"

    def add(self, name: str, bootstrap: str = "") -> Process:
        """Start a worker, whose way to Kafka is ``bootstrap`` if given; one that had the name before is over."""
        log, journal = self.folder / f"{name}.log", self.folder / f"{name}.journal"
        log.unlink(missing_ok=True)
        journal.touch()
        command = [sys.executable, "-m", "tests.integration.light_worker", bootstrap or self.bootstrap, self.name, name]
        with log.open("ab") as output:
            process = subprocess.Popen([*command, str(journal)], stdout=output, stderr=output)
        self.processes = [one for one in self.processes if one.name != name]
        self.processes.append(Process(name, process, log, journal))
        return self.processes[-1]

    def register(self, worker: Process) -> None:
        """Register all connectors at ``worker``."""
        with Client(worker.url) as client:
            for name in self.connectors:
                client.apply(name, {"connector.class": "test.Counter", "topic": self.topic})

    def numbers(self) -> dict[str, list[dict[str, Any]]]:
        """What each connector has written, in order."""
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in self.connectors}
        for message in read_all(self.bootstrap, self.topic):
            found[(message.key() or b"").decode()].append(json.loads(message.value() or b""))
        return found

    def heals(self, alive: list[Process], since: float) -> bool:
        """Within ``HEAL`` seconds of ``since`` all tasks write, all on live workers, as every live worker tells."""
        names = {process.name for process in alive}

        def running() -> bool:
            for process in alive:
                with Client(process.url) as client:
                    told = client.statuses()
                for entry in told.values():
                    states = {(task["state"], task["worker_id"]) for task in entry["status"]["tasks"]}
                    if len(states) != 1 or not states <= {("RUNNING", name) for name in names}:
                        return False
                if sorted(told) != self.connectors:
                    return False
            last = self.follow()
            return sorted(last) == self.connectors and all(
                entry["worker"] in names and entry["at"] > since for entry in last.values()
            )

        # Each question goes to every worker: asked all the time, it would be what keeps the machine busy.
        healed = eventually(running, since + HEAL - time.monotonic(), look=0.1)
        print(f"every task ran on {', '.join(sorted(names))} after {time.monotonic() - since:.1f} s")
        return healed

    def even(self, alive: list[Process]) -> bool:
        """Whether no worker has more than one task more than another."""
        with Client(alive[0].url) as client:
            told = client.statuses()
        loads = Counter(task["worker_id"] for entry in told.values() for task in entry["status"]["tasks"])
        return set(loads) == {p.name for p in alive} and max(loads.values()) - min(loads.values()) <= 1

    def logs(self) -> str:
        return "\n".join(f"== {p.name}\n{p.log.read_text()}" for p in self.processes)


@contextmanager
def made(bootstrap: str, folder: Path, size: int = 12) -> Iterator[Group]:
    """A group of ``size`` connectors; its workers end with the block, in order."""
    name = uuid.uuid4().hex[:12]
    ensure_topics(bootstrap, [Topic(f"{name}-numbers")])
    group = Group(bootstrap, folder, name, size)
    try:
        yield group
    finally:
        group.follower.close()
        _end(group)


def _end(group: Group) -> None:
    for process in group.processes:
        if process.process.poll() is None:
            process.process.send_signal(signal.SIGCONT)
            process.process.terminate()
    for process in group.processes:
        try:
            process.process.wait(HEAL)
        except subprocess.TimeoutExpired as error:
            process.process.kill()
            process.process.wait()
            raise AssertionError(f"{process.name} did not end:\n{process.log.read_text()}") from error


def counted(group: Group) -> None:
    """Every connector's numbers are 0, 1, 2 …, and the numbers of one run stand together."""
    for name, written in group.numbers().items():
        assert [entry["number"] for entry in written] == list(range(len(written))), name
        runs = [entry["run"] for entry in written]
        changes = [run for place, run in enumerate(runs) if place == 0 or runs[place - 1] != run]
        assert len(changes) == len(set(changes)), f"two runs of {name} wrote by turns"


def alone(group: Group, crashed: dict[str, float]) -> None:
    """No two runs of a task overlap; one of a worker that was killed, frozen or cut off counts until then."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in group.connectors}
    for process in group.processes:
        begun: dict[str, dict[str, Any]] = {}
        for line in map(json.loads, process.journal.read_text().splitlines()):
            if line["what"] == "begin":
                begun[line["run"]] = line
            else:
                first = begun.pop(line["run"])["at"]
                last = line["at"]
                if process.name in crashed and first < crashed[process.name]:
                    last = min(last, crashed[process.name])
                runs[line["task"]].append((first, last))
        for line in begun.values():
            before = line["at"] < crashed.get(process.name, 0.0)
            runs[line["task"]].append((line["at"], crashed[process.name] if before else float("inf")))
    for name, found in runs.items():
        ordered = sorted(found)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(ordered)), (name, ordered)
