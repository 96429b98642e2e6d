"""Workers of one group: three processes share twelve connectors through kills, joins, freezes and stops.

At every moment each task runs at most once, within ten seconds of a disturbance exactly once, and the numbers that the
tasks write (``light_worker``) are in their topic without gap or repetition.
"""

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sync.connect.client import Client
from sync.errors import SyncError
from sync.kafka.client import Topic, ensure_topics, read_all
from tests.eventually import eventually

HEAL = float(os.environ.get("DONGBO_TEST_HEAL_SECONDS", "60"))
"""Seconds after which every task must run again. ``make test-group`` sets the ten that a machine not busy with other
tests needs at most; here they only keep the test from waiting for ever."""

EVEN = HEAL + 10
"""Seconds after which workers must have equally many tasks."""

# Names of this test's own: a transactional id has the connector's name, and tests may share a broker.
OWN = uuid.uuid4().hex[:8]
CONNECTORS = [f"counter-{OWN}-{number:02d}" for number in range(12)]


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

    def wait_until_healthy(self) -> Process:
        assert eventually(self.healthy), self.log.read_text()
        return self


@dataclass
class Group:
    """A group of worker processes, its topics and what its tasks have written."""

    bootstrap: str
    folder: Path
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    processes: list[Process] = field(default_factory=list)

    @property
    def topic(self) -> str:
        return f"{self.name}-numbers"

    def add(self, name: str) -> Process:
        log, journal = self.folder / f"{name}.log", self.folder / f"{name}.journal"
        journal.touch()
        command = [sys.executable, "-m", "tests.integration.light_worker", self.bootstrap, self.name, name]
        with log.open("ab") as output:
            process = subprocess.Popen([*command, str(journal)], stdout=output, stderr=output)
        self.processes.append(Process(name, process, log, journal))
        return self.processes[-1]

    def numbers(self) -> dict[str, list[dict[str, Any]]]:
        """What each connector has written, in order."""
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONNECTORS}
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
                if sorted(told) != CONNECTORS:
                    return False
            return all(
                written and written[-1]["worker"] in names and written[-1]["at"] > since
                for written in self.numbers().values()
            )

        healed = eventually(running, since + HEAL - time.monotonic())
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


@pytest.fixture
def group(kafka: str, tmp_path: Path) -> Iterator[Group]:
    group = Group(kafka, tmp_path)
    ensure_topics(kafka, [Topic(group.topic)])
    yield group
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
    """No two runs of a task overlap; a run of a worker that was killed or frozen counts until then."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in CONNECTORS}
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
            runs[line["task"]].append((line["at"], crashed.get(process.name, float("inf"))))
    for name, found in runs.items():
        ordered = sorted(found)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(ordered)), (name, ordered)


def test_workers_share_tasks_through_kill_join_freeze_and_stop(group: Group) -> None:
    crashed: dict[str, float] = {}
    one = group.add("one").wait_until_healthy()
    two = group.add("two").wait_until_healthy()
    with Client(two.url) as client:
        # Some of these are answered by another worker than the one that is asked.
        for name in CONNECTORS:
            client.apply(name, {"connector.class": "test.Counter", "topic": group.topic})
    began = time.monotonic()
    assert group.heals([one, two], began), group.logs()
    assert eventually(lambda: group.even([one, two]), EVEN), group.logs()

    three = group.add("three").wait_until_healthy()
    joined = time.monotonic()
    assert group.heals([one, two, three], joined), group.logs()
    assert eventually(lambda: group.even([one, two, three]), EVEN), group.logs()

    crashed["two"] = time.monotonic()
    two.process.kill()
    assert group.heals([one, three], crashed["two"]), group.logs()

    # The leader is cut off from the broker for longer than the group waits for it.
    crashed["one"] = time.monotonic()
    one.process.send_signal(signal.SIGSTOP)
    assert group.heals([three], crashed["one"]), group.logs()
    with Client(three.url) as client:
        client.pause(CONNECTORS[0])
        client.resume(CONNECTORS[0])
    one.process.send_signal(signal.SIGCONT)
    thawed = time.monotonic()
    assert group.heals([one, three], thawed), group.logs()
    assert eventually(lambda: group.even([one, three]), EVEN), group.logs()

    stopped = time.monotonic()
    three.process.terminate()
    assert three.process.wait(HEAL) == 0, group.logs()
    assert group.heals([one], stopped), group.logs()

    one.process.terminate()
    assert one.process.wait(HEAL) == 0, group.logs()
    counted(group)
    alone(group, crashed)
