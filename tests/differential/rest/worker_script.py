"""Requests that are not about a connector that is there: the worker itself, bad bodies, levels of loggers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.rest.place import SINK, SOURCE
from tests.differential.rest.step import Step, get, kind, put, send, shape


def worker() -> Iterator[Step]:
    """What is not about a connector."""
    yield get("/", view=shape)
    yield get("/health")
    for path in ("/connectors", "/connectors/", "/connectors?expand=info", "/connectors?expand="):
        yield get(path, view=kind)
    yield get("/nothing")
    yield get("/connectors/TAG/nothing")
    yield get("/connectors/TAG/tasks-config")
    for method, path in (("PATCH", "/connectors"), ("PUT", "/connectors"), ("DELETE", "/connectors"), ("POST", "/")):
        yield send(method, path)
    for method, path in (("POST", "/connectors/TAG/pause"), ("GET", "/connectors/TAG/pause"), ("PUT", "/health")):
        yield send(method, path)
    yield send("HEAD", "/connectors")
    for path in ("/openapi.json", "/docs", "/metrics"):
        yield get(path, view=kind)


def nobody() -> Iterator[Step]:
    """Every endpoint of a connector for one that isn't there."""
    one = "/connectors/TAG-nobody"
    for path in ("", "/config", "/status", "/tasks", "/topics", "/offsets", "/tasks/0/status", "/tasks/x/status"):
        yield get(one + path)
    for action in ("pause", "resume", "stop", "topics/reset"):
        yield put(f"{one}/{action}")
    for query in ("", "?includeTasks=true", "?onlyFailed=true", "?includeTasks=maybe", "?includeTasks=TRUE"):
        yield send("POST", f"{one}/restart{query}")
    for task in ("0", "7", "x", "-1", "1.5"):
        yield send("POST", f"{one}/tasks/{task}/restart")
    yield send("DELETE", one)
    yield send("DELETE", f"{one}/offsets")
    yield send("PATCH", f"{one}/offsets", {"offsets": [{"partition": {"server": "x"}, "offset": None}]})
    yield send("PATCH", f"{one}/config", {"a": "b"})
    for path in ("/connector-plugins/nobody/config", "/admin/loggers/nobody"):
        yield get(path)


def unreadable() -> Iterator[Step]:
    """Bodies that are no JSON, of another shape, or not called JSON."""
    bodies = ["", "{", "null", "[]", '"x"', "1", "{]", '{"a":NaN}', '{"a" "b"}']
    places = [
        ("POST", "/connectors"),
        ("PUT", "/connectors/TAG-nobody/config"),
        ("PATCH", "/connectors/TAG-nobody/config"),
        ("PATCH", "/connectors/TAG-nobody/offsets"),
        ("PUT", f"/connector-plugins/{SOURCE}/config/validate"),
        ("PUT", "/admin/loggers/root"),
    ]
    for method, path in places:
        for body in bodies:
            yield send(method, path, body)
        yield send(method, path, "{}", content_type="text/plain")
        yield send(method, path, "{}", content_type="")
        yield send(method, path, "{}", content_type="application/xml")
    for body in (
        {},
        {"name": "TAG-x"},
        {"name": "TAG-x", "config": None},
        {"name": "TAG-x", "config": []},
        {"name": "TAG-x", "config": "x"},
        {"name": "TAG-x", "config": {"k": {"d": 1}}},
        {"name": "TAG-x", "config": {"k": [1]}},
        {"name": {}, "config": {}},
        {"name": "TAG-x", "other": 1, "config": {}},
        {"name": "TAG-x", "config": {"connector.class": SINK}, "initial_state": "ASLEEP"},
        {"name": "TAG-x", "config": {"connector.class": SINK}, "initial_state": {}},
    ):
        yield send("POST", "/connectors", body)
    for body in (
        {"offsets": {}},
        {"offsets": [1]},
        {"offsets": [None]},
        {"offsets": [{"partition": "x"}]},
        {"offsets": [{"partition": {}, "offset": 1}]},
        {"offsets": [{"partition": {}, "more": 1}]},
        {"offsets": [], "more": 1},
    ):
        yield send("PATCH", "/connectors/TAG-nobody/offsets", body)
    for body in ({}, {"offsets": None}, {"offsets": []}):
        yield send("PATCH", "/connectors/TAG-nobody/offsets", body)


def loggers() -> Iterator[Step]:
    """Levels at run time. Names are each side's own."""
    runtime = "/admin/loggers/org.apache.kafka.connect.runtime"
    yield get("/admin/loggers", view=lambda body: shape(next(iter(body.values()))))
    yield get("/admin/loggers/root", view=shape)
    for body in ({"level": "debug"}, {"level": "WARN"}, {"level": "INFO", "more": 1}):
        yield put(runtime, body, view=kind)
    for scope, view in (("worker", kind), ("cluster", None), ("CLUSTER", None), ("other", kind)):
        yield put(f"{runtime}?scope={scope}", {"level": "INFO"}, view=view)
    for body in ({}, {"level": None}, {"level": "LOUD"}, {"level": 1}, {"level": "WARNING"}, {"level": ""}):
        yield put(runtime, body)
        yield put(f"{runtime}?scope=cluster", body)
    for level in ("OFF", "FATAL", "ERROR", "TRACE", "ALL", "INFO"):
        yield put(runtime, {"level": level}, view=kind)
        yield get(runtime, view=lambda body: body["level"])
    yield send("DELETE", runtime)
