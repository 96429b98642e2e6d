"""How a frame's columns are checked and brought to what Polars writes with the bytes that an Avro schema asks for.

Pure; used by ``sync.schema.columns``. Polars writes each column as ``["null", T]`` with T string, int, long, boolean,
float, double or bytes. Everything else becomes one of them first: a date its day number, a timestamp its count, a
decimal its two's complement bytes, an enum its index. A schema that needs more (records in records, arrays, maps,
fixed, a union with null in the second place) is written row by row with fastavro: slower, the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import fastavro
import polars as pl

from sync.errors import Incompatible
from sync.schema.plan import LOGICAL, MOST_DIGITS, PRIMITIVES, DType

_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_LOSSLESS: dict[DType, tuple[Any, ...]] = {
    pl.String: (pl.Categorical, pl.Enum),
    pl.Int32: _INTEGERS,
    pl.Int64: _INTEGERS,
    pl.Float64: (pl.Float32, pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32),
}

_LEADING = 16
"""The first fields, up to the last of them that must not be null, are written one by one."""

Fit = Callable[[pl.Series], pl.Series]
"""Brings a column to the dtype that is written; raises ``MisfitError`` saying what is wrong, without a value."""


class MisfitError(ValueError):
    """A column doesn't fit its field."""


@dataclass(frozen=True, slots=True)
class Target:
    """A field that is written as a column."""

    name: str
    nullable: bool
    fit: Fit


@dataclass(frozen=True, slots=True)
class Writing:
    """``targets`` are the fields as columns; None where the schema is written row by row.

    ``head``: how many fields in front are written by ``leading``, the others by Polars.
    """

    schema: Any
    names: tuple[str, ...]
    targets: tuple[Target, ...] | None
    head: int

    @property
    def required(self) -> int:
        """The number of fields that aren't nullable among those that Polars writes."""
        return sum(not target.nullable for target in (self.targets or ())[self.head :])


def writing(schema: Mapping[str, Any]) -> Writing:
    """Plan how records of ``schema`` are written."""
    fields = schema["fields"]
    targets = tuple(target for field in fields if (target := _target(field)) is not None)
    names = tuple(str(field["name"]) for field in fields)
    head = max((place for place, target in enumerate(targets[:_LEADING], 1) if not target.nullable), default=0)
    return Writing(schema, names, targets if len(targets) == len(fields) else None, head)


def _target(field: Mapping[str, Any]) -> Target | None:
    kind = field["type"]
    nullable = isinstance(kind, list)
    if nullable:
        if len(kind) != 2 or kind[0] != "null":
            return None
        kind = kind[1]
    fit = _fit(kind)
    return None if fit is None else Target(str(field["name"]), nullable, fit)


def _fit(kind: Any) -> Fit | None:
    if isinstance(kind, str):
        kind = {"type": kind}
    base, logical = kind.get("type"), str(kind.get("logicalType"))
    if base == "enum":
        return _enum(list(kind["symbols"]))
    if not isinstance(base, str) or base not in PRIMITIVES:
        return None
    if base == "bytes" and logical == "decimal" and 0 < int(kind["precision"]) <= MOST_DIGITS:
        return _decimal(int(kind["precision"]), int(kind.get("scale", 0)))
    if (base, logical) in LOGICAL:
        return _temporal(base, logical)
    return _plain(PRIMITIVES[base])


def _plain(wanted: DType) -> Fit:
    def fit(column: pl.Series) -> pl.Series:
        if column.dtype == wanted:
            return column
        if column.dtype != pl.Null and not any(column.dtype == other for other in _LOSSLESS.get(wanted, ())):
            raise MisfitError(f"is a column of {column.dtype}, which isn't {wanted}")
        try:
            return column.cast(wanted)
        except pl.exceptions.PolarsError:
            raise MisfitError(f"has a value that is out of the range of {wanted}") from None

    return fit


