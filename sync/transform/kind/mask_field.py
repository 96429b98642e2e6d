"""``MaskField``: put zero, an empty text or a given value in place of a field's value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import Unreadable
from sync.schema import datum
from sync.transform.kinds import CONNECT, Kind
from sync.transform.pattern import not_empty
from sync.transform.piece import Row, writer
from sync.transform.schema import DATE, DECIMAL, TIME, TIMESTAMP, Avro, Schema, kind, logical, none, required, some
from sync.transform.step import REPLACE_NULL, FieldStep, Plan

_ZEROS: dict[str, Any] = {
    **dict.fromkeys(("INT8", "INT16", "INT32", "INT64"), 0),
    **dict.fromkeys(("FLOAT32", "FLOAT64"), 0.0),
    "BOOLEAN": False,
    "STRING": "",
}
_PARSED: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("INT8", "INT16", "INT32", "INT64"), int),
    **dict.fromkeys(("FLOAT32", "FLOAT64"), float),
    "STRING": str,
}


class MaskField(FieldStep):
    """A ``record.Transform``."""

    purpose = "field masking"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        self._fields = set(values["fields"])
        self._replacement = values["replacement"]

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``."""
        masks = [
            (place, none(field["type"]) if isinstance(field["type"], list) else None, self._mask(field["type"]))
            for place, field in enumerate(schema.fields)
            if field["name"] in self._fields
        ]

        def mask(row: Row) -> Row:
            changed = list(row)
            for place, nothing, piece in masks:
                if changed[place] != nothing:
                    changed[place] = _known(piece)
            return tuple(changed)

        return schema, mask

    def _mask(self, type_: Avro) -> bytes | None:
        """The bytes that stand for a value of the type; None where there are none."""
        name = kind(type_)
        if self._replacement is not None:
            return self._given(type_, name)
        if name in ("ARRAY", "MAP"):
            return some(type_) + b"\x00"
        if logical(type_) == DECIMAL:
            return some(type_) + datum.zigzag(1) + b"\x00"
        return some(type_) + writer(required(type_))(_ZEROS[name]) if name in _ZEROS else None

    def _given(self, type_: Avro, name: str) -> bytes | None:
        meaning = logical(type_)
        try:
            if meaning == DECIMAL:
                return some(type_) + _decimal(Decimal(self._replacement), required(type_)["scale"])
            if meaning in (TIMESTAMP, DATE, TIME) or name not in _PARSED:
                return None
            return some(type_) + writer(required(type_))(_PARSED[name](self._replacement))
        except (ValueError, InvalidOperation):
            raise Unreadable("The replacement isn't a value of the masked field's type.") from None


def _decimal(value: Decimal, scale: int) -> bytes:
    number = int(value.scaleb(scale))
    data = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
    return datum.text(data)


def _known(piece: bytes | None) -> bytes:
    if piece is None:
        raise Unreadable("A value of this type can't be masked.")
    return piece


KIND = Kind(
    f"{CONNECT}.MaskField",
    "Puts zero, an empty text or a given value in place of fields' values.",
    MaskField,
    ConfigDef(
        (
            Key("fields", Type.LIST, "Fields to mask.", importance="HIGH", validator=not_empty),
            Key(
                "replacement",
                Type.STRING,
                "A value to write instead, for numbers and texts.",
                None,
                importance="LOW",
                validator=not_empty,
            ),
            REPLACE_NULL,
        )
    ),
    sided=True,
    differs="A record without a value passes; Connect's class fails. A masked decimal keeps its scale; Connect's class "
    "writes 0 of scale 0, which its own converter then refuses.",
)
