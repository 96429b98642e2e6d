"""Requests about connector kinds: their keys, validation, and registrations that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.differential.rest.place import SINK, SOURCE, Places
from tests.differential.rest.side import told
from tests.differential.rest.step import Step, get, put, send, shape
from tests.differential.rest.view import validation

KINDS = {"source", "sink", "transformation", "predicate"}


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
