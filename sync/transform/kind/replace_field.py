"""``ReplaceField``: leave fields out, keep some only, rename."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.transform.kinds import CONNECT, Kind
from sync.transform.schema import Schema
from sync.transform.step import REPLACE_NULL, FieldStep, Plan, picked


def _pairs(name: str, value: Any) -> str | None:
    bad = next((item for item in value if len(item.split(":")) != 2), None)
    return f"Invalid value {value} for configuration {name}: Invalid rename mapping: {bad}" if bad else None


class ReplaceField(FieldStep):
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        self._exclude, self._include = set(values["exclude"]), set(values["include"])
        self._renames = dict(item.split(":") for item in values["renames"])

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``."""
        kept = [place for place, field in enumerate(schema.fields) if self._keeps(field["name"])]
        fields = [
            {**schema.fields[place], "name": self._renames.get(name := schema.fields[place]["name"], name)}
            for place in kept
        ]
        return schema.of(fields), None if len(kept) == len(schema.fields) else picked(kept)

    def _keeps(self, name: str) -> bool:
        return name not in self._exclude and (not self._include or name in self._include)


KIND = Kind(
    f"{CONNECT}.ReplaceField",
    "Leaves fields out, keeps some only, renames.",
    ReplaceField,
    ConfigDef(
        (
            Key("exclude", Type.LIST, "Fields to leave out; it wins over include.", []),
            Key("include", Type.LIST, "Fields to keep; all when empty.", []),
            Key("renames", Type.LIST, "old:new, separated by commas.", [], validator=_pairs),
            REPLACE_NULL,
        )
    ),
    sided=True,
)
