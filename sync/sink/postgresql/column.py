"""Avro fields to PostgreSQL columns: the type a new column gets, and the text COPY sends for each value.

Called by the task when it meets a schema (``columns_of``) and for each batch (``csv``). Pure. The texts are read by
the input functions of the target's own column types, so an existing column may have another type than the one that we
would create, as long as PostgreSQL reads the text as that type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from sync.errors import ConfigError
from sync.sink.postgresql.temporal import date_text, each, time_text, timestamp_text

Text = Callable[[pl.Series], pl.Series]
"""A decoded column to a column that ``write_csv`` writes in a form PostgreSQL reads."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ``field`` in the decoded frame, ``name`` and SQL ``type`` in the target, ``text`` for COPY.

    ``base`` is an existing column's type without its length.
    """

    field: str
    name: str
    type: str
    text: Text
    base: str = ""


def _same(series: pl.Series) -> pl.Series:
    return series


def _string(series: pl.Series) -> pl.Series:
    return series.cast(pl.String)


def _bytea(series: pl.Series) -> pl.Series:
    return pl.select(pl.lit("\\x") + series.bin.encode("hex")).to_series().alias(series.name)


def _days(series: pl.Series) -> pl.Series:
    return date_text(series.to_physical().cast(pl.Int64))


def _micros(series: pl.Series, factor: int, divisor: int) -> pl.Series:
    """Microseconds of a temporal column: of the decoder's own dtypes, or integers of ``factor / divisor`` each."""
    if isinstance(series.dtype, pl.Datetime):
        return series.cast(pl.Datetime("us", series.dtype.time_zone)).to_physical()
    if series.dtype == pl.Time:
        return series.to_physical() // 1000
    units = series.cast(pl.Int64)
    if factor > 1:
        # Polars wraps on overflow. 2^63 microseconds are 292,000 years: what is beyond becomes an infinity.
        return units.clip(-(2**63) // factor + 1, (2**63 - 1) // factor) * factor
    return units // divisor if divisor > 1 else units


def _scaled(text: Text, factor: int, divisor: int = 1) -> Text:
    return lambda series: text(_micros(series, factor, divisor))


def _interval(series: pl.Series) -> pl.Series:
    return pl.select(series.cast(pl.String) + pl.lit(" microseconds")).to_series().alias(series.name)


def _unscaled(data: bytes, scale: int) -> str:
    """Two's complement, big-endian, times ten to the -scale: exact at any length, in a form ``numeric`` reads."""
    return f"{int.from_bytes(data, 'big', signed=True)}e{-scale}"


def _decimal(scale: int) -> Text:
    def decimal(series: pl.Series) -> pl.Series:
        # The decoder leaves numbers of more than 38 digits as the bytes they are.
        return each(series, lambda v: _unscaled(v, scale)) if series.dtype == pl.Binary else _string(series)

    return decimal


def _variable_decimal(series: pl.Series) -> pl.Series:
    """io.debezium.data.VariableScaleDecimal: a record of scale and unscaled value."""
    return each(series, lambda v: _unscaled(v["value"], v["scale"]))


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def json_text(series: pl.Series) -> pl.Series:
    """Nested values as JSON text: bytes in hexadecimal, dates in ISO form."""
    return each(series, _json)


def _map_text(series: pl.Series) -> pl.Series:
    """Maps, which the decoder gives as lists of (key, value), as JSON objects."""
    return each(series, lambda value: _json({pair["key"]: pair["value"] for pair in value}))


def _array(inner: Text) -> Text:
    """PostgreSQL's array literal: every element quoted, backslash and quote escaped, NULL bare."""

    def array(series: pl.Series) -> pl.Series:
        frame = pl.DataFrame({"row": pl.int_range(len(series), eager=True), "item": series})
        full = frame.filter(pl.col("item").list.len() > 0).explode("item")
        texts = _string(inner(full["item"])).str.replace_all("\\", "\\\\", literal=True)
        quoted = pl.lit('"') + texts.str.replace_all('"', '\\"', literal=True) + pl.lit('"')
        items = full.select("row", item=quoted.fill_null("NULL"))
        joined = items.group_by("row", maintain_order=True).agg(pl.col("item").str.join(","))
        sizes = frame.select("row", size=pl.col("item").list.len())
        rows = sizes.join(joined, on="row", how="left", maintain_order="left")
        literal = pl.lit("{") + pl.col("item").fill_null("") + pl.lit("}")
        return rows.select(pl.when(pl.col("size").is_not_null()).then(literal)).to_series().alias(series.name)

    return array


_PRIMITIVE: Mapping[str, tuple[str, Text]] = {
    "string": ("text", _same),
    "enum": ("text", _string),
    "int": ("integer", _same),
    "long": ("bigint", _same),
    "boolean": ("boolean", _same),
    "float": ("real", _same),
    "double": ("double precision", _same),
    "bytes": ("bytea", _bytea),
    "fixed": ("bytea", _bytea),
}

_SEMANTIC: Mapping[str, tuple[str, Text]] = {
    # Avro's logical types
    "date": ("date", _days),
    "time-millis": ("time", _scaled(time_text, 1000)),
    "time-micros": ("time", _scaled(time_text, 1)),
    "timestamp-millis": ("timestamptz", _scaled(timestamp_text, 1000)),
    "timestamp-micros": ("timestamptz", _scaled(timestamp_text, 1)),
    "local-timestamp-millis": ("timestamp", _scaled(timestamp_text, 1000)),
    "local-timestamp-micros": ("timestamp", _scaled(timestamp_text, 1)),
    "uuid": ("uuid", _string),
    # Kafka Connect's logical types
    "org.apache.kafka.connect.data.Date": ("date", _days),
    "org.apache.kafka.connect.data.Time": ("time", _scaled(time_text, 1000)),
    "org.apache.kafka.connect.data.Timestamp": ("timestamp", _scaled(timestamp_text, 1000)),
    # Debezium's semantic types
    "io.debezium.time.Date": ("date", _days),
    "io.debezium.time.Time": ("time", _scaled(time_text, 1000)),
    "io.debezium.time.MicroTime": ("time", _scaled(time_text, 1)),
    "io.debezium.time.NanoTime": ("time", _scaled(time_text, 1, 1000)),
    "io.debezium.time.ZonedTime": ("timetz", _same),
    "io.debezium.time.Timestamp": ("timestamp", _scaled(timestamp_text, 1000)),
    "io.debezium.time.MicroTimestamp": ("timestamp", _scaled(timestamp_text, 1)),
    "io.debezium.time.NanoTimestamp": ("timestamp", _scaled(timestamp_text, 1, 1000)),
    "io.debezium.time.ZonedTimestamp": ("timestamptz", _same),
    "io.debezium.time.MicroDuration": ("interval", _interval),
    "io.debezium.time.Interval": ("interval", _same),
    "io.debezium.data.Json": ("jsonb", _same),
    "io.debezium.data.Uuid": ("uuid", _same),
    "io.debezium.data.Xml": ("xml", _same),
    "io.debezium.data.VariableScaleDecimal": ("numeric", _variable_decimal),
}


def _single(avro: Any, name: str) -> Any:
    """The type beside null of a union; a union of two real types has no column type."""
    if not isinstance(avro, list):
        return avro
    real = [branch for branch in avro if branch != "null"]
    if len(real) != 1:
        raise ConfigError(
            f"Field {name} is a union of {len(real)} types, which no PostgreSQL column holds.",
            hint="give the field one type beside null in the topic's schema",
        )
    return real[0]


def _mapping(avro: Any, name: str) -> tuple[str, Text]:
    avro = _single(avro, name)
    if isinstance(avro, str):
        # Any other name is a record or an enum defined earlier in the schema.
        return _PRIMITIVE.get(avro, ("jsonb", json_text))
    kind = avro["type"]
    if isinstance(kind, (dict, list)):
        return _mapping(kind, name)
    if avro.get("logicalType") == "decimal":
        return f"numeric({avro['precision']},{avro.get('scale', 0)})", _decimal(avro.get("scale", 0))
    for semantic in (avro.get("connect.name"), avro.get("logicalType")):
        if semantic in _SEMANTIC:
            return _SEMANTIC[semantic]
    if kind == "array":
        sql, text = _mapping(avro["items"], name)
        if sql == "jsonb" or sql.endswith("[]"):
            return "jsonb", json_text
        return f"{sql}[]", _array(text)
    if kind in _PRIMITIVE:
        return _PRIMITIVE[kind]
    return "jsonb", _map_text if kind == "map" else json_text


def column_of(field: Mapping[str, Any]) -> Column:
    """The column of one Avro field (its dict with ``name`` and ``type``).

    Sources: Debezium's PostgreSQL connector documentation, "Data type mappings", and its JDBC sink's for the target
    types. Raises ConfigError for a union of several types.
    """
    name = str(field["name"])
    sql, text = _mapping(field["type"], name)
    return Column(name, name, sql, text)


def for_target(column: Column, name: str, type_: str, base: str) -> Column:
    """The same column for an existing target column of another name or type (``format_type``'s words)."""
    text = column.text
    if type_ in ("json", "jsonb") and column.type.endswith("[]"):
        text = json_text
    return replace(column, name=name, type=type_, text=text, base=base)


def arrays(frame: pl.DataFrame, columns: Sequence[Column]) -> list[list[str | None]]:
    """The rows of ``frame`` as one list of texts for each column (``statement.given``); for few rows."""
    return [_string(column.text(frame.get_column(column.field))).to_list() for column in columns]


def csv(frame: pl.DataFrame, columns: Sequence[Column]) -> bytes:
    """The rows of ``frame`` as CSV for ``COPY … (FORMAT csv)``: null is empty, the empty string is ``""``."""
    out = [column.text(frame.get_column(column.field)) for column in columns]
    # A lone \. on a line ends the data before PostgreSQL 18, and only a single column can write one: quote it.
    style: Literal["always", "necessary"] = "always" if len(out) == 1 and not out[0].has_nulls() else "necessary"
    names = [str(index) for index in range(len(out))]
    table = pl.DataFrame([series.alias(name) for series, name in zip(out, names, strict=True)])
    return table.write_csv(include_header=False, quote_style=style).encode()
