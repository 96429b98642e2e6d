"""``TimestampConverter``: times as texts, numbers, or Connect's Date, Time and Timestamp, one into the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import ConfigError, Unreadable
from sync.transform.dateformat import DateFormat
from sync.transform.kinds import CONNECT, Kind
from sync.transform.piece import reader, writer
from sync.transform.record import Column, Records
from sync.transform.schema import DATE, TIME, TIMESTAMP, Avro, Schema, field, is_optional, kind, logical
from sync.transform.step import REPLACE_NULL, FieldStep, Plan, one_changed

_DAY = 86_400_000
_PRECISIONS = {"seconds": (1000, 1), "milliseconds": (1, 1), "microseconds": (1, 1000), "nanoseconds": (1, 1_000_000)}
"""What a number is multiplied with and divided by, to be milliseconds."""


def _logical(type_: str, name: str, avro: str) -> Avro:
    return {"type": type_, "connect.version": 1, "connect.name": name, "logicalType": avro}


_TYPES: dict[str, Avro] = {
    "string": "string",
    "unix": "long",
    "Date": _logical("int", DATE, "date"),
    "Time": _logical("int", TIME, "time-millis"),
    "Timestamp": _logical("long", TIMESTAMP, "timestamp-millis"),
}

Conversion = Callable[[Any], Any]


class TimestampConverter(FieldStep):
    """A ``record.Transform``."""

    purpose = "converting timestamp formats"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        self._field, self._target = values["field"], values["target.type"]
        self._times, self._parts = _PRECISIONS[values["unix.precision"]]
        self._format = _format(values["format"], self._target)
        self._whole: dict[Schema, tuple[Schema, Callable[[bytes], bytes]]] = {}

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``."""
        place = schema.places.get(self._field)
        if place is None:
            return schema, None
        was = schema.fields[place]["type"]
        made = field(self._field, _TYPES[self._target], optional=is_optional(was))
        fields = [*schema.fields[:place], made, *schema.fields[place + 1 :]]
        return schema.of(fields), one_changed(place, self._change(was, made["type"]))

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        column = records.side(self.side)
        if self._field or column.schema is None:
            return super().apply(records)
        found = self._whole.get(column.schema)
        if found is None:
            made = Schema(_TYPES[self._target])
            found = self._whole[column.schema] = made, self._change(column.schema.type, made.type)
        return [records.having(self.side, Column(found[0], datums=list(map(found[1], column.datums))))]

    def _change(self, was: Avro, type_: Avro) -> Callable[[bytes], bytes]:
        read, write = reader(was), writer(type_)
        come, go = self._read(was), self._written()

        def change(piece: bytes) -> bytes:
            value = read(piece)
            return write(None if value is None else go(come(value)))

        return change

    def _read(self, type_: Avro) -> Conversion:
        """From a value to milliseconds since 1970."""
        meaning, name = logical(type_), kind(type_)
        if meaning == DATE:
            return lambda days: days * _DAY
        if meaning in (TIME, TIMESTAMP):
            return lambda millis: millis
        if name == "INT64":
            times, parts = self._times, self._parts
            # As Java divides: towards zero.
            return lambda value: value * times // parts if value >= 0 else -(-value * times // parts)
        if name == "STRING":
            return self._parsed
        raise Unreadable(f"A field of type {name} does not correspond to a known timestamp type format.")

    def _parsed(self, text: str) -> int:
        if self._format is None:
            raise Unreadable("The configuration of TimestampConverter has no format for times that are texts.")
        try:
            return self._format.parse(text)
        except (ValueError, OverflowError):
            raise Unreadable("Could not parse timestamp: the text does not match the format.") from None

    def _written(self) -> Conversion:
        """From milliseconds since 1970 to a value of the target."""
        if self._target == "string":
            assert self._format is not None
            return self._format.format
        if self._target == "unix":
            times, parts = self._times, self._parts
            return lambda millis: millis * parts // times if millis >= 0 else -(-millis * parts // times)
        if self._target == "Date":
            return lambda millis: millis // _DAY
        if self._target == "Time":
            return lambda millis: millis % _DAY
        return lambda millis: millis


def _format(pattern: str, target: str) -> DateFormat | None:
    if not pattern:
        if target == "string":
            raise ConfigError(
                "TimestampConverter requires format option to be specified when using string timestamps.",
                hint="set format to a pattern such as yyyy-MM-dd HH:mm:ss",
            )
        return None
    try:
        return DateFormat(pattern)
    except ValueError as error:
        raise ConfigError(
            f"TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {error}.",
            hint="correct format",
        ) from error


KIND = Kind(
    f"{CONNECT}.TimestampConverter",
    "Makes times texts, numbers, or Connect's Date, Time and Timestamp, one of the other.",
    TimestampConverter,
    ConfigDef(
        (
            Key("field", Type.STRING, "The field; the whole key or value when empty.", "", importance="HIGH"),
            Key("target.type", Type.STRING, "What to make of it.", importance="HIGH", recommended=tuple(_TYPES)),
            Key(
                "format",
                Type.STRING,
                "The pattern of texts, as Java's SimpleDateFormat.",
                "",
                differs="Letters y M d D H h k K m s S a E z Z X; English names, UTC.",
            ),
            Key(
                "unix.precision",
                Type.STRING,
                "What a number counts.",
                "milliseconds",
                importance="LOW",
                recommended=("nanoseconds", "microseconds", "milliseconds", "seconds"),
            ),
            REPLACE_NULL,
        )
    ),
    sided=True,
)
