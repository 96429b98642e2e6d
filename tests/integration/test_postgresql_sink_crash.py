"""The PostgreSQL sink under SIGKILL and rebalances: each record is written exactly once (invariants 2, 3 and 8).

A trigger notes every write of a row with its transaction, so a record written twice shows even where the row is right.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.sink_stand import Stand, TopicStand

pytestmark = pytest.mark.integration

WORKER = """
import json, signal, sys, threading
from sync.ports import TaskContext
from sync.sink.postgresql import PLUGIN

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
context, values = json.load(sys.stdin)
PLUGIN.task(TaskContext(**context), values).run(stop)
"""

WRITES = """
CREATE TABLE target (id text PRIMARY KEY, name text, n int);
CREATE TABLE writes (id text, op text, n int, xid xid8 DEFAULT pg_current_xact_id());
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO writes VALUES (coalesce(NEW.id, OLD.id), TG_OP, NEW.n); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON target FOR EACH ROW EXECUTE FUNCTION note();
"""


@pytest.fixture
def stand(stand: Stand) -> Stand:
    stand.execute(WRITES)
    return stand


@pytest.fixture
def workers() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait(30)


def spawn(stand: Stand, values: dict[str, Any], task: int = 0) -> subprocess.Popen[bytes]:
    """A task in a process of its own."""
    context = stand.context(task, 2)
    fields = {field.name: getattr(context, field.name) for field in dataclasses.fields(context) if field.compare}
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, cwd=Path(__file__).parents[2], env=dict(os.environ)
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps([fields, values]).encode())
    process.stdin.close()
    return process


def written(stand: Stand) -> int:
    return int(stand.query("SELECT count(*) FROM writes")[0][0])


def produce(topic: TopicStand, keys: int, rounds: int) -> int:
    """Rounds of changes to each key; every third key is deleted at last. Returns the number of records."""
    for version in range(1, rounds + 1):
        topic.rows(*({"id": f"k{i}", "name": "x" * (i % 50), "n": version * 10_000_000 + i} for i in range(keys)))
    gone = [f"k{i}" for i in range(0, keys, 3)]
    topic.delete(*gone)
    return keys * rounds + len(gone)


def test_three_sigkills_in_a_row_neither_lose_nor_repeat_a_record(
    stand: Stand, workers: list[subprocess.Popen[bytes]]
) -> None:
    keys, rounds = 2000, 3
    topic = stand.topic(partitions=3)
    total = produce(topic, keys, rounds)
    # Small batches, so that a kill meets many transactions; each round's keys are apart by more than a batch.
    values = stand.config(topic, batch_size="50")
    dice = random.Random(7)
    for _ in range(3):
        before = written(stand)
        workers.append(spawn(stand, values))
        goal = before + dice.randint(300, 1200)
        stand.until(lambda goal=goal: written(stand) >= goal)  # type: ignore[misc]
        workers[-1].send_signal(signal.SIGKILL)
        workers[-1].wait(30)
    assert written(stand) < total

    workers.append(spawn(stand, values))
    stand.until(lambda: offsets(stand) >= total, seconds=60)

    assert workers[-1].poll() is None
    expected = [(f"k{i}", rounds * 10_000_000 + i) for i in range(keys) if i % 3]
    assert sorted(stand.query("SELECT id, n FROM target")) == sorted(expected)
    repeated = "SELECT id, op, n FROM writes GROUP BY 1, 2, 3 HAVING count(*) > 1"
    assert stand.query(repeated) == []
    backwards = (
        "SELECT id FROM (SELECT id, n, lag(n) OVER (PARTITION BY id ORDER BY xid, n) AS before FROM writes "
        "WHERE op <> 'DELETE') AS w WHERE n <= before"
    )
    assert stand.query(backwards) == []
    workers[-1].terminate()
    assert workers[-1].wait(10) == 0


def offsets(stand: Stand) -> int:
    """Records the target has, counted by its offsets: topics of these tests have no gaps."""
    try:
        return int(stand.query("SELECT coalesce(sum(next_offset), 0)::bigint FROM dongbo_sink_offsets")[0][0])
    except psycopg.errors.UndefinedTable:
        return 0


def test_tasks_that_join_leave_and_die_hand_their_partitions_over_without_loss_or_repetition(
    stand: Stand, workers: list[subprocess.Popen[bytes]]
) -> None:
    keys, rounds = 2000, 4
    topic = stand.topic(partitions=6)
    values = stand.config(topic, batch_size="50")
    workers.append(spawn(stand, values, 0))
    stand.until(lambda: offsets(stand) == 0 and assigned(stand) == 6)
    total = produce(topic, keys, rounds)
    workers.append(spawn(stand, values, 1))
    stand.until(lambda: written(stand) > 1000)
    workers[0].send_signal(signal.SIGKILL)
    workers[0].wait(30)
    workers.append(spawn(stand, values, 0))

    stand.until(lambda: offsets(stand) >= total, seconds=60)

    assert [w.poll() for w in workers[1:]] == [None, None]
    assert stand.query("SELECT id, op, n FROM writes GROUP BY 1, 2, 3 HAVING count(*) > 1") == []
    assert stand.query("SELECT count(*) FROM target") == [(sum(1 for i in range(keys) if i % 3),)]
    for worker in workers[1:]:
        worker.terminate()
        assert worker.wait(10) == 0


def assigned(stand: Stand) -> int:
    try:
        return len(stand.query("SELECT 1 FROM dongbo_sink_offsets"))
    except psycopg.errors.UndefinedTable:
        return 0


def test_a_paused_zombie_cannot_write_after_its_partitions_moved(
    stand: Stand, workers: list[subprocess.Popen[bytes]]
) -> None:
    topic = stand.topic()
    values = stand.config(topic, batch_size="50", consumer_override_session_timeout_ms="6000")
    workers.append(spawn(stand, values, 0))
    topic.rows({"id": "a", "name": "", "n": 1})
    stand.until_rows("SELECT n FROM target", [(1,)])
    workers[0].send_signal(signal.SIGSTOP)
    topic.rows({"id": "a", "name": "", "n": 2}, {"id": "b", "name": "", "n": 2})
    workers.append(spawn(stand, values, 1))
    stand.until_rows("SELECT id, n FROM target ORDER BY id", [("a", 2), ("b", 2)])

    workers[0].send_signal(signal.SIGCONT)
    topic.rows({"id": "c", "name": "", "n": 3})

    stand.until_rows("SELECT id, n FROM target ORDER BY id", [("a", 2), ("b", 2), ("c", 3)])
    assert stand.query("SELECT id, op, n FROM writes GROUP BY 1, 2, 3 HAVING count(*) > 1") == []
    assert [w.poll() for w in workers] == [None, None]
