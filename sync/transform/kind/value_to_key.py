"""``ValueToKey``: a new key of the value's fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import Unreadable
from sync.transform.kinds import CONNECT, Kind
from sync.transform.pattern import not_empty
from sync.transform.record import Column, Records
from sync.transform.schema import Schema, unnamed
from sync.transform.step import REPLACE_NULL, FieldStep, Plan, picked


class ValueToKey(FieldStep):
    """A ``record.Transform``."""

    purpose = "copying fields from value to key"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        self._fields = list(values["fields"])

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``."""
        if missing := next((name for name in self._fields if name not in schema.places), None):
            raise Unreadable(f"Field does not exist: {missing}")
        places = [schema.places[name] for name in self._fields]
        return unnamed([schema.fields[place] for place in places]), picked(places)

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        column = records.value
        if column.schema is None:
            raise Unreadable("A record without a value has no fields for the key; leave such out by a predicate.")
        made, change = self.planned(column.schema)
        assert change is not None
        return [records.having("Key", Column(made, rows=list(map(change, column.rows))))]


KIND = Kind(
    f"{CONNECT}.ValueToKey",
    "Makes a new key of the value's fields.",
    ValueToKey,
    ConfigDef(
        (
            Key("fields", Type.LIST, "The value's fields that make the key.", importance="HIGH", validator=not_empty),
            REPLACE_NULL,
        )
    ),
)
