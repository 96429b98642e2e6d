"""``Cast``: fields, or the whole key or value, as another primitive type, by Java's rules."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import ConfigError, Unreadable
from sync.transform.javanumber import double_text, float_text, parsed_double, to_integer
from sync.transform.kinds import CONNECT, Kind
from sync.transform.piece import Row, default_piece, reader, writer
from sync.transform.record import Column, Records
from sync.transform.schema import (
    DATE,
    DECIMAL,
    TIME,
    TIMESTAMP,
    Avro,
    Field,
    Schema,
    default,
    is_optional,
    kind,
    logical,
    optional_field,
    required,
)
from sync.transform.step import REPLACE_NULL, FieldStep, Plan

_AVRO: dict[str, Avro] = {
    "int8": {"type": "int", "connect.type": "int8"},
    "int16": {"type": "int", "connect.type": "int16"},
    "int32": "int",
    "int64": "long",
    "float32": "float",
    "float64": "double",
    "boolean": "boolean",
    "string": "string",
}
_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Conversion = Callable[[Any], Any]


def _spec(name: str, value: Any) -> str | None:
    try:
        _read(value)
    except ValueError as error:
        return f"Invalid value {value} for configuration {name}: {error}"
    return None


def _read(items: Sequence[str]) -> dict[str, str]:
    """Field → type; the field is empty for the whole value. ValueError."""
    found = {}
    for item in items:
        field, _, type_ = (part.strip() for part in item.rpartition(":"))
        if type_.lower() not in _AVRO:
            raise ValueError(f"Invalid target type {type_}; Supported types are {', '.join(_AVRO)}.")
        found[field] = type_.lower()
    if not found or ("" in found and len(found) > 1):
        raise ValueError("Must specify one type for the whole value, or fields with types.")
    return found


class Cast(FieldStep):
    """A ``record.Transform``."""

    purpose = "casting"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        try:
            self._types = _read(values["spec"])
        except ValueError as error:
            raise ConfigError(f"Cast can't read spec: {error}", hint="write field:type,… or one type") from error
        self._whole: dict[Schema, tuple[Schema, Callable[[bytes], bytes]]] = {}

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``."""
        fields: list[Field] = list(schema.fields)
        changes = []
        for place, field in enumerate(schema.fields):
            type_ = self._types.get(field["name"])
            if type_ is not None:
                change = _changed(field["type"], type_)
                fields[place] = _field(field, type_)
                changes.append((place, change(fields[place]["type"])))

        def cast(row: Row) -> Row:
            changed = list(row)
            for place, change in changes:
                changed[place] = change(changed[place])
            return tuple(changed)

        return schema.of(fields), cast

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        column = records.side(self.side)
        if "" not in self._types or column.schema is None:
            return super().apply(records)
        found = self._whole.get(column.schema)
        if found is None:
            made = Schema(_AVRO[self._types[""]])
            found = self._whole[column.schema] = made, _changed(column.schema.type, self._types[""])(made.type)
        return [records.having(self.side, Column(found[0], datums=list(map(found[1], column.datums))))]


def _field(field: Field, type_: str) -> Field:
    """The field with its new type; a default is cast too."""
    value = default(field)
    if value is not None:
        read, convert = reader(field["type"]), _conversion(field["type"], type_)
        value = convert(read(default_piece(field, value)))
    if is_optional(field["type"]):
        return optional_field(field["name"], _told(type_, value), value)
    made = {"name": field["name"], "type": _told(type_, value)}
    return made if value is None else {**made, "default": value}


def _told(type_: str, value: Any) -> Avro:
    base = _AVRO[type_]
    if value is None:
        return base
    return {**(base if isinstance(base, dict) else {"type": base}), "connect.default": value}


def _changed(was: Avro, type_: str) -> Callable[[Avro], Callable[[bytes], bytes]]:
    read, convert = reader(was), _conversion(was, type_)

    def make(made: Avro) -> Callable[[bytes], bytes]:
        write = writer(made)

        def change(piece: bytes) -> bytes:
            value = read(piece)
            return write(None if value is None else convert(value))

        return change

    return make


def _conversion(was: Avro, type_: str) -> Conversion:
    name, meaning = kind(was), logical(was)
    if name in ("STRUCT", "ARRAY", "MAP") or (name == "BYTES" and meaning != DECIMAL and type_ != "string"):
        return _refused(name)
    if type_ == "string":
        return _text(was, name, meaning)
    number = _scaled(was) if meaning == DECIMAL else (lambda value: value)
    if type_ == "boolean":
        return lambda value: value.lower() == "true" if isinstance(value, str) else int(number(value)) != 0
    if type_ in _BITS:
        return lambda value: to_integer(number(value), _BITS[type_])
    return lambda value: _float(number(value), type_)


def _refused(name: str) -> Conversion:
    def refuse(_: Any) -> Any:
        raise Unreadable(f"A value of type {name} can't be cast.")

    return refuse


def _float(value: Any, type_: str) -> float:
    try:
        found = parsed_double(value) if isinstance(value, str) else float(value)
    except ValueError:
        raise Unreadable("A text is no number.") from None
    if type_ == "float64":
        return found
    try:
        return float(struct.unpack("f", struct.pack("f", found))[0])
    except OverflowError:
        return float("inf") if found > 0 else float("-inf")


def _scaled(type_: Avro) -> Conversion:
    scale = int(required(type_).get("scale", 0))
    return lambda value: Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale)


def _text(was: Avro, name: str, meaning: str) -> Conversion:
    if meaning == DECIMAL:
        scaled = _scaled(was)
        return lambda value: str(scaled(value))
    if meaning in (DATE, TIME, TIMESTAMP):
        return _moment(meaning)
    if name == "BYTES":
        return lambda value: base64.b64encode(value).decode()
    if name == "BOOLEAN":
        return lambda value: str(value).lower()
    return {"FLOAT64": double_text, "FLOAT32": float_text}.get(name, str)


def _moment(meaning: str) -> Conversion:
    """As Connect's ``Values`` tells a java.util.Date: in UTC, of one before 1970-01-02 only the time."""

    def tell(value: int) -> str:
        millis = value * 86_400_000 if meaning == DATE else value
        at = _EPOCH + timedelta(milliseconds=millis)
        clock = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}Z"
        if millis < 86_400_000:
            return clock
        day = f"{at.year:04d}-{at:%m-%d}"
        return day if millis % 86_400_000 == 0 else f"{day}T{clock}"

    return tell


KIND = Kind(
    f"{CONNECT}.Cast",
    "Makes fields, or the whole key or value, another primitive type, by Java's rules.",
    Cast,
    ConfigDef(
        (
            Key(
                "spec",
                Type.LIST,
                f"field:type with commas between, or one type for the whole: {', '.join(_AVRO)}.",
                importance="HIGH",
                validator=_spec,
            ),
            REPLACE_NULL,
        )
    ),
    sided=True,
)
