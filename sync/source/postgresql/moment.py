"""date, time, timetz, timestamp and timestamptz in each ``time.precision.mode``.

Called by ``column``. Debezium 3.4's documentation, "Temporal types"; the arithmetic is in ``temporal``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sync.schema import datum
from sync.source.postgresql import form, temporal
from sync.source.postgresql.kind import ColumnType, Encode, Options, named, plain, textual
from sync.source.postgresql.table import PgType

NAMES = frozenset({"date", "time", "timetz", "timestamp", "timestamptz"})
"""The types of this module, as pg_type has them."""


def moment_type(kind: PgType, options: Options) -> ColumnType:
    """Return how a date or time is written; ``kind.modifier`` holds the fraction's digits."""
    digits = kind.modifier if 0 <= kind.modifier <= 6 else 6
    if kind.name == "timestamptz":
        written = _text(
            options, "ZonedTimestamp", lambda value: temporal.zoned_timestamp(value, digits), b"1970-01-01T00:00:00Z"
        )
        return replace(written, form=form.zoned(digits))
    if kind.name == "timetz":
        return _text(options, "ZonedTime", temporal.zoned_time, b"00:00:00Z")
    if kind.name == "date":
        return _date(options)
    return _time(options, digits) if kind.name == "time" else _timestamp(options, digits)


def _text(options: Options, name: str, form: Callable[[bytes], bytes], filler: bytes) -> ColumnType:
    return textual(options, f"io.debezium.time.{name}", lambda value: datum.text(form(value)), filler)


def _connect(base: str, name: str, logical: str) -> dict[str, Any]:
    return named(base, f"org.apache.kafka.connect.data.{name}", logicalType=logical)


def _number(form: Callable[[bytes], int]) -> Encode:
    return lambda value: datum.zigzag(form(value))


def _date(options: Options) -> ColumnType:
    if options.times == "isostring":
        return _text(options, "IsoDate", temporal.iso_date, b"1970-01-01Z")
    connect = options.times == "connect"
    schema = _connect("int", "Date", "date") if connect else named("int", "io.debezium.time.Date")
    return plain(schema, _number(temporal.days), form=form.DAYS)


def _time(options: Options, digits: int) -> ColumnType:
    if options.times == "isostring":
        return _text(options, "IsoTime", temporal.iso_time, b"00:00:00Z")
    if options.times == "connect":
        return plain(_connect("int", "Time", "time-millis"), _number(lambda value: temporal.time_micros(value) // 1000))
    if options.times == "nanoseconds":
        schema = named("long", "io.debezium.time.NanoTime")
        return plain(schema, _number(lambda value: temporal.time_micros(value) * 1000))
    if options.times == "adaptive" and digits <= 3:
        schema = named("int", "io.debezium.time.Time")
        return plain(schema, _number(lambda value: temporal.time_micros(value) // 1000))
    return plain(named("long", "io.debezium.time.MicroTime"), _number(temporal.time_micros))


def _timestamp(options: Options, digits: int) -> ColumnType:
    if options.times == "isostring":
        return _text(options, "IsoTimestamp", temporal.iso_timestamp, b"1970-01-01T00:00:00Z")
    if options.times == "connect":
        schema = _connect("long", "Timestamp", "timestamp-millis")
        return plain(schema, _number(temporal.timestamp_millis), form=form.MILLIS)
    if options.times == "nanoseconds":
        return plain(named("long", "io.debezium.time.NanoTimestamp"), _number(temporal.timestamp_nanos))
    if options.times != "microseconds" and digits <= 3:
        schema = named("long", "io.debezium.time.Timestamp")
        return plain(schema, _number(temporal.timestamp_millis), form=form.MILLIS)
    schema = named("long", "io.debezium.time.MicroTimestamp")
    return plain(schema, _number(temporal.timestamp_micros), form=form.MICROS)
