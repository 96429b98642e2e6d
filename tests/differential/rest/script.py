"""The script: every endpoint, good requests and bad ones, in the order in which a connector lives.

Both connectors are known to both sides under Debezium's class names. A connector that only has to be there is STOPPED.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.differential.rest.side import told
from tests.differential.rest.step import Answer, Step, get, kind, put, send, shape
from tests.differential.rest.view import validation

SOURCE = "io.debezium.connector.postgresql.PostgresConnector"
KINDS = {"source", "sink", "transformation", "predicate"}
SINK = "io.debezium.connector.jdbc.JdbcSinkConnector"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the connectors' servers are; ``topic`` has two partitions with a few records."""

    host: str
    port: str
    user: str
    database: str
    topic: str

    def source(self, name: str) -> dict[str, Any]:
        """A PostgreSQL source; ``name`` of its slot, publication and topics."""
        return {
            "connector.class": SOURCE,
            "database.hostname": self.host,
            "database.port": self.port,
            "database.user": self.user,
            "database.password": "SECRET",
            "database.dbname": self.database,
            "topic.prefix": f"TAG_{name}",
            "plugin.name": "pgoutput",
            "slot.name": f"TAG_{name}",
            "publication.name": f"TAG_{name}",
            "publication.autocreate.mode": "filtered",
            "table.include.list": "public.t",
        }

    def sink(self) -> dict[str, Any]:
        """A sink of ``topic`` that passes over what it can't read."""
        return {
            "connector.class": SINK,
            "connection.url": f"jdbc:postgresql://{self.host}:{self.port}/{self.database}",
            "connection.username": self.user,
            "connection.password": "SECRET",
            "topics": self.topic,
            "insert.mode": "upsert",
            "primary.key.mode": "record_key",
            "schema.evolution": "basic",
            "errors.tolerance": "all",
        }


def script(places: Places) -> Iterator[Step]:
    """Every step, in order."""
    yield from worker()
    yield from nobody()
    yield from unreadable()
    yield from plugins(places)
    yield from invalid(places)
    yield from names(places)
    yield from life(places)
    yield from configuration(places)
    yield from source_offsets(places)
    yield from sink(places)
    yield from loggers()


def state(connector: str, *tasks: str) -> Any:
    """Whether a status has these states."""

    def reached(answer: Answer) -> bool:
        if answer.status != 200:
            return False
        body = answer.body
        return [body["connector"]["state"], *(task["state"] for task in body["tasks"])] == [connector, *tasks]

    return reached


def gone(answer: Answer) -> bool:
    """Whether a connector isn't there any more."""
    return answer.status == 404


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


def plugins(places: Places) -> Iterator[Step]:
    """Connector kinds, their keys, and the validation of configurations."""
    yield get("/connector-plugins", view=shape)
    yield get("/connector-plugins?connectorsOnly=true", view=shape)
    yield get(
        "/connector-plugins?connectorsOnly=false", view=lambda body: sorted({entry["type"] for entry in body} & KINDS)
    )
    yield get("/connector-plugins/org.apache.kafka.connect.transforms.RegexRouter/config", view=_names)
    yield get("/connector-plugins/org.apache.kafka.connect.transforms.predicates.TopicNameMatches/config", view=_names)
    for name in (SOURCE, "PostgresConnector", "Postgres", "JdbcSink"):
        yield get(f"/connector-plugins/{name}/config", view=lambda body: sorted(body[0]))
    yield get(f"/connector-plugins/{SOURCE}/config?version=0.0.1")
    source, sink = places.source("v"), places.sink()
    for kind_, config in ((SOURCE, source), (SINK, sink)):
        path = f"/connector-plugins/{kind_}/config/validate"
        complete = told(config, name="TAG-v")
        yield put(path, complete, view=validation)
        yield put(path, config, view=validation)
        for changes in [*wrong_values(), *right_values()]:
            yield put(path, told(complete, **changes), view=validation)
        yield put(path, told(complete, errors_log_include_messages="true"), view=validation)
        for included in ("nobody", "", None, SINK if kind_ is SOURCE else SOURCE):
            yield put(path, told(complete, connector_class=included))
        yield put(path, told(complete, connector_class=...))
        yield put(path, {})
    yield put("/connector-plugins/PostgresConnector/config/validate", told(source, name="TAG-v"), view=validation)
    yield put("/connector-plugins/nobody/config/validate", told(source, name="TAG-v"))
    yield put("/connector-plugins/nobody/config/validate", {"connector.class": "nobody"})
    yield put("/connector-plugins/nobody/config/validate", {})
    for changes in wrong_topics(places.topic):
        yield put(f"/connector-plugins/{SINK}/config/validate", told(sink, name="TAG-v", **changes), view=validation)


