"""Requests about a connector: its name, its life, its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.differential.rest.place import SOURCE, Places, gone, state, state_of, without_tasks
from tests.differential.rest.side import told
from tests.differential.rest.step import Step, get, put, send


def names(places: Places) -> Iterator[Step]:
    """Names that paths and JSON have to escape."""
    given = [
        "x y",
        "Hà Nội",
        "a+b",
        "a.b",
        "a?b",
        "a;b",
        'x"y',
        "a&b=c",
        "a#b",
        "a@b:c",
        "'",
        "日本",
        "é",
        "-",
        "n" * 200,
    ]
    refused = ["x/y", "a%b", "a\\b"]
    for number, name in enumerate([*given, *refused]):
        path = "/connectors/TAG" + quote(name, safe="")
        body = {"name": f"TAG{name}", "config": places.source(f"n{number}"), "initial_state": "STOPPED"}
        yield send("POST", "/connectors", body)
        yield get(path)
        yield get(f"{path}/config")
        yield get(f"{path}/status", until=None if name in refused else state("STOPPED"))
        yield put(f"{path}/config", places.source(f"n{number}"))
        yield send("DELETE", path)
    yield send(
        "POST", "/connectors", {"name": "  TAG-trim  ", "config": places.source("t"), "initial_state": "STOPPED"}
    )
    yield get("/connectors/%20%20TAG-trim")
    yield get("/connectors/TAG-trim/config")
    yield send("DELETE", "/connectors/TAG-trim")
    yield put("/connectors/TAG%20put/config", places.source("p"), view=without_tasks)
    yield get("/connectors/TAG+put/config")
    yield send("DELETE", "/connectors/TAG%20put")
    yield send("POST", "/connectors", {"name": 12, "config": told(places.source("q"), connector_class="nobody")})


def life(places: Places) -> Iterator[Step]:
    """A connector that runs, is paused, stopped, restarted and deleted."""
    one = "/connectors/TAG-a"
    created = {"name": "TAG-a", "config": places.source("a")}
    yield send("POST", "/connectors", created, view=without_tasks)
    yield send("POST", "/connectors", created)
    yield get(f"{one}/status", until=state("RUNNING", "RUNNING"))
    for path in ("", "/config", "/tasks", "/tasks/0/status", "/tasks/1/status", "/tasks/x/status"):
        yield get(one + path)
    for query in ("expand=info", "expand=status", "expand=status&expand=info", "expand=other", "expand=info&expand=x"):
        yield get(f"/connectors?{query}", view=_mine)
    yield get("/connectors", view=lambda body: [name for name in body if name == "TAG-a"])
    yield send("PATCH", f"{one}/offsets", {"offsets": [{"partition": {"server": "TAG_a"}, "offset": {"lsn": 1}}]})
    yield send("DELETE", f"{one}/offsets")
    yield send("POST", f"{one}/tasks/0/restart")
    yield send("POST", f"{one}/tasks/7/restart")
    yield get(f"{one}/status", until=state("RUNNING", "RUNNING"))
    yield send("POST", f"{one}/restart")
    yield get(f"{one}/status", until=state("RUNNING", "RUNNING"))
    for query in ("includeTasks=true&onlyFailed=true", "onlyFailed=true", "includeTasks=true"):
        yield send("POST", f"{one}/restart?{query}")
        yield get(f"{one}/status", until=state("RUNNING", "RUNNING"))
    yield put(f"{one}/pause")
    yield put(f"{one}/pause")
    yield get(f"{one}/status", until=state("PAUSED", "PAUSED"))
    yield send("PATCH", f"{one}/offsets", {"offsets": [{"partition": {"server": "TAG_a"}, "offset": {"lsn": 1}}]})
    yield get(one)
    yield put(f"{one}/topics/reset")
    yield get(f"{one}/topics")
    yield put(f"{one}/resume")
    yield put(f"{one}/resume")
    yield get(f"{one}/status", until=state("RUNNING", "RUNNING"))
    yield put(f"{one}/stop")
    yield put(f"{one}/stop")
    yield get(f"{one}/status", until=state("STOPPED"))
    for path in ("", "/tasks", "/tasks/0/status", "/config"):
        yield get(one + path)
    yield send("POST", f"{one}/tasks/0/restart")
    yield send("POST", f"{one}/restart?includeTasks=true")
    yield put(f"{one}/pause")
    yield get(f"{one}/status", until=lambda answer: state_of(answer) == "PAUSED", view=without_tasks)
    yield send("DELETE", one)
    yield get(f"{one}/status", until=gone)
    yield send("DELETE", one)
    for target in ("PAUSED", "stopped"):
        yield send("POST", "/connectors", {**created, "initial_state": target}, view=without_tasks)
        yield get(f"{one}/status", until=lambda answer, t=target: state_of(answer) == t.upper(), view=without_tasks)  # type: ignore[misc]
        yield send("DELETE", one)
        yield get(f"{one}/status", until=gone)


def _mine(body: Any) -> Any:
    return {name: told for name, told in body.items() if name == "TAG-a"}


def configuration(places: Places) -> Iterator[Step]:
    """Changes of a configuration, whole and in part."""
    one, config = "/connectors/TAG-c/config", places.source("c")
    yield send("POST", "/connectors", {"name": "TAG-c", "config": config, "initial_state": "STOPPED"})
    yield get("/connectors/TAG-c/status", until=state("STOPPED"))
    yield put(one, config)
    yield put(one, told(config, name="TAG-c"))
    yield put(one, told(config, name="TAG-d"))
    yield put(one, told(config, tasks_max=1, errors_log_enable=True, poll_interval_ms=75))
    yield get(one)
    yield get("/connectors/TAG-c")
    for patch in (
        {"tasks.max": "1"},
        {"tasks.max": None},
        {"tasks.max": 0},
        {},
        {"no.such.key": 1.50, "nor.this": True, "or.that": 12345678901234567890},
        {"no.such.key": None, "nor.this": None, "or.that": None, "never.there": None},
        {"connector.class": None},
        {"connector.class": "nobody"},
        {"errors.tolerance": "some"},
        {"name": "TAG-z"},
        {"name": "TAG-c"},
    ):
        yield send("PATCH", one, patch)
        yield get(one)
    yield put(one, told(config, name=None))
    for name in ("PostgresConnector", "Postgres", SOURCE):
        yield put(one, told(config, connector_class=name))
    yield send("POST", "/connectors", {"name": "TAG-c", "config": told(config, tasks_max="0")})
    yield send("POST", "/connectors", {"name": "TAG-twin", "config": config, "initial_state": "STOPPED"})
    yield send("DELETE", "/connectors/TAG-twin")
    yield send("DELETE", "/connectors/TAG-c")
    yield get("/connectors/TAG-c/status", until=gone)
    given = {"name": "TAG-early", "config": config, "initial_state": "STOPPED"}
    pair = {"partition": {"server": "TAG_c"}, "offset": {"lsn": 5}}
    yield send("POST", "/connectors", {**given, "initial_offsets": [pair]})
    yield get("/connectors/TAG-early/offsets")
    yield send("DELETE", "/connectors/TAG-early/offsets")
    yield send("DELETE", "/connectors/TAG-early")
