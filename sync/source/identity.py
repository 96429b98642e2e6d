"""Who a source is: the ``dongbo.source.*`` keys that every source connector accepts beside its own.

Used by each source kind for validation, and by the processors, which read them from the connector's configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import ConfigError

AUTHORITIES = ("register", "ministry", "locality")

_MAPPING = re.compile(r"(?P<table>[^:]+):(?P<dataset>[a-z][a-z0-9_]*)/(?P<name>[A-Za-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A table's dataset and the mapping of its columns (``schemas/<dataset>/mapping/<name>.yaml``)."""

    dataset: str
    name: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A source's name (its ``topic.prefix``), authority, province (2 digits, where it is a locality) and tables.

    ``mappings`` goes from ``schema.table`` to the dataset; a table that isn't there is captured only.
    """

    source: str
    authority: str
    locality: str | None
    mappings: Mapping[str, Mapped]


def topic_name(*parts: str, delimiter: str = ".") -> str:
    """Return the parts of a topic's name together, with what Kafka forbids replaced by ``_`` (Debezium's rule)."""
    return re.sub(r"[^a-zA-Z0-9._-]", "_", delimiter.join(parts))[:249]


def parse_mappings(items: list[str]) -> dict[str, Mapped]:
    """Read ``schema.table:dataset/mapping`` items. ConfigError names the item that can't be read."""
    found: dict[str, Mapped] = {}
    for item in items:
        match = _MAPPING.fullmatch(item)
        if match is None:
            raise ConfigError(
                f"Invalid value for configuration dongbo.mappings: '{item}' isn't 'schema.table:dataset/mapping'.",
                field="dongbo.mappings",
                hint="write for example public.can_bo:civil_servant/vn_short",
            )
        found[match["table"]] = Mapped(match["dataset"], match["name"])
    return found


def identity(values: Mapping[str, Any]) -> Identity:
    """Return the identity in a connector's typed values. ConfigError where keys contradict each other."""
    mappings = parse_mappings(values["dongbo.mappings"])
    authority, locality = values["dongbo.source.authority"], values["dongbo.source.locality"] or None
    if authority == "locality" and locality is None and mappings:
        raise ConfigError(
            "Missing configuration dongbo.source.locality: a source with the authority of a locality needs it.",
            field="dongbo.source.locality",
            hint="set the 2-digit code of the province, or dongbo.source.authority=ministry",
        )
    return Identity(values["topic.prefix"], authority, locality, mappings)


def _province(name: str, value: Any) -> str | None:
    if value and not re.fullmatch(r"\d\d", value):
        return f"Invalid value {value} for configuration {name}: must be the 2-digit code of a province."
    return None


def pattern(name: str, value: Any) -> str | None:
    """Validate a regular expression (``config.Validator``)."""
    try:
        re.compile(value or "")
    except re.error as error:
        return f"Invalid value for configuration {name}: not a regular expression ({error.msg})."
    return None


def _mapping_list(name: str, value: Any) -> str | None:
    del name
    try:
        parse_mappings(value)
    except ConfigError as error:
        return str(error)
    return None


KEYS = ConfigDef(
    (
        Key(
            "dongbo.source.authority",
            Type.STRING,
            "What weight the source's records have when they are merged: the population register, a ministry, "
            "or a locality.",
            "locality",
            "HIGH",
            "Dong Bo",
            recommended=AUTHORITIES,
        ),
        Key(
            "dongbo.source.locality",
            Type.STRING,
            "2-digit code of the province that owns the source; required for the authority 'locality'.",
            "",
            "HIGH",
            "Dong Bo",
            validator=_province,
        ),
        Key(
            "dongbo.mappings",
            Type.LIST,
            "schema.table:dataset/mapping, with commas between: which dataset a table's rows belong to and how "
            "their columns are named. A table without a mapping is captured, not processed.",
            [],
            "HIGH",
            "Dong Bo",
            validator=_mapping_list,
        ),
        Key(
            "dongbo.origin.skip",
            Type.STRING,
            "Regular expression of replication origins whose changes are counted but not captured: those of our "
            "own sinks, so that a written-back row does not return. Empty: all changes are captured, and a reader "
            "tells them apart by source.origin.",
            "dongbo.*",
            "MEDIUM",
            "Dong Bo",
            validator=pattern,
        ),
    )
)