def _names(body: Any) -> Any:
    return sorted(key["name"] for key in body)


def wrong_values() -> list[dict[str, Any]]:
    """Changes of keys that every connector has."""
    return [
        {"name": ""},
        {"name": "a\tb"},
        {"tasks_max": "0"},
        {"tasks_max": "-1"},
        {"errors_tolerance": "some"},
        {"errors_log_enable": "maybe"},
        {"errors_log_enable": None},
        {"errors_retry_timeout": "soon"},
        {"errors_retry_delay_max_ms": "1.5"},
        {"errors_log_include_messages": "x"},
        {"config_action_reload": "later"},
        {"tasks_max_enforce": "x"},
        {"tasks_max": "many"},
        {"tasks_max": "2147483648"},
    ]


def right_values() -> list[dict[str, Any]]:
    """The same with nothing wrong."""
    return [
        {"errors_retry_timeout": "-1"},
        {"errors_tolerance": "all", "errors_log_enable": "TRUE"},
        {"tasks_max": " 2 ", "tasks_max_enforce": True},
        {"no_such_key": "x"},
    ]


def wrong_topics(topic: str) -> list[dict[str, Any]]:
    """Changes of what a sink reads and where its dead letters go."""
    return [
        {"topics": ""},
        {"topics": ...},
        {"topics_regex": "x.*"},
        {"topics": ..., "topics_regex": "x.*"},
        {"topics": ..., "topics_regex": "x.*", "errors_deadletterqueue_topic_name": "xy"},
        {"topics": ..., "topics_regex": "("},
        {"errors_deadletterqueue_topic_name": topic},
        {"errors_deadletterqueue_topic_name": "letters", "errors_deadletterqueue_topic_replication_factor": "x"},
        {"errors_deadletterqueue_topic_name": "letters", "errors_deadletterqueue_context_headers_enable": "x"},
        {"errors_deadletterqueue_topic_replication_factor": "40000"},
    ]


def invalid(places: Places) -> Iterator[Step]:
    """Registrations that are refused."""
    config = places.source("i")
    for changes in (
        {"connector_class": "nobody"},
        {"connector_class": ""},
        {"connector_class": ...},
        {"connector_class": None},
        {"name": "another"},
        {"name": ""},
        *wrong_values()[2:],
    ):
        yield send("POST", "/connectors", {"name": "TAG-i", "config": told(config, **changes)})
        yield put("/connectors/TAG-i/config", told(config, **changes))
    yield send("POST", "/connectors", {"name": "", "config": config})
    yield send("POST", "/connectors", {"name": " ", "config": config})
    yield send("POST", "/connectors", {"config": config})
    yield send("POST", "/connectors", {"name": "TAG-a\tb", "config": config})
    yield put("/connectors/%20/config", config)
    yield put("/connectors/TAG-i/config", {})
    yield get("/connectors/TAG-i")


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
    yield put("/connectors/TAG%20put/config", places.source("p"), view=_without_tasks)
    yield get("/connectors/TAG+put/config")
    yield send("DELETE", "/connectors/TAG%20put")
    yield send("POST", "/connectors", {"name": 12, "config": told(places.source("q"), connector_class="nobody")})


def life(places: Places) -> Iterator[Step]:
    """A connector that runs, is paused, stopped, restarted and deleted."""
    one = "/connectors/TAG-a"
    created = {"name": "TAG-a", "config": places.source("a")}
    yield send("POST", "/connectors", created, view=_without_tasks)
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
    yield get(f"{one}/status", until=lambda answer: state_of(answer) == "PAUSED", view=_without_tasks)
    yield send("DELETE", one)
    yield get(f"{one}/status", until=gone)
    yield send("DELETE", one)
    for target in ("PAUSED", "stopped"):
        yield send("POST", "/connectors", {**created, "initial_state": target}, view=_without_tasks)
        yield get(f"{one}/status", until=lambda answer, t=target: state_of(answer) == t.upper(), view=_without_tasks)  # type: ignore[misc]
        yield send("DELETE", one)
        yield get(f"{one}/status", until=gone)


