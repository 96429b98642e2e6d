"""``HeaderFrom``: fields of the key or value as headers, copied or moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import ConfigError, Unreadable
from sync.transform.header import rendered
from sync.transform.kinds import CONNECT, Kind
from sync.transform.pattern import not_empty
from sync.transform.record import Records
from sync.transform.schema import Avro, Schema, is_optional, none, required
from sync.transform.step import REPLACE_NULL, FieldStep, Plan, picked, require_record

Taken = tuple[str, int, Callable[[bytes], bytes | None]]
"""A header's name, its field's place, and what makes its value of the field's bytes."""


class HeaderFrom(FieldStep):
    """A ``record.Transform``."""

    purpose = "header moving or copying"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        self._fields, self._headers = values["fields"], values["headers"]
        self._moves = values["operation"] == "move"
        self._taken: dict[Schema, list[Taken]] = {}
        if len(self._fields) != len(self._headers):
            raise ConfigError(
                "'fields' config must have the same number of elements as 'headers' config.",
                hint="name one header for each field",
            )

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``: what a move leaves."""
        kept = [place for place, field in enumerate(schema.fields) if field["name"] not in self._fields]
        return schema.of([schema.fields[place] for place in kept]), picked(kept)

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        column = records.side(self.side)
        if column.schema is None:
            return [records]
        [changed] = super().apply(records) if self._moves else [records]
        fill = self.filled(column.schema)
        rows = column.rows if fill is None else list(map(fill, column.rows))
        taken = self._of(column.schema)
        former = records.headers or [()] * len(records)
        return [
            replace(
                changed,
                headers=[
                    (*headers, *((name, take(row[place])) for name, place, take in taken))
                    for headers, row in zip(former, rows, strict=True)
                ],
            )
        ]

    def _of(self, schema: Schema) -> list[Taken]:
        found = self._taken.get(schema)
        if found is None:
            require_record(schema, self.purpose)
            missing = [name for name in self._fields if name not in schema.places]
            if missing:
                raise Unreadable(f"There is no field {missing[0]} to make a header of.")
            places = [schema.places[name] for name in self._fields]
            found = self._taken[schema] = [
                (header, place, _value(schema.fields[place]["type"]))
                for header, place in zip(self._headers, places, strict=True)
            ]
        return found


def _value(type_: Avro) -> Callable[[bytes], bytes | None]:
    show = rendered(required(type_))
    if not is_optional(type_):
        return show
    nothing = none(type_)
    return lambda piece: None if piece == nothing else show(piece[1:])


KIND = Kind(
    f"{CONNECT}.HeaderFrom",
    "Copies or moves fields of the key or value into headers.",
    HeaderFrom,
    ConfigDef(
        (
            Key("fields", Type.LIST, "Names of fields.", importance="HIGH", validator=not_empty),
            Key(
                "headers",
                Type.LIST,
                "Names of headers, in the order of their fields.",
                importance="HIGH",
                validator=not_empty,
            ),
            Key(
                "operation",
                Type.STRING,
                "Whether the fields stay (copy) or go (move).",
                importance="HIGH",
                recommended=("move", "copy"),
            ),
            REPLACE_NULL,
        )
    ),
    sided=True,
    differs="A record without a value stays as it is; Connect fails.",
)
