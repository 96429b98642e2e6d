"""The configuration keys that every connector has, under Kafka Connect's names.

``declaration`` joins them with a plugin's own; validation, the REST API's plugin pages and the tasks all read
that one declaration. Keys of Connect that this worker does not support are errors, never silence.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.ports import Plugin

_AVRO = "records are always Avro in Confluent's wire format, with the worker's registry."
_CONVERTERS = ("key.converter", "value.converter", "header.converter")


def _positive(name: str, value: Any) -> str | None:
    return None if value >= 1 else f"Invalid value {value} for configuration {name}: Value must be at least 1"


def _regex(name: str, value: Any) -> str | None:
    try:
        re.compile(value)
    except re.error as error:
        return f"Invalid value for configuration {name}: not a regular expression: {error.msg}"
    return None


COMMON = ConfigDef(
    keys=(
        Key("name", Type.STRING, "Globally unique name to use for this connector.", importance="HIGH"),
        Key(
            "connector.class",
            Type.STRING,
            "Name or alias of the class for this connector.",
            importance="HIGH",
            display="Connector class",
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
            "errors.tolerance",
            Type.STRING,
            "none: the task fails on a bad record. all: the record goes to the dead letter queue.",
            default="none",
            group="Error Handling",
            display="Error Tolerance",
            recommended=("none", "all"),
        ),
        Key(
            "errors.log.enable",
            Type.BOOLEAN,
            "Log each tolerated error (its place, never the record).",
            default=False,
            group="Error Handling",
            display="Log Errors",
        ),
    ),
    unsupported={
        r"transforms(\..*)?": "single-message transforms are not available yet; remove the key.",
        r"predicates(\..*)?": "single-message transforms are not available yet; remove the key.",
        r"errors\.log\.include\.messages": "record contents hold personal data and never go to a log; remove the key.",
        r"connector\.plugin\.version": "one version of each plugin is installed; remove the key.",
    },
    accepted={
        **{rf"{re.escape(converter)}(\..*)?": _AVRO for converter in _CONVERTERS},
        r"(producer|admin)\.override\..*": "Kafka's clients have the worker's settings.",
        r"consumer\.override\..*": "it is read by sinks.",
        r"config\.action\.reload": "a rotated secret is read at the next restart.",
        r"errors\.retry\.(timeout|delay\.max\.ms)": "the worker chooses when to try again.",
        r"tasks\.max\.enforce": "a connector never has more tasks than tasks.max.",
        r"exactly\.once\.support|transaction\.boundary(\..*)?": "delivery is always exactly once, by batch.",
        r"offsets\.storage\.topic": "offsets are kept in the worker's topic.",
    },
)

SINK = ConfigDef(
    keys=(
        Key("topics", Type.LIST, "List of topics to consume, separated by commas.", default=[], importance="HIGH"),
        Key(
            "topics.regex",
            Type.STRING,
            "Regular expression giving topics to consume.",
            default="",
            importance="HIGH",
            display="Topics regex",
            validator=_regex,
        ),
        Key(
            "errors.deadletterqueue.topic.name",
            Type.STRING,
            "The topic for records that the sink cannot write; used when errors.tolerance is all.",
            default="",
            group="Error Handling",
            display="Dead Letter Queue Topic Name",
        ),
    ),
    accepted={r"errors\.deadletterqueue\..*": "the dead letter queue has its topic and nothing else to choose."},
)


def declaration(plugin: Plugin) -> ConfigDef:
    """Return all keys of ``plugin``'s connectors; where a plugin redeclares a common key, its own wins."""
    common = COMMON + SINK if plugin.kind == "sink" else COMMON
    own = {key.name for key in plugin.config.keys}
    kept = tuple(key for key in common.keys if key.name not in own)
    return replace(common, keys=kept) + plugin.config


def secret_keys(definition: ConfigDef) -> frozenset[str]:
    """The keys declared as passwords."""
    return frozenset(key.name for key in definition.keys if key.type is Type.PASSWORD)
