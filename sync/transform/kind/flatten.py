"""``Flatten``: the fields of records in the record become its own, with names put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import Unreadable
from sync.transform.kinds import CONNECT, Kind
from sync.transform.piece import Row, splitter
from sync.transform.schema import (
    Avro,
    Field,
    Schema,
    default,
    is_optional,
    is_record,
    kind,
    none,
    optional_field,
    required,
)
from sync.transform.step import FieldStep, Plan, filled, loosened

Spread = Callable[[bytes], Row]


def _delimiter(name: str, value: Any) -> str | None:
    if re.fullmatch(r"\w*", str(value), re.ASCII):
        return None
    return f"Invalid value {value} for configuration {name}: Avro's names have letters, digits and _ only."


class Flatten(FieldStep):
    """A ``record.Transform``."""

    purpose = "flattening"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        self._delimiter = values["delimiter"]
        # Not to be chosen here: Connect reads each field with its default.
        self._replace_null = True

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``."""
        fields, spreads = self._flat(schema, "", optional=False, inherited=None)

        def flatten(row: Row) -> Row:
            return tuple(piece for spread, given in zip(spreads, row, strict=True) for piece in spread(given))

        return schema.of(fields), flatten

    def _flat(
        self, schema: Schema, prefix: str, *, optional: bool, inherited: Mapping[str, Any] | None
    ) -> tuple[list[Field], list[Spread]]:
        """The fields that a record's fields become, and for each what its bytes become.

        ``optional``: a record around may be null. ``inherited``: the default of the record around.
        """
        fields: list[Field] = []
        spreads: list[Spread] = []
        for field in schema.fields:
            name = f"{prefix}{self._delimiter}{field['name']}" if prefix else str(field["name"])
            value = default(field)
            value = inherited.get(field["name"]) if value is None and inherited else value
            loose = optional or is_optional(field["type"])
            if is_record(base := required(field["type"])):
                inner = Schema(base)
                found, deeper = self._flat(inner, name, optional=loose, inherited=value)
                fields += found
                spreads.append(_record(field["type"], inner, found, deeper))
                continue
            if kind(field["type"]) == "MAP":
                raise Unreadable("Flatten has no way to make fields of a map.")
            made = optional_field(name, base, value) if loose else {**field, "name": name}
            fields.append(made)
            spreads.append(_plain(field["type"], made["type"]))
        return fields, spreads


def _plain(was: Avro, type_: Avro) -> Spread:
    """A field's bytes under a type that may be null."""
    change = loosened(was, type_)
    return (lambda piece: (piece,)) if change is None else (lambda piece: (change(piece),))


def _record(type_: Avro, inner: Schema, fields: list[Field], spreads: list[Spread]) -> Spread:
    cut, fill = splitter(inner), filled(inner)

    def spread(piece: bytes) -> Row:
        row = cut(piece) if fill is None else fill(cut(piece))
        return tuple(made for each, given in zip(spreads, row, strict=True) for made in each(given))

    if not is_optional(type_):
        return spread
    nothing = none(type_)
    # Of a record that is null, each field is null; a default comes only where the field itself was left out.
    absent = tuple(none(field["type"]) for field in fields)
    return lambda piece: absent if piece == nothing else spread(piece[1:])


KIND = Kind(
    f"{CONNECT}.Flatten",
    "Makes the fields of records in the record its own, with names put together.",
    Flatten,
    ConfigDef(
        (
            Key(
                "delimiter",
                Type.STRING,
                "What stands between the parts of a name.",
                "_",
                validator=_delimiter,
                differs="_ by default and no dot: records are Avro, whose names have none (behind Connect's Avro "
                "converter the default fails with the first record).",
            ),
        )
    ),
    sided=True,
)
