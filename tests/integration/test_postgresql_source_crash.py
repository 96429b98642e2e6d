"""SIGKILL of the connector, of PostgreSQL and of the broker under load: the topic is the source's history.

Rounds: 3, or as many as ``DONGBO_TEST_CRASH_ROUNDS`` says (`make test-crash` runs 20). Every writing transaction notes
its changes in a table that isn't captured; in the end the committed topic must hold exactly these, per key in order.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sync.embedded.stack import Stack
from sync.kafka.client import read_all
from tests.integration.capturing import Source

ROUNDS = int(os.environ.get("DONGBO_TEST_CRASH_ROUNDS", "3"))
VICTIMS = ("connector", "postgres", "kafka")
_KEYS = 300
_SECONDS = 120

SCHEMA = (
    "create table can_bo (id int primary key, version int, ho_ten text)",
    "create table lich_su (at bigserial primary key, id int, op text, version int)",
)


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that may be broken."""
    own = Stack(tmp_path / "stack", lifetime="parent")
    own.up()
    yield own
    own.reset()


class Load:
    """Writes in transactions of one to some hundred changes, whatever happens to the server."""

    def __init__(self, dsn: str, seed: int) -> None:
        self._dsn = dsn
        self._random = random.Random(seed)
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._halt.is_set():
            try:
                with psycopg.connect(self._dsn) as connection:
                    while not self._halt.is_set():
                        self._transaction(connection)
            except psycopg.Error:
                # Killed: whether the transaction was committed, the history tells.
                self._halt.wait(0.05)

    def _transaction(self, connection: psycopg.Connection[Any]) -> None:
        keys = self._random.sample(range(_KEYS), self._random.choice((1, 2, 20, _KEYS)))
        with connection.transaction():
            connection.execute(
                "with had as (select id, version from can_bo where id = any(%(keys)s) for update),"
                " gone as (delete from can_bo where id in (select id from had where (id + version) %% 7 = 0)"
                "   returning id, 'd' op, version),"
                " changed as (update can_bo c set version = c.version + 1, ho_ten = repeat('x', %(size)s)"
                "   from had where c.id = had.id and (had.id + had.version) %% 7 <> 0 returning c.id, 'u', c.version),"
                " made as (insert into can_bo select k, 1 + coalesce((select max(version) from lich_su l"
                "     where l.id = k), 0), 'mới' from unnest(%(keys)s::int[]) k where k not in (select id from had)"
                "   returning id, 'c', version)"
                " insert into lich_su (id, op, version)"
                " select * from gone union all select * from changed union all select * from made",
                {"keys": keys, "size": self._random.randrange(200)},
            )


class Connector:
    """The connector's process, begun anew whenever it ended, as a worker would."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._process: subprocess.Popen[bytes] | None = None

    def keep_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = self._source.spawn()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def history(dsn: str) -> dict[int, list[tuple[str, int]]]:
    """Return what was committed in the source: key → (op, version) in order."""
    found: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    with psycopg.connect(dsn) as connection:
        for key, op, version in connection.execute("select id, op, version from lich_su order by at"):
            found[key].append((op, version))
    return found


def captured(source: Source) -> dict[int, list[tuple[str, int]]]:
    """Return the same of the committed topic; a tombstone must follow each delete."""
    found: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    for key, value in source.read():
        events = found[key["id"]]
        if value is None:
            assert events[-1][0] == "d"
        else:
            row = value["before"] if value["op"] == "d" else value["after"]
            events.append((value["op"], row["version"]))
    return found


def await_progress(source: Source, connector: Connector, more: int) -> None:
    """Wait until so many more records are committed."""
    goal = source.started() + more
    deadline = time.monotonic() + _SECONDS
    while source.started() < goal:
        connector.keep_alive()
        assert time.monotonic() < deadline, f"less than {more} records in {_SECONDS} s"
        time.sleep(0.02)


def await_all(source: Source, connector: Connector) -> None:
    """Wait until the server was told that its whole log is captured."""
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        end = connection.execute("select (pg_current_wal_flush_lsn() - '0/0')::int8").fetchone()
        assert end is not None
        deadline = time.monotonic() + _SECONDS
        while (source.slot() or (0,))[0] < end[0]:
            connector.keep_alive()
            assert time.monotonic() < deadline, f"the log was not captured in {_SECONDS} s"
            time.sleep(0.05)


@pytest.mark.timeout(300 + 60 * ROUNDS)
def test_given_kills_of_everything_at_any_instant_then_the_topic_is_the_history_of_the_source(own_stack: Stack) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    endpoints = own_stack.endpoints()
    source = Source(endpoints.postgres_dsn("postgres"), endpoints.bootstrap, endpoints.registry_url)
    source.execute(*SCHEMA, "alter table can_bo replica identity full")
    source.config |= {"max.batch.size": 200, "snapshot.mode": "no_data", "heartbeat.interval.ms": 200}
    connector = Connector(source)
    connector.keep_alive()
    deadline = time.monotonic() + _SECONDS
    while source.slot() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    try:
        with Load(source.dsn, seed):
            for turn in range(ROUNDS):
                await_progress(source, connector, chance.randrange(50, 3000))
                # Anywhere between two commits, and within one.
                time.sleep(chance.random() / 5)
                victim = VICTIMS[turn % len(VICTIMS)]
                if victim == "connector":
                    connector.kill()
                else:
                    own_stack.kill(victim)
                    own_stack.restart(victim)
            await_progress(source, connector, 500)
        await_all(source, connector)
    finally:
        connector.kill()
    expected = history(source.dsn)
    assert captured(source) == expected
    source.registry.close()
    changes = sum(map(len, expected.values()))
    print(f"{ROUNDS} rounds, {changes} changes, {len(list(read_all(source.kafka, source.topic)))} records")
