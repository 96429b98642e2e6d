"""The embedded stack on real processes: its life, its owner's death, its ports, its faults."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest

from sync.embedded import process
from sync.embedded.endpoint import Endpoints
from sync.embedded.port import HOST
from sync.embedded.stack import Stack
from sync.errors import ConfigError
from sync.kafka.client import Topic, ensure_topics, producer, read_all

PARTS = ("kafka", "postgres", "registry")
_OWNER = """
import sys
from pathlib import Path
from sync.embedded.stack import Stack

Stack(Path(sys.argv[1]), lifetime=sys.argv[2]).up()
print("up", flush=True)
sys.stdin.read()
"""


def children(data_dir: Path) -> dict[str, process.Child]:
    found = {name: process.load(data_dir / "run" / f"{name}.json") for name in PARTS}
    return {name: child for name, child in found.items() if child is not None}


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def owner(data_dir: Path, lifetime: str) -> subprocess.Popen[bytes]:
    """Another process that brings the stack up and waits."""
    made = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(data_dir), lifetime],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=process.environment(),
    )
    assert made.stdout is not None
    assert made.stdout.readline() == b"up\n"
    return made


def end(made: subprocess.Popen[bytes]) -> None:
    made.kill()
    made.communicate()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that these tests may break; each test begins by bringing it up."""
    stack = Stack(tmp_path_factory.mktemp("own") / "stack", lifetime="parent")
    yield stack
    stack.reset()


def held(endpoints: Endpoints) -> Endpoints:
    """Without the port for a worker's REST API: nobody holds it, so another program may take it between two starts."""
    return replace(endpoints, rest_port=0)


