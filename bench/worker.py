"""What a worker costs at rest and how quickly its API answers: ``make bench-worker``, ``python -m bench.worker``.

On a fresh embedded stack: CPU and memory of one worker whose connectors have nothing to do (PostgreSQL sinks, then
in another process sources), then the time of API calls once many more are registered (stopped ones). Prints a table
and writes ``bench/results/worker.json``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import httpx
import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bench import peer
from bench.capture_side import Dongbo
from bench.option import DATA_DIR, RESULTS, DataDir, Output, end, running
from bench.ours import sink_config
from bench.program import register
from bench.version import versions
from sync.connect.client import Client
from sync.embedded.endpoint import Endpoints
from sync.embedded.stack import Stack
from sync.errors import Refused, Unavailable
from sync.kafka.client import Topic, ensure_topics

RESULT = RESULTS / "worker.json"
DATABASE = "idle"
_QUIET, _SETTLING = 60, 600
"""Seconds without log that are rest, and how long it may take until they begin."""


def main(
    idle: Annotated[int, typer.Option(min=1, help="Connectors that run; the server has 64 slots for them.")] = 50,
    registered: Annotated[int, typer.Option(min=1, help="Connectors registered when calls are timed.")] = 200,
    seconds: Annotated[int, typer.Option(min=1, help="How long the idle worker is watched.")] = 60,
    calls: Annotated[int, typer.Option(min=3, help="How often each call is made.")] = 30,
    data_dir: DataDir = DATA_DIR,
    output: Output = RESULT,
) -> None:
    """Measure one worker of this machine."""
    console = Console(stderr=True)
    stack = Stack(data_dir, lifetime="parent")
    with running(stack, console):
        stack.reset()
        endpoints = stack.up()
        told = versions(endpoints)
        found = measure(endpoints, stack.data_dir, idle, max(idle, registered), seconds, calls)
    end(stack)
    show(Console(), found)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"versions": told, "result": found}, indent=2) + "\n", encoding="utf-8")
    console.print(f"written to {output}", highlight=False)


def measure(
    endpoints: Endpoints, data_dir: Path, idle: int, registered: int, seconds: int, calls: int
) -> dict[str, Any]:
    """By kind, ``cpu_share`` of one core and ``rss`` (bytes) of a worker at rest; ``call_ms``: medians by call."""
    names = [f"bench_{number:03d}" for number in range(registered)]
    configs = {name: _config(endpoints, name) for name in names}
    _tables(endpoints, names)
    rest = {"sinks": _sinks_at_rest(endpoints, data_dir, names[:idle], seconds)}
    side = Dongbo(data_dir, endpoints)
    side.start()
    try:
        register(side.url, {name: configs[name] for name in names[:idle]}, side.programs.check)
        _await_rest(endpoints)
        rest["sources"] = _rest(side, seconds)
        with httpx.Client(base_url=side.url, trust_env=False, timeout=60) as client:
            for name in names[idle:]:
                sent = {"name": name, "config": configs[name], "initial_state": "STOPPED"}
                _call(client, "POST", "/connectors", sent)
            timed = {
                what: median(_timed(call) for _ in range(calls)) * 1000
                for what, call in _calls(client, names, configs).items()
            }
    finally:
        side.programs.stop()
    return {"idle": idle, "registered": registered, "rest": rest, "call_ms": timed}


def _sinks_at_rest(endpoints: Endpoints, data_dir: Path, names: list[str], seconds: int) -> dict[str, float]:
    """Watch a worker whose connectors are sinks of empty topics, in a group that ends with it."""
    topics = {name: f"empty.{name}" for name in names}
    ensure_topics(endpoints.bootstrap, [Topic(topic) for topic in topics.values()])
    configs = {
        f"sink_{name}": sink_config(endpoints, DATABASE, topic, f"public.{name}") for name, topic in topics.items()
    }
    side = Dongbo(data_dir, endpoints)
    side.start()
    try:
        register(side.url, configs, side.programs.check)
        found = _rest(side, seconds)
        with Client(side.url) as client:
            for name in configs:
                client.delete(name)
        return found
    finally:
        side.programs.stop()


def _await_rest(endpoints: Endpoints) -> None:
    """Return when the server has written no log for a minute; autovacuum comes by once a minute while tables are new.

    Each record of the log, whosever it is, wakes every source, which confirms and commits the new position.
    """
    deadline, rested, seen = time.monotonic() + _SETTLING, time.monotonic(), -1
    with psycopg.connect(endpoints.postgres_dsn("postgres"), autocommit=True) as connection:
        while time.monotonic() < rested + _QUIET:
            if time.monotonic() > deadline:
                raise Unavailable(f"PostgreSQL still writes log {_SETTLING} s after the sources began to follow it.")
            row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
            if row is not None and row[0] != seen:
                rested, seen = time.monotonic(), row[0]
            time.sleep(1)


def _rest(side: Dongbo, seconds: int) -> dict[str, float]:
    # Snapshots are over once all tasks run; what follows is rest. The first look is after a moment of it.
    time.sleep(15)
    began, before = time.monotonic(), side.programs.cpu()["worker"]
    time.sleep(seconds)
    spent = side.programs.cpu()["worker"] - before
    return {"cpu_share": spent / (time.monotonic() - began), "rss": side.programs.rss()["worker"]}


def _calls(
    client: httpx.Client, names: list[str], configs: Mapping[str, Mapping[str, str]]
) -> dict[str, Callable[[], object]]:
    running, stopped = names[0], names[-1]
    targets = iter(["pause", "resume"] * 10_000)
    tasks = iter(range(1, 1_000_000))
    return {
        "GET /connectors": lambda: _call(client, "GET", "/connectors"),
        "GET /connectors?expand=info&expand=status": lambda: _call(
            client, "GET", "/connectors?expand=info&expand=status"
        ),
        "GET /connectors/{c}": lambda: _call(client, "GET", f"/connectors/{running}"),
        "GET /connectors/{c}/config": lambda: _call(client, "GET", f"/connectors/{running}/config"),
        "GET /connectors/{c}/status": lambda: _call(client, "GET", f"/connectors/{running}/status"),
        "PUT /connectors/{c}/pause, resume": lambda: _call(client, "PUT", f"/connectors/{running}/{next(targets)}"),
        "POST /connectors/{c}/restart": lambda: _call(client, "POST", f"/connectors/{running}/restart"),
        "PUT /connectors/{c}/config": lambda: _call(
            client, "PUT", f"/connectors/{stopped}/config", {**configs[stopped], "poll.interval.ms": str(next(tasks))}
        ),
    }


def _call(client: httpx.Client, method: str, path: str, content: object = None) -> object:
    answer = client.request(method, path, json=content)
    if not answer.is_success:
        raise Refused(f"{method} {path}: HTTP {answer.status_code}: {answer.text[:500]}")
    return answer


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _config(endpoints: Endpoints, name: str) -> dict[str, str]:
    return peer.source_config(endpoints, DATABASE, name, **{"topic.prefix": name})


def _tables(endpoints: Endpoints, names: list[str]) -> None:
    with psycopg.connect(endpoints.postgres_dsn("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    with psycopg.connect(endpoints.postgres_dsn(DATABASE)) as connection:
        for name in names:
            connection.execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, name text)".encode())


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Print the figures beside what is aimed at."""
    table = Table("", "measured", "aim")
    for kind, rest in found["rest"].items():
        at_rest = f"a worker with {found['idle']} idle {kind}"
        table.add_row(f"{at_rest}: CPU", f"{rest['cpu_share']:.1%} of a core", "< 2 %")
        table.add_row(f"{at_rest}: memory", f"{rest['rss'] / 1e6:.0f} MB", "< 400 MB")
    for what, ms in found["call_ms"].items():
        table.add_row(f"{what}, {found['registered']} registered: median", f"{ms:.1f} ms", "< 50 ms")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
