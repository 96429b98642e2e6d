"""PostgreSQL types → Avro types with Debezium's semantic names, and text values → Avro bytes.

Called once a column when a table's schema is compiled. A value comes as the bytes of PostgreSQL's text
output (pgoutput, or COPY of columns cast to text) under ``DateStyle=ISO``, ``TimeZone=UTC``,
``bytea_output=hex``. The mapping is Debezium 3.4's for PostgreSQL ("Data type mappings" of its documentation)
with one difference: a numeric without a declared precision is a string, not VariableScaleDecimal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sync.source.postgresql import array, datum, temporal
from sync.source.postgresql.table import PgType

Encode = Callable[[bytes], bytes]
"""PostgreSQL's text form → Avro datum; ValueError where the Avro type cannot hold the value."""

UNAVAILABLE = b"__debezium_unavailable_value"
"""Debezium's placeholder for a TOASTed value that the log does not repeat."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a connector's configuration decides about types, under Debezium's names."""

    decimals: str = "precise"
    times: str = "adaptive"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The Avro type of a column, its encoder (None: the bytes are the string) and two stand-ins.

    ``filler`` stands for a NOT NULL column in a key-only old row, ``unavailable`` for an unchanged TOASTed
    value; both are what Debezium writes. ``null`` stands for a NULL, where that is not written as one.
    """

    schema: Any
    encode: Encode | None
    filler: bytes
    unavailable: bytes
    null: bytes | None = None


def column_type(kind: PgType, options: Options) -> ColumnType:
    """Return how values of a PostgreSQL type are written; a type without a rule is a string."""
    if kind.element is not None:
        return _array(column_type(kind.element, options))
    if kind.labels:
        allowed = {"allowed": ",".join(kind.labels)}
        return _string(_named("string", "io.debezium.data.Enum", parameters=allowed))
    if kind.name == "numeric":
        return _numeric(kind.modifier, options.decimals)
    if kind.name in ("date", "time", "timetz", "timestamp", "timestamptz"):
        return _temporal(kind, options.times)
    return _SIMPLE.get(kind.name, _STRING)


def _named(base: str, name: str, *, parameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": base, **more, "connect.version": 1}
    if parameters:
        schema["connect.parameters"] = parameters
    return {**schema, "connect.name": name}


def _string(schema: Any, encode: Encode | None = None) -> ColumnType:
    return ColumnType(schema, encode, datum.text(b""), datum.text(UNAVAILABLE))


def _number(schema: Any, encode: Encode, filler: bytes = b"\x00") -> ColumnType:
    # Numbers and times are never TOASTed; the filler stands in for form's sake.
    return ColumnType(schema, encode, filler, filler)


def _integer(value: bytes) -> bytes:
    return datum.zigzag(int(value))


def _boolean(value: bytes) -> bytes:
    # 't' in the log, 'true' in a column cast to text.
    return b"\x01" if value[:1] == b"t" else b"\x00"


def _bytea(value: bytes) -> bytes:
    return datum.text(bytes.fromhex(value[2:].decode()))


_STRING = _string("string")

_SIMPLE = {
    "bool": _number("boolean", _boolean),
    "int2": _number({"type": "int", "connect.type": "int16"}, _integer),
    "int4": _number("int", _integer),
    "int8": _number("long", _integer),
    "oid": _number("long", _integer),
    "float4": _number("float", lambda value: datum.single(float(value)), bytes(4)),
    "float8": _number("double", lambda value: datum.double(float(value)), bytes(8)),
    "bytea": _string("bytes", _bytea),
    "uuid": _string(_named("string", "io.debezium.data.Uuid")),
    "json": _string(_named("string", "io.debezium.data.Json")),
    "jsonb": _string(_named("string", "io.debezium.data.Json")),
    "xml": _string(_named("string", "io.debezium.data.Xml")),
}


def _numeric(modifier: int, decimals: str) -> ColumnType:
    if decimals == "double":
        return _number("double", lambda value: datum.double(float(value)), bytes(8))
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    # PostgreSQL 15 allows a negative scale (11 bits, signed) and one above the precision; Avro neither.
    if decimals == "string" or modifier < 4 or scale > precision:
        return _STRING

    def encode(value: bytes) -> bytes:
        whole, _, fraction = value.partition(b".")
        return datum.decimal(int(whole + fraction.ljust(scale, b"0")))

    parameters = {"scale": str(scale), "connect.decimal.precision": str(precision)}
    schema = {
        "type": "bytes",
        "scale": scale,
        "precision": precision,
        "connect.version": 1,
        "connect.parameters": parameters,
        "connect.name": "org.apache.kafka.connect.data.Decimal",
        "logicalType": "decimal",
    }
    return ColumnType(schema, encode, datum.decimal(0), datum.decimal(0))


def _temporal(kind: PgType, times: str) -> ColumnType:
    digits = kind.modifier if 0 <= kind.modifier <= 6 else 6
    if kind.name == "timestamptz":
        schema = _named("string", "io.debezium.time.ZonedTimestamp")
        return _string(schema, lambda value: datum.text(temporal.zoned_timestamp(value, digits)))
    if kind.name == "timetz":
        return _string(
            _named("string", "io.debezium.time.ZonedTime"),
            lambda value: datum.text(temporal.zoned_time(value, digits)),
        )
    if kind.name == "date":
        schema = (
            _named("int", "org.apache.kafka.connect.data.Date", logicalType="date")
            if times == "connect"
            else _named("int", "io.debezium.time.Date")
        )
        return _number(schema, lambda value: datum.zigzag(temporal.days(value)))
    if kind.name == "time":
        return _time(times, digits)
    return _timestamp(times, digits)


def _micros(value: bytes) -> bytes:
    return datum.zigzag(temporal.timestamp_micros(value))


def _millis(value: bytes) -> bytes:
    return datum.zigzag(temporal.timestamp_micros(value) // 1000)


def _timestamp(times: str, digits: int) -> ColumnType:
    if times == "connect":
        name = "org.apache.kafka.connect.data.Timestamp"
        return _number(_named("long", name, logicalType="timestamp-millis"), _millis)
    if digits <= 3:
        return _number(_named("long", "io.debezium.time.Timestamp"), _millis)
    return _number(_named("long", "io.debezium.time.MicroTimestamp"), _micros)


def _time(times: str, digits: int) -> ColumnType:
    def millis(value: bytes) -> bytes:
        return datum.zigzag(temporal.time_micros(value) // 1000)

    if times == "connect":
        name = "org.apache.kafka.connect.data.Time"
        return _number(_named("int", name, logicalType="time-millis"), millis)
    if times == "adaptive" and digits <= 3:
        return _number(_named("int", "io.debezium.time.Time"), millis)
    schema = _named("long", "io.debezium.time.MicroTime")
    return _number(schema, lambda value: datum.zigzag(temporal.time_micros(value)))


def _array(element: ColumnType) -> ColumnType:
    schema = {"type": "array", "items": ["null", element.schema]}
    encode = element.encode or datum.text

    def encode_array(value: bytes) -> bytes:
        items = array.elements(value)
        if not items:
            return b"\x00"
        body = b"".join(datum.NULL if item is None else datum.SOME + encode(item) for item in items)
        return datum.zigzag(len(items)) + body + b"\x00"

    textual = element.encode is None
    unavailable = encode_array(b'{"' + UNAVAILABLE + b'"}') if textual else b"\x00"
    return ColumnType(schema, encode_array, b"\x00", unavailable)
