"""The bridge between librdkafka and Faust on a real broker: exactly once, whatever dies."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest

from sync.kafka.client import Topic, committed_offsets, ensure_topics, producer, read_all

pytestmark = pytest.mark.integration

RECORDS, KEYS = 20_000, 50


def start(bootstrap: str, name: str, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.bridge_worker", bootstrap, name, f"{name}.out", str(folder)]
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([*command, *more], cwd=Path(__file__).parents[2], stderr=log)


def produce(bootstrap: str, name: str, numbers: range) -> None:
    client = producer(bootstrap)
    for number in numbers:
        client.produce(name, b"%d" % number, b"k%d" % (number % KEYS))
        if number % 1000 == 0:
            client.poll(0)
    assert client.flush(30) == 0


def fill(bootstrap: str, name: str) -> None:
    ensure_topics(bootstrap, [Topic(name, 2), Topic(f"{name}.out", 2), Topic(f"{name}.seen", 2, compacted=True)])
    produce(bootstrap, name, range(RECORDS))


def done(bootstrap: str, name: str) -> int:
    return sum(committed_offsets(bootstrap, f"{name}-copy").values())


def wait_for(bootstrap: str, name: str, worker: subprocess.Popen[bytes], target: int) -> None:
    """Poll the group's committed offsets until ``target`` records are done."""
    deadline = time.monotonic() + 90
    while done(bootstrap, name) < target:
        assert time.monotonic() < deadline, "the worker makes no progress"
        assert worker.poll() is None, f"the worker ended with {worker.returncode}"
        time.sleep(0.05)


def check(bootstrap: str, name: str, records: int) -> None:
    """Each record once, per partition in the source's order, and each key's count without a gap or a repeat."""
    source: dict[int, list[bytes]] = {0: [], 1: []}
    for message in read_all(bootstrap, name):
        source[message.partition() or 0].append(message.value() or b"")
    target: dict[int, list[bytes]] = {0: [], 1: []}
    seen: Counter[bytes] = Counter()
    for message in read_all(bootstrap, f"{name}.out"):
        number, count = (message.value() or b"").split()
        target[message.partition() or 0].append(number)
        key = message.key() or b""
        seen[key] += 1
        assert int(count) == seen[key]
    assert target == source
    assert sum(seen.values()) == records


def test_each_record_is_processed_once_although_the_worker_is_killed(kafka: str, tmp_path: Path) -> None:
    name = f"bridge-{uuid.uuid4().hex[:8]}"
    fill(kafka, name)
    instants = random.Random(7)
    worker = start(kafka, name, tmp_path)
    try:
        for _ in range(3):
            before = done(kafka, name)
            wait_for(kafka, name, worker, min(before + instants.randrange(1, 4000), RECORDS))
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
            worker = start(kafka, name, tmp_path)
        # One more, so that it is this worker that has done the last: it is up when it is told to stop.
        produce(kafka, name, range(RECORDS, RECORDS + 1))
        wait_for(kafka, name, worker, RECORDS + 1)
        worker.terminate()
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.wait(10)
    check(kafka, name, RECORDS + 1)


def test_state_comes_back_from_the_topic_when_the_disk_is_lost(kafka: str, tmp_path: Path) -> None:
    name = f"bridge-{uuid.uuid4().hex[:8]}"
    fill(kafka, name)
    worker = start(kafka, name, tmp_path / "first")
    try:
        wait_for(kafka, name, worker, 2000)
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
        worker = start(kafka, name, tmp_path / "second", "fail-once")
        wait_for(kafka, name, worker, RECORDS)
    finally:
        worker.kill()
        worker.wait(10)
    assert "Told to fail once." in (tmp_path / "second" / "log").read_text()
    check(kafka, name, RECORDS)


def test_a_commit_that_fails_takes_the_batch_after_it_along(kafka: str, tmp_path: Path) -> None:
    name = f"bridge-{uuid.uuid4().hex[:8]}"
    fill(kafka, name)
    worker = start(kafka, name, tmp_path, "lose-third")
    try:
        wait_for(kafka, name, worker, RECORDS)
    finally:
        worker.kill()
        worker.wait(10)
    assert "Told to fail the third commit." in (tmp_path / "log").read_text()
    check(kafka, name, RECORDS)


def test_state_that_is_wanted_later_beside_partitions_already_read_is_there_at_once(kafka: str, tmp_path: Path) -> None:
    name = f"bridge-{uuid.uuid4().hex[:8]}"
    fill(kafka, name)
    ensure_topics(kafka, [Topic(f"{name}.more", 2), Topic(f"{name}.wide", 2, compacted=True)])
    produce(kafka, f"{name}.more", range(KEYS))
    worker = start(kafka, name, tmp_path, "widen")
    try:
        wait_for(kafka, name, worker, RECORDS + KEYS)
    finally:
        worker.kill()
        worker.wait(10)
    assert sum(1 for _ in read_all(kafka, f"{name}.out")) == RECORDS + KEYS
    assert {message.key() for message in read_all(kafka, f"{name}.wide")} >= {b"again"}
