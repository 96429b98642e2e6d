"""``HoistField``: the whole key or value becomes the one field of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.transform.kinds import CONNECT, Kind
from sync.transform.record import Column, Records
from sync.transform.schema import Schema, unnamed


class HoistField:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        self._side, self._field = side, values["field"]
        self._made: dict[Schema, Schema] = {}

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        column = records.side(self._side)
        if column.schema is None:
            return [records]
        made = self._made.get(column.schema)
        if made is None:
            made = self._made[column.schema] = unnamed([{"name": self._field, "type": column.schema.type}])
        return [records.having(self._side, Column(made, rows=[(datum,) for datum in column.datums]))]


KIND = Kind(
    f"{CONNECT}.HoistField",
    "Makes the whole key or value the one field of a record.",
    HoistField,
    ConfigDef((Key("field", Type.STRING, "The field's name."),)),
    sided=True,
    differs="A record without a value stays one; Connect makes of it a map with a null.",
)
