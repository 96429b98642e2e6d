"""The configuration keys that every connector has, under Kafka Connect's names.

``declaration`` joins them with a plugin's own; validation, the REST API's plugin pages and the tasks all read
that one declaration. Keys of Connect that this worker does not support are errors, never silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.connect.plugin import installed_version
from sync.ports import Plugin
from sync.transform import declaration as transform

_AVRO = "records are always Avro in Confluent's wire format, with the worker's registry."
_CONVERTERS = ("key.converter", "value.converter", "header.converter")
_ERRORS = "Error Handling"
_RETRIED = (
    "For requests to the schema registry (which are tried again for 10 s at least), and for a sink's writes that the "
    "target puts off: a deadlock, a lock, a serialization failure, no room. What does not pass in time ends the task, "
    "which the worker starts again; a passing failure never makes a record a bad one."
)


def _invalid(name: str, value: Any, reason: str) -> str:
    return f"Invalid value {value} for configuration {name}: {reason}"


def _positive(name: str, value: Any) -> str | None:
    return None if value >= 1 else _invalid(name, value, "Value must be at least 1")


def _name(name: str, value: Any) -> str | None:
    """Connect's rule of names (``ConfigDef.NonEmptyStringWithoutControlChars``)."""
    trimmed = str(value).strip("".join(map(chr, range(33))))
    if not trimmed:
        return _invalid(name, trimmed, "String may not be empty")
    controls = [str(ord(c)) for c in trimmed if ord(c) < 32 or 127 <= ord(c) < 160]
    if not controls:
        return None
    told = "String may not contain control sequences but had the following ASCII chars: "
    return _invalid(name, trimmed, told + ", ".join(controls))


def _regex(name: str, value: Any) -> str | None:
    try:
        re.compile(value)
    except re.error as error:
        return _invalid(name, value, f"Invalid regex: {error}")
    return None


def _installed(name: str, value: Any) -> str | None:
    there = installed_version()
    return None if value in ("", there) else _invalid(name, value, f"the installed version is {there}")


def _no_records_in_logs(name: str, value: Any) -> str | None:
    return _invalid(name, "true", "record contents hold personal data and never go to a log") if value else None


COMMON = ConfigDef(
    keys=(
        Key(
            "name",
            Type.STRING,
            "Globally unique name to use for this connector.",
            importance="HIGH",
            display="Connector name",
            validator=_name,
        ),
        Key(
            "connector.class",
            Type.STRING,
            "Class of this connector: a full class name, its last part, or that without Connector.",
            importance="HIGH",
            display="Connector class",
            width="LONG",
        ),
        Key(
            "connector.plugin.version",
            Type.STRING,
            "Version of the connector.",
            default="",
            display="Connector version",
            validator=_installed,
            differs="One version of each plugin is installed; a range is not understood.",
        ),
        Key(
            "tasks.max",
            Type.INT,
            "Maximum number of tasks to use for this connector.",
            default=1,
            importance="HIGH",
            display="Tasks max",
            validator=_positive,
        ),
        Key(
            "tasks.max.enforce",
            Type.BOOLEAN,
            "Whether tasks.max is respected by the connector. Deprecated in Kafka Connect.",
            default=True,
            importance="LOW",
            display="Enforce tasks max",
            differs="Without effect: a connector never has more tasks than tasks.max.",
        ),
        Key(
            "config.action.reload",
            Type.STRING,
            "What happens when a secret behind a placeholder changes.",
            default="restart",
            importance="LOW",
            display="Reload Action",
            recommended=("none", "restart"),
            differs="Without effect: a rotated secret is read at the next start of a task.",
        ),
        Key(
            "errors.retry.timeout",
            Type.LONG,
            "The longest time in milliseconds that a failed operation on a record is tried again; -1 for no limit.",
            default=0,
            group=_ERRORS,
            display="Retry Timeout for Errors",
            width="MEDIUM",
            differs=_RETRIED,
        ),
        Key(
            "errors.retry.delay.max.ms",
            Type.LONG,
            "The longest time in milliseconds between two attempts.",
            default=60_000,
            group=_ERRORS,
            display="Maximum Delay Between Retries for Errors",
            width="MEDIUM",
            differs=_RETRIED,
        ),
        Key(
            "errors.tolerance",
            Type.STRING,
            "none: the task fails on a record that can't be read or written. all: such a record is passed over, and a "
            "sink sends it to the dead letter queue if there is one.",
            default="none",
            group=_ERRORS,
            display="Error Tolerance",
            recommended=("none", "all"),
            width="SHORT",
        ),
        Key(
            "errors.log.enable",
            Type.BOOLEAN,
            "Log each tolerated error: the record's topic, partition and offset, and the reason.",
            default=False,
            group=_ERRORS,
            display="Log Errors",
        ),
        Key(
            "errors.log.include.messages",
            Type.BOOLEAN,
            "Whether the log has the records too.",
            default=False,
            group=_ERRORS,
            display="Log Error Details",
            validator=_no_records_in_logs,
            differs="true is refused: records hold personal data, and never go to a log.",
        ),
    ),
    accepted={
        **{rf"{re.escape(converter)}(\..*)?": _AVRO for converter in _CONVERTERS},
        r"(producer|admin)\.override\..*": "Kafka's clients have the worker's settings.",
        r"consumer\.override\..*": "it is read by sinks.",
        r"exactly\.once\.support|transaction\.boundary(\..*)?": "delivery is always exactly once, by batch.",
        r"offsets\.storage\.topic": "offsets are kept in the worker's topic.",
    },
)