def state_of(answer: Answer) -> str:
    """The connector's state, or nothing."""
    return str(answer.body["connector"]["state"]) if answer.status == 200 else ""


def _without_tasks(body: Any) -> Any:
    # When they are there is a matter of milliseconds.
    return {**body, "tasks": "not compared"}


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


def source_offsets(places: Places) -> Iterator[Step]:
    """Positions of a source that is stopped."""
    one = "/connectors/TAG-o/offsets"
    yield send("POST", "/connectors", {"name": "TAG-o", "config": places.source("o"), "initial_state": "STOPPED"})
    yield get("/connectors/TAG-o/status", until=state("STOPPED"))
    here = {"server": "TAG_o"}
    yield get(one)
    yield send("DELETE", one)
    for pairs in (
        [(here, {"lsn": 5})],
        [(here, {"lsn": 6, "txId": 7, "ts_usec": 8})],
        [(here, {"lsn": 1}), (here, {"lsn": 2})],
        [(here, None)],
        [(here, {"lsn": 9})],
        [({"server": "another"}, {"lsn": 1})],
        [(here, {"lsn": "x"})],
        [(here, {})],
        [(None, {"lsn": 1})],
    ):
        yield send("PATCH", one, {"offsets": [{"partition": p, "offset": o} for p, o in pairs]})
        # What both sides took; a refused change leaves it.
        if pairs[0][0] == here and (pairs[0][1] is None or isinstance(pairs[0][1].get("lsn"), int)):
            yield get(one)
    yield send("DELETE", one)
    yield get(one)
    yield send("DELETE", "/connectors/TAG-o")
    yield get("/connectors/TAG-o/status", until=gone)


def sink(places: Places) -> Iterator[Step]:
    """A sink: its positions while stopped, then running to its topic's end."""
    one, topic = "/connectors/TAG-s", places.topic
    path = f"{one}/offsets"
    yield send("POST", "/connectors", {"name": "TAG-s", "config": places.sink(), "initial_state": "STOPPED"})
    yield get(f"{one}/status", until=state("STOPPED"))
    yield get(path, view=_sorted)
    yield send("DELETE", path)
    first, second = ({"kafka_topic": topic, "kafka_partition": number} for number in (0, 1))
    for partition, offset in (
        (first, {"kafka_offset": 2}),
        ({**second, "kafka_partition": "1"}, {"kafka_offset": "1"}),
        (first, {"kafka_offset": 1, "more": 2}),
        ({}, {"kafka_offset": 2}),
        (None, {"kafka_offset": 2}),
        ({"kafka_topic": topic}, {"kafka_offset": 2}),
        ({**first, "kafka_topic": None}, {"kafka_offset": 2}),
        ({**first, "kafka_partition": None}, {"kafka_offset": 2}),
        ({**first, "kafka_partition": "x"}, {"kafka_offset": 2}),
        ({**first, "kafka_partition": 1.5}, {"kafka_offset": 2}),
        (first, {}),
        (first, {"kafka_offset": "x"}),
        (first, {"kafka_offset": None}),
        (first, {"kafka_offset": -1}),
        ({**first, "kafka_partition": 9}, {"kafka_offset": 1}),
        ({**first, "kafka_topic": "TAG-no-topic"}, {"kafka_offset": 1}),
        (second, None),
    ):
        yield send("PATCH", path, {"offsets": [{"partition": partition, "offset": offset}]})
        yield get(path, view=_sorted)
    yield send("DELETE", path)
    yield get(path, view=_sorted)
    yield send("PATCH", path, {"offsets": [{"partition": first, "offset": {"kafka_offset": 1}}]})
    yield put(f"{one}/resume")
    yield get(f"{one}/status", until=state("RUNNING", "RUNNING"))
    yield get(
        path, view=_sorted, until=lambda answer: sum(o["offset"]["kafka_offset"] for o in answer.body["offsets"]) == 5
    )
    yield get(f"{one}/tasks")
    yield send("DELETE", path)
    yield put(f"{one}/stop")
    yield get(f"{one}/status", until=state("STOPPED"))
    for changes in wrong_topics(topic)[:3]:
        yield put(f"{one}/config", told(places.sink(), **changes))
    yield send("DELETE", path)
    yield send("DELETE", one)
    yield get(f"{one}/status", until=gone)


def _sorted(body: Any) -> Any:
    return sorted(body["offsets"], key=str) if "offsets" in body else body


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
