"""``ExtractField``: one field's value becomes the whole key or value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import Unreadable
from sync.transform.kinds import CONNECT, Kind
from sync.transform.path import parsed
from sync.transform.record import Column, Records
from sync.transform.schema import Schema, is_optional, none, required
from sync.transform.step import REPLACE_NULL, filled, require_record


class ExtractField:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        self._side = side
        self._path = parsed(values["field"], values["field.syntax.version"])
        self._replace_null = values[REPLACE_NULL.name]
        self._made: dict[tuple[Schema, str], Schema] = {}

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``. A field that is null leaves no key or value."""
        found = [records]
        for depth, name in enumerate(self._path):
            found = [made for group in found for made in self._step(group, name, last=depth == len(self._path) - 1)]
        return found

    def _step(self, records: Records, name: str, *, last: bool) -> list[Records]:
        column = records.side(self._side)
        schema = column.schema
        if schema is None:
            return [records]
        require_record(schema, "field extraction")
        place = schema.places.get(name)
        if place is None:
            if not last or len(self._path) > 1:
                return [records.having(self._side, Column.absent(len(records)))]
            raise Unreadable(f"Unknown field: {name}")
        fill = filled(schema) if self._replace_null else None
        pieces = [row[place] for row in (column.rows if fill is None else map(fill, column.rows))]
        type_ = schema.fields[place]["type"]
        made = self._made.get((schema, name))
        if made is None:
            made = self._made[schema, name] = Schema(required(type_))
        if not is_optional(type_):
            return [records.having(self._side, Column(made, datums=pieces))]
        nothing = none(type_)
        there = [i for i, piece in enumerate(pieces) if piece != nothing]
        gone = [i for i, piece in enumerate(pieces) if piece == nothing]
        values = Column(made, datums=[pieces[i][1:] for i in there])
        return [
            *([records.take(there).having(self._side, values)] if there else ()),
            *([records.take(gone).having(self._side, Column.absent(len(gone)))] if gone else ()),
        ]


KIND = Kind(
    f"{CONNECT}.ExtractField",
    "Makes one field's value the whole key or value.",
    ExtractField,
    ConfigDef(
        (
            Key("field", Type.STRING, "The field."),
            REPLACE_NULL,
            Key(
                "field.syntax.version",
                Type.STRING,
                "V1: field is a name. V2: field is a path with dots; backticks around a name that has dots.",
                "V1",
                importance="HIGH",
                recommended=("V1", "V2"),
            ),
        )
    ),
    sided=True,
)