def test_coming_up_again_changes_nothing_and_going_down_keeps_the_data(own: Stack) -> None:
    endpoints = own.up()
    before = children(own.data_dir)
    began = time.monotonic()
    assert held(own.up()) == held(endpoints)
    assert held(Stack(own.data_dir, lifetime="parent").up()) == held(endpoints)
    assert time.monotonic() - began < 10
    assert children(own.data_dir) == before
    assert all(part.running and part.healthy for part in own.status())

    ensure_topics(endpoints.bootstrap, [Topic("kept")])
    sender = producer(endpoints.bootstrap)
    sender.produce("kept", b"value")
    sender.flush()
    with psycopg.connect(endpoints.postgres_dsn()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    schema = {"schema": '"string"'}
    httpx.post(f"{endpoints.registry_url}/subjects/kept/versions", json=schema)

    own.down()
    own.down()
    assert not any(part.running for part in own.status())
    again = own.up()
    assert held(again) == held(endpoints)
    assert [message.value() for message in read_all(again.bootstrap, "kept")] == [b"value"]
    with psycopg.connect(again.postgres_dsn()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert httpx.get(f"{again.registry_url}/subjects").json() == ["kept"]


def test_a_killed_part_is_seen_and_comes_back_on_the_same_port_with_its_data(own: Stack) -> None:
    endpoints = own.up()
    ensure_topics(endpoints.bootstrap, [Topic("before")])
    sender = producer(endpoints.bootstrap)
    sender.produce("before", b"value")
    sender.flush()
    with psycopg.connect(endpoints.postgres_dsn()) as connection:
        connection.execute("CREATE TABLE before AS SELECT 1 AS one")
    for name in PARTS:
        own.kill(name)
        assert [part.name for part in own.status() if not part.healthy] == [name]
        own.restart(name)
    assert held(own.endpoints()) == held(endpoints)
    assert all(part.healthy for part in own.status())
    assert [message.value() for message in read_all(endpoints.bootstrap, "before")] == [b"value"]
    with psycopg.connect(endpoints.postgres_dsn()) as connection:
        assert connection.execute("SELECT one FROM before").fetchone() == (1,)
    for name in PARTS:
        own.kill(name)
    assert held(own.up()) == held(endpoints), "coming up repairs what is down"


def test_a_killed_owner_leaves_nobody_behind(tmp_path: Path) -> None:
    data_dir = tmp_path / "stack"
    made = owner(data_dir, "parent")
    parts = children(data_dir)
    watchdog = process.load(data_dir / "watchdog.json")
    assert watchdog is not None
    assert len(parts) == len(PARTS)
    assert all(child.alive() for child in parts.values())
    end(made)
    until(lambda: not any(child.alive() for child in [*parts.values(), watchdog]))
    ports = Stack(data_dir).endpoints()
    with pytest.raises(OSError):
        socket.create_connection((HOST, ports.postgres_port), timeout=2)


def test_a_stack_can_be_taken_up_the_moment_its_owner_was_killed(tmp_path: Path) -> None:
    data_dir = tmp_path / "stack"
    made = owner(data_dir, "parent")
    before = children(data_dir)
    end(made)
    heir = Stack(data_dir, lifetime="parent")
    try:
        heir.up()
        until(lambda: not any(child.alive() for child in before.values()))
        assert all(part.healthy for part in heir.status()), "the old watchdog ends nothing of the heir's"
    finally:
        heir.reset()


def test_a_detached_stack_outlives_its_command_and_is_adopted_by_the_next(tmp_path: Path) -> None:
    data_dir = tmp_path / "stack"
    made = owner(data_dir, "detached")
    parts = children(data_dir)
    end(made)
    next_command = Stack(data_dir)
    try:
        assert all(part.healthy for part in next_command.status())
        next_command.up()
        assert children(data_dir) == parts
        next_command.down()
        assert not any(child.alive() for child in parts.values())
    finally:
        next_command.reset()


def test_parts_whose_start_was_cut_off_are_adopted_or_replaced(own: Stack) -> None:
    endpoints = own.up()
    kafka = children(own.data_dir)["kafka"]
    os.kill(kafka.pid, signal.SIGSTOP)
    os.kill(kafka.pid, signal.SIGCONT)
    own.kill("postgres")
    lost = children(own.data_dir)["registry"]
    (own.data_dir / "run" / "registry.json").write_text("{", encoding="utf-8")
    registry = next(part for part in own.status() if part.name == "registry")
    assert not registry.running
    after = own.up()
    process.kill(lost)
    assert children(own.data_dir)["kafka"] == kafka
    assert after.bootstrap == endpoints.bootstrap
    assert all(part.healthy for part in own.status())


def test_a_recycled_process_id_is_never_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (tmp_path / "run").mkdir()
        process.save(tmp_path / "run" / "kafka.json", process.Child(stranger.pid, "another start"))
        stack = Stack(tmp_path)
        stack.kill("kafka")
        stack.down()
        assert stranger.poll() is None
        stranger.communicate(b"\n")
        assert stranger.returncode == 0


def test_taken_ports_are_passed_over_for_free_ones(tmp_path: Path) -> None:
    own = Stack(tmp_path / "stack", lifetime="parent")
    usual = (9092, 9093, 8081, 5432, 8083)
    holders = []
    for port in usual:
        holder = socket.socket()
        holders.append(holder)
        try:
            holder.bind((HOST, port))
            holder.listen()
        except OSError:
            pass  # somebody else holds it already: as good
    try:
        state = own.up()
        chosen = {
            int(state.bootstrap.rpartition(":")[2]),
            int(state.registry_url.rpartition(":")[2]),
            state.postgres_port,
            state.rest_port,
        }
        assert len(chosen) == 4
        assert not chosen & set(usual)
        assert all(part.healthy for part in own.status())
    finally:
        own.reset()
        for holder in holders:
            holder.close()


def test_another_program_on_our_port_is_not_taken_for_ours(own: Stack) -> None:
    endpoints = own.up()
    own.down()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, endpoints.postgres_port))
        holder.listen()
        assert not any(part.healthy for part in own.status())
        moved = own.up()
        assert moved.postgres_port != endpoints.postgres_port
        assert moved.bootstrap == endpoints.bootstrap


def test_postgres_is_as_capture_needs_it_and_lets_nobody_in_without_a_password(endpoints, stack: Stack) -> None:  # type: ignore[no-untyped-def]
    with psycopg.connect(endpoints.postgres_dsn()) as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN ('wal_level', 'fsync', 'max_replication_slots', "
            "'max_wal_senders', 'server_encoding')"
        ).fetchall()
    assert dict(rows) == {
        "wal_level": "logical",
        "fsync": "on",
        "max_replication_slots": "64",
        "max_wal_senders": "64",
        "server_encoding": "UTF8",
    }
    for password in ("", "password=wrong"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"host={HOST} port={endpoints.postgres_port} user=dongbo dbname=postgres {password}")
    assert (stack.data_dir / "endpoints.json").stat().st_mode & 0o077 == 0


def test_each_test_gets_a_database_of_its_own(database: Callable[[str], str]) -> None:
    one, two = database("Một nơi"), database("Một nơi")
    assert one != two
    with psycopg.connect(one) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('slot_' || current_database(), 'pgoutput')")


def test_a_stack_that_never_was_says_so(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "none")
    assert not any(part.running or part.healthy for part in stack.status())
    with pytest.raises(ConfigError, match="dongbo dev up"):
        stack.endpoints()
    with pytest.raises(ConfigError):
        stack.restart("kafka")
    with pytest.raises(ConfigError, match="kafka"):
        stack.kill("zookeeper")
    stack.down()
    stack.reset()


def test_a_damaged_state_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text(json.dumps({"state": {}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"endpoints\.json"):
        Stack(tmp_path).up()