SINK = ConfigDef(
    keys=(
        Key(
            "topics",
            Type.LIST,
            "List of topics to consume, separated by commas.",
            default=[],
            importance="HIGH",
            display="Topics",
            width="LONG",
        ),
        Key(
            "topics.regex",
            Type.STRING,
            "Regular expression giving topics to consume. Only one of topics or topics.regex should be specified.",
            default="",
            importance="HIGH",
            display="Topics regex",
            validator=_regex,
            width="LONG",
        ),
        Key(
            "errors.deadletterqueue.topic.name",
            Type.STRING,
            "With errors.tolerance=all: the topic that gets the records that can't be read or written, as they came.",
            default="",
            group=_ERRORS,
            display="Dead Letter Queue Topic Name",
        ),
        Key(
            "errors.deadletterqueue.topic.replication.factor",
            Type.SHORT,
            "Replicas of the dead letter queue's topic where the sink creates it; -1 is the broker's default.",
            default=-1,
            group=_ERRORS,
            display="Dead Letter Queue Topic Replication Factor",
            width="MEDIUM",
            differs="The default is the broker's (3 in Kafka Connect).",
        ),
        Key(
            "errors.deadletterqueue.context.headers.enable",
            Type.BOOLEAN,
            "Whether dead letters have headers (__connect.errors.…) that tell where they come from and why.",
            default=True,
            group=_ERRORS,
            display="Enable Error Context Headers",
            width="MEDIUM",
            differs="The default is true (false in Kafka Connect): a dead letter without its reason helps nobody.",
        ),
    ),
)


def declaration(plugin: Plugin, config: Mapping[str, Any] | None = None) -> ConfigDef:
    """Return all keys of ``plugin``'s connectors; where a plugin redeclares a common key, its own wins.

    With ``config`` also the keys of the transforms and predicates that it names.
    """
    common = COMMON + transform.KEYS
    if plugin.kind == "sink":
        common += SINK
    own = {key.name for key in plugin.config.keys}
    kept = tuple(key for key in common.keys if key.name not in own)
    return replace(common, keys=kept) + plugin.config + transform.declared(config or {})


def secret_keys(definition: ConfigDef) -> frozenset[str]:
    """The keys declared as passwords."""
    return frozenset(key.name for key in definition.keys if key.type is Type.PASSWORD)
