"""The REST API described as OpenAPI 3.1, and a page that shows it without anything from another host.

Served by ``sync.connect.rest``; a test holds the document against the routes and another plays what it allows against a
worker. Operations are Kafka Connect's, in its terms.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from sync.connect.plugin import installed_version

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Schema, *optional: str, **more: Any) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


def _array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


_STRING: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}
_BOOLEAN: Schema = {"type": "boolean"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_CONNECTOR_STATES = ["UNASSIGNED", "RUNNING", "PAUSED", "STOPPED", "FAILED", "RESTARTING"]
_PLUGIN_TYPES = ["source", "sink", "transformation", "predicate"]
_LEVELS = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"]

_STATE: Schema = {
    "state": {"type": "string", "enum": _CONNECTOR_STATES},
    "worker_id": _STRING,
    "version": _STRING,
    "trace": {"type": "string", "description": "Why it is FAILED or RESTARTING; no record's value."},
}

SCHEMAS: dict[str, Schema] = {
    "Error": _object({"error_code": _INTEGER, "message": _STRING}),
    "Message": _object({"message": _STRING}),
    "Worker": _object({"version": _STRING, "commit": _STRING, "kafka_cluster_id": _STRING}),
    "Health": _object({"status": {"type": "string", "enum": ["healthy", "starting", "unhealthy"]}, "message": _STRING}),
    "Config": {
        "type": "object",
        "description": "Keys and values; numbers and booleans become text. Clear passwords come back masked.",
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    },
    "TaskId": _object({"connector": _STRING, "task": _INTEGER}),
    "Connector": _object(
        {
            "name": _STRING,
            "config": {"type": "object", "additionalProperties": _STRING},
            "tasks": _array(_ref("TaskId")),
            "type": {"type": "string", "enum": ["source", "sink", "unknown"]},
        }
    ),
    "Creation": _object(
        {
            "name": _STRING,
            "config": _ref("Config"),
            "initial_state": {"type": "string", "enum": ["RUNNING", "PAUSED", "STOPPED"]},
            "initial_offsets": _array(_ref("Offset"), description="As in PATCH …/offsets. Not in Kafka Connect 4.1."),
        },
        "initial_state",
        "initial_offsets",
        additionalProperties=False,
    ),
    "ConnectorState": _object(_STATE, "trace"),
    "TaskState": _object({"id": _INTEGER, **_STATE, "snapshot": _ref("Snapshot")}, "trace", "snapshot"),
    "Snapshot": _object({"tables": _INTEGER, "tables_remaining": _INTEGER, "rows": _INTEGER}),
    "Status": _object(
        {
            "name": _STRING,
            "connector": _ref("ConnectorState"),
            "tasks": _array(_ref("TaskState")),
            "type": {"type": "string", "enum": ["source", "sink", "unknown"]},
        }
    ),
    "Task": _object({"id": _ref("TaskId"), "config": {"type": "object", "additionalProperties": _STRING}}),
    "Topics": {"type": "object", "additionalProperties": _object({"topics": _array(_STRING)})},
    "Offset": _object(
        {"partition": {"type": ["object", "null"]}, "offset": {"type": ["object", "null"]}},
        "offset",
        additionalProperties=False,
    ),
    "Offsets": _object({"offsets": _array(_ref("Offset"))}, additionalProperties=False),
    "Plugin": _object({"class": _STRING, "type": {"type": "string", "enum": _PLUGIN_TYPES}, "version": _STRING}),
    "Definition": _object(
        {
            "name": _STRING,
            "type": _STRING,
            "required": _BOOLEAN,
            "default_value": _TEXT_OR_NULL,
            "importance": {"type": "string", "enum": ["HIGH", "MEDIUM", "LOW"]},
            "documentation": _STRING,
            "group": _STRING,
            "order": _INTEGER,
            "width": _STRING,
            "display_name": _STRING,
            "dependents": _array(_STRING),
        }
    ),
    "Value": _object(
        {
            "name": _STRING,
            "value": _TEXT_OR_NULL,
            "recommended_values": _array(_STRING),
            "errors": _array(_STRING),
            "visible": _BOOLEAN,
        }
    ),
    "Validation": _object(
        {
            "name": _STRING,
            "error_count": _INTEGER,
            "groups": _array(_STRING),
            "configs": _array(
                _object({"definition": {"anyOf": [_ref("Definition"), {"type": "null"}]}, "value": _ref("Value")})
            ),
        }
    ),
    "Level": _object({"level": {"type": "string", "enum": _LEVELS}}),
    "Logger": _object(
        {
            "level": {"type": "string", "enum": _LEVELS},
            "last_modified": {"type": ["integer", "null"], "description": "Milliseconds since 1970."},
        }
    ),
}

_ERRORS = {
    400: "The request or the configuration is wrong; the message says what.",
    404: "There is no such connector, task, plugin or logger.",
    409: "The name is taken, or the workers are sharing the work out anew: try again.",
    413: "The body is longer than 4 MiB.",
    415: "The body is not application/json.",
    503: "The worker starts or stops, or Kafka or a database does not answer: try again.",
}


def _operation(
    tag: str,
    summary: str,
    answers: dict[int, Schema | str | None],
    errors: tuple[int, ...] = (),
    *,
    body: Schema | None = None,
    query: dict[str, tuple[str, Schema]] | None = None,
) -> Schema:
    """``answers``: status → JSON schema, the media type of something else, or None for an empty body."""
    responses: Schema = {}
    for status, answer in answers.items():
        responses[str(status)] = {"description": summary}
        if isinstance(answer, str):
            responses[str(status)]["content"] = {answer: {"schema": _STRING}}
        elif answer is not None:
            responses[str(status)]["content"] = {"application/json": {"schema": answer}}
    refusals = {*errors, 503, *((400, 413, 415) if body else ())} - answers.keys()
    for status in sorted(refusals):
        content = {"application/json": {"schema": _ref("Error")}}
        responses[str(status)] = {"description": _ERRORS[status], "content": content}
    told: Schema = {"tags": [tag], "summary": summary, "responses": responses}
    if body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if query:
        told["parameters"] = [
            {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
            for name, (text, schema) in query.items()
        ]
    return told


_FLAG = {"type": "boolean", "default": False}
_ONE, _TASK = "/connectors/{name}", "/connectors/{name}/tasks/{task}"


def _connectors() -> dict[tuple[str, str], Schema]:
    tag = "connectors"
    expand = {"expand": ("Tell more of each: by name.", _array({"type": "string", "enum": ["info", "status"]}))}
    listed = {"anyOf": [_array(_STRING), {"type": "object"}]}
    restart = {
        "includeTasks": ("The tasks too.", _FLAG),
        "onlyFailed": ("Only what has failed.", _FLAG),
    }
    made: dict[int, Schema | str | None] = {200: _ref("Connector"), 201: _ref("Connector")}
    changed = _ref("Message")
    return {
        ("GET", "/connectors"): _operation(tag, "The names of the connectors", {200: listed}, query=expand),
        ("POST", "/connectors"): _operation(
            tag, "Create a connector", {201: _ref("Connector")}, (409,), body=_ref("Creation")
        ),
        ("GET", _ONE): _operation(tag, "A connector", {200: _ref("Connector")}, (404,)),
        ("DELETE", _ONE): _operation(tag, "Delete a connector; its offsets stay", {204: None}, (404, 409)),
        ("GET", f"{_ONE}/config"): _operation(tag, "Its configuration as submitted", {200: _ref("Config")}, (404,)),
        ("PUT", f"{_ONE}/config"): _operation(
            tag, "Create, or replace the configuration", made, (409,), body=_ref("Config")
        ),
        ("PATCH", f"{_ONE}/config"): _operation(
            tag, "Change some keys; null removes one", {200: _ref("Connector")}, (404, 409), body=_ref("Config")
        ),
        ("GET", f"{_ONE}/status"): _operation(tag, "The states of it and its tasks", {200: _ref("Status")}, (404,)),
        ("PUT", f"{_ONE}/pause"): _operation(tag, "Pause", {202: None}, (404, 409)),
        ("PUT", f"{_ONE}/resume"): _operation(tag, "Resume", {202: None}, (404, 409)),
        ("PUT", f"{_ONE}/stop"): _operation(tag, "Stop: pause, and give the tasks up", {204: None}, (404, 409)),
        ("POST", f"{_ONE}/restart"): _operation(
            tag, "Restart", {204: None, 202: _ref("Status")}, (404, 409), query=restart
        ),
        ("GET", f"{_ONE}/tasks"): _operation(
            tag, "Its tasks with their configurations", {200: _array(_ref("Task"))}, (404,)
        ),
        ("GET", f"{_TASK}/status"): _operation(tag, "A task's state", {200: _ref("TaskState")}, (404,)),
        ("POST", f"{_TASK}/restart"): _operation(tag, "Restart a task", {204: None}, (404, 409)),
        ("GET", f"{_ONE}/topics"): _operation(tag, "The topics that it has used", {200: _ref("Topics")}),
        ("PUT", f"{_ONE}/topics/reset"): _operation(tag, "Forget the topics that it has used", {202: None}),
        ("GET", f"{_ONE}/offsets"): _operation(tag, "Its positions", {200: _ref("Offsets")}, (404,)),
        ("PATCH", f"{_ONE}/offsets"): _operation(
            tag, "Change positions of a stopped connector", {200: changed}, (404, 409), body=_ref("Offsets")
        ),
        ("DELETE", f"{_ONE}/offsets"): _operation(
            tag, "Remove the positions of a stopped connector", {200: changed}, (400, 404, 409)
        ),
    }


def _others() -> dict[tuple[str, str], Schema]:
    scope = {"scope": ("cluster: all workers.", {"type": "string", "enum": ["worker", "cluster"]})}
    only = {"connectorsOnly": ("Without transforms and the like.", {"type": "boolean", "default": True})}
    version = {"version": ("The plugin's version.", _STRING)}
    plugin, logger = "/connector-plugins/{plugin}/config", "/admin/loggers/{logger}"
    loggers = {"type": "object", "additionalProperties": _ref("Logger")}
    health: dict[int, Schema | str | None] = {status: _ref("Health") for status in (200, 500, 503)}
    set_level: dict[int, Schema | str | None] = {200: _array(_STRING), 204: None}
    return {
        ("GET", "/"): _operation("worker", "Versions and the Kafka cluster", {200: _ref("Worker")}),
        ("GET", "/health"): _operation("worker", "Whether the worker is well", health),
        ("GET", "/metrics"): _operation("worker", "Metrics for Prometheus", {200: "text/plain"}),
        ("GET", "/openapi.json"): _operation("worker", "This document", {200: {"type": "object"}}),
        ("GET", "/docs"): _operation("worker", "This document as a page", {200: "text/html"}),
        ("GET", "/connector-plugins"): _operation(
            "plugins", "The connector kinds", {200: _array(_ref("Plugin"))}, query=only
        ),
        ("GET", plugin): _operation(
            "plugins", "A kind's own keys", {200: _array(_ref("Definition"))}, (400, 404), query=version
        ),
        ("PUT", f"{plugin}/validate"): _operation(
            "plugins", "Check a configuration, on the live system too", {200: _ref("Validation")}, body=_ref("Config")
        ),
        ("GET", "/admin/loggers"): _operation("loggers", "All loggers", {200: loggers}),
        ("GET", logger): _operation("loggers", "A logger", {200: _ref("Logger")}, (404,)),
        ("PUT", logger): _operation(
            "loggers", "Set the level of a logger and those below", set_level, (404,), body=_ref("Level"), query=scope
        ),
    }


_PARAMETERS = {
    "name": ("The connector's name, percent-encoded.", _STRING),
    "task": ("The task's number, from 0.", {"type": "integer", "minimum": 0}),
    "plugin": ("A class name, its last part, or that without Connector.", _STRING),
    "logger": ("root, or a logger's name; those of Kafka Connect and Debezium are understood.", _STRING),
}


@cache
def document() -> Schema:
    """The document. One object for all callers: don't change it."""
    paths: dict[str, Schema] = {}
    for (method, path), operation in {**_connectors(), **_others()}.items():
        paths.setdefault(path, {})[method.lower()] = operation
    for path, item in paths.items():
        named = [name for name in _PARAMETERS if f"{{{name}}}" in path]
        if named:
            item["parameters"] = [
                {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
                for name in named
                for text, schema in [_PARAMETERS[name]]
            ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Đồng Bộ worker",
            "version": installed_version(),
            "description": "Kafka Connect's REST API. Errors are {error_code, message} with the same HTTP status.",
        },
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


@cache
def page() -> str:
    """The page at ``/docs``: it reads ``/openapi.json``."""
    return files("sync.connect").joinpath("docs.html").read_text(encoding="utf-8")