def _temporal(base: str, logical: str) -> Fit:
    plain = _plain(PRIMITIVES[base])
    unit = "ms" if logical.endswith("millis") else "us"
    wanted = LOGICAL[base, logical]

    def fit(column: pl.Series) -> pl.Series:
        if column.dtype == pl.Datetime and logical.startswith(("timestamp", "local")):
            zone = getattr(column.dtype, "time_zone", None)
            if zone is not None and logical.startswith("local"):
                raise MisfitError(f"is a column of {column.dtype}, and the field has no time zone")
            if getattr(column.dtype, "time_unit", None) != unit:
                column = column.dt.cast_time_unit(unit)  # type: ignore[arg-type]
            # A cast is one call; to_physical is a query of its own, which counts in a frame of a hundred columns.
            return column.cast(pl.Int64)
        if column.dtype == wanted and wanted == pl.Date:
            return column.cast(pl.Int32)
        if column.dtype == wanted and wanted == pl.Time:
            return (column.to_physical() // (1_000_000 if unit == "ms" else 1_000)).cast(PRIMITIVES[base])
        return plain(column)

    return fit


def _enum(symbols: Sequence[str]) -> Fit:
    text, dtype = _plain(pl.String), pl.Enum(symbols)

    def fit(column: pl.Series) -> pl.Series:
        try:
            return text(column).cast(dtype).to_physical().cast(pl.Int32)
        except pl.exceptions.PolarsError:
            raise MisfitError("has a value that isn't one of the enum's symbols") from None

    return fit


def _decimal(precision: int, scale: int) -> Fit:
    limit = 10**precision

    def translated(number: int, shift: int) -> bytes:
        scaled, rest = (number * 10**shift, 0) if shift >= 0 else divmod(number, 10**-shift)
        if rest or not -limit < scaled < limit:
            raise MisfitError(f"has a value that doesn't fit into decimal({precision},{scale})")
        return unscaled(scaled)

    def fit(column: pl.Series) -> pl.Series:
        if column.dtype == pl.Null:
            return column.cast(pl.Binary)
        if column.dtype.is_integer():
            column = column.cast(pl.Decimal(MOST_DIGITS, 0))
        if not isinstance(column.dtype, pl.Decimal):
            raise MisfitError(f"is a column of {column.dtype}, which isn't a decimal")
        shift = scale - column.dtype.scale
        numbers = column.to_physical().to_list()
        # Few of a column's amounts differ (coefficients, allowances), so each is translated once.
        texts = {number: translated(number, shift) for number in set(numbers) if number is not None}
        return pl.Series(column.name, [texts.get(number) for number in numbers], dtype=pl.Binary)

    return fit


def unscaled(number: int) -> bytes:
    """Return the shortest two's complement, big endian, as Avro's decimals are kept."""
    return number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True)


def fitted(frame: pl.DataFrame, plan: Writing, name: str) -> list[pl.Series]:
    """Return the columns as they are written, in the schema's order. Raises Incompatible naming the field."""
    there = frozenset(frame.columns)
    missing = [field for field in plan.names if field not in there]
    if missing:
        raise Incompatible(f"A frame for {name} has no column {', '.join(missing)}.", hint="add it, null if unknown")
    columns = []
    for target in plan.targets or ():
        column = frame.get_column(target.name)
        if not target.nullable and column.null_count():
            raise Incompatible(
                f"Field {target.name} of {name} must not be null, and is in {column.null_count()} rows.",
                hint="reject such records before they are written",
            )
        try:
            columns.append(target.fit(column))
        except MisfitError as error:
            raise Incompatible(f"Field {target.name} of {name} {error}.", hint="cast the column first") from None
    return columns


def rows(frame: pl.DataFrame, plan: Writing, name: str) -> list[bytes]:
    """Return the datums of a schema that isn't written by columns. Raises Incompatible."""
    there = frozenset(frame.columns)
    missing = [field for field in plan.names if field not in there]
    if missing:
        raise Incompatible(f"A frame for {name} has no column {', '.join(missing)}.", hint="add it, null if unknown")
    parsed = fastavro.parse_schema(dict(plan.schema))
    datums = []
    for index, row in enumerate(frame.select(plan.names).iter_rows(named=True)):
        out = io.BytesIO()
        try:
            fastavro.schemaless_writer(out, parsed, _value(row, plan.schema))
        except Exception as error:  # noqa: BLE001 - the driver raises many kinds for a value that doesn't fit
            # Its message may quote the value (invariant 7).
            raise Incompatible(f"Row {index} of a frame doesn't fit {name} ({type(error).__name__}).") from None
        datums.append(out.getvalue())
    return datums


def _value(value: Any, schema: Any) -> Any:
    """A frame's value as fastavro takes it: times with a zone, a map as a dict."""
    if value is None:
        return None
    if isinstance(schema, list):
        others = [branch for branch in schema if branch != "null"]
        return _value(value, others[0]) if len(others) == 1 else value
    if not isinstance(schema, Mapping):
        return value
    kind = schema["type"]
    if kind == "record":
        return {field["name"]: _value(value.get(field["name"]), field["type"]) for field in schema["fields"]}
    if kind == "array":
        return [_value(item, schema["items"]) for item in value]
    if kind == "map":
        return {entry["key"]: _value(entry["value"], schema["values"]) for entry in value}
    if isinstance(value, datetime) and value.tzinfo is None and str(schema.get("logicalType")).startswith("timestamp"):
        return value.replace(tzinfo=UTC)
    if isinstance(value, datetime | date) or isinstance(kind, str):
        return value
    return _value(value, kind)
