"""The types of expressions, and which Polars column stands for each."""

from __future__ import annotations

from enum import Enum

import polars as pl

from sync.rule.model import Field, FieldType


class Kind(Enum):
    """The type of an expression; the value is what messages call it."""

    TEXT = "text"
    INTEGER = "a whole number"
    DECIMAL = "a number"
    DATE = "a date"
    PARTIAL = "a partial date"
    MOMENT = "a time"
    TRUTH = "true or false"
    INTERVAL = "an interval"
    NOTHING = "null"

    def __str__(self) -> str:
        return self.value


NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})
DAYS = frozenset({Kind.DATE, Kind.PARTIAL})

_OF_FIELD: dict[FieldType, Kind] = {
    "string": Kind.TEXT,
    "partial_date": Kind.PARTIAL,
    "date": Kind.DATE,
    "datetime": Kind.MOMENT,
    "decimal": Kind.DECIMAL,
    "int": Kind.INTEGER,
    "bool": Kind.TRUTH,
}

_DTYPES: dict[Kind, pl.DataType] = {
    Kind.TEXT: pl.String(),
    Kind.INTEGER: pl.Int64(),
    Kind.DECIMAL: pl.Decimal(38, 6),
    Kind.DATE: pl.Date(),
    Kind.PARTIAL: pl.String(),
    Kind.MOMENT: pl.Datetime("us", "UTC"),
    Kind.TRUTH: pl.Boolean(),
}


def notation(kind: Kind, value: pl.Expr) -> pl.Expr:
    """A key's text, the same in tables, golden records and the records that ask: numbers of either kind agree."""
    if kind is Kind.TEXT:
        return value
    if kind in NUMBERS:
        return value.cast(pl.Decimal(38, 6)).cast(pl.String)
    return value.cast(pl.String)


def of_field(field: Field) -> Kind:
    """The type of a field."""
    return _OF_FIELD[field.type]


def dtype_of(kind: Kind) -> pl.DataType:
    """The Polars type of a column of ``kind``; that of null for a null."""
    return _DTYPES.get(kind, pl.Null())
