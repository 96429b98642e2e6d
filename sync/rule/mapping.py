"""From a source's columns to the canonical names of a dataset.

Called by ``sync.process.validate`` before ``sync.rule.cleaning.clean``. Renames and recodes; types stay the source's
own, except that integers with a Debezium meaning become dates and times, and decimals of any scale become text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import polars as pl

from sync.rule.index import Index
from sync.rule.model import SourceMapping

_DEBEZIUM: dict[str, pl.DataType] = {
    "io.debezium.time.Date": pl.Date(),
    "org.apache.kafka.connect.data.Date": pl.Date(),
    "io.debezium.time.MicroTimestamp": pl.Datetime("us"),
    "io.debezium.time.Timestamp": pl.Datetime("ms"),
    "io.debezium.time.NanoTimestamp": pl.Datetime("ns"),
    "org.apache.kafka.connect.data.Timestamp": pl.Datetime("ms"),
}


_VARIABLE_DECIMAL = "io.debezium.data.VariableScaleDecimal"


def _plain(number: Mapping[str, Any] | None) -> str | None:
    """The text of a record of scale and unscaled value (two's complement, big-endian), exact at any length."""
    if number is None:
        return None
    unscaled, scale = int.from_bytes(number["value"], "big", signed=True), number["scale"]
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    whole = f"{digits[:-scale]}.{digits[-scale:]}" if scale > 0 else digits + "0" * -scale
    return f"-{whole}" if unscaled < 0 else whole


@lru_cache(maxsize=512)
def _recode(field: str, values: tuple[tuple[str, str], ...]) -> pl.Expr:
    """The expression that recodes the text of ``field``; kept, as to build it costs more than to use it on few rows."""
    text = pl.col(field).str.strip_chars()
    codes = Index([found for found, _ in values], {"code": [code for _, code in values]})
    return pl.coalesce(codes.get(text, "code"), text).alias(field)


def map_columns(
    frame: pl.DataFrame, mapping: SourceMapping, semantics: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Return the mapped columns of ``frame`` under their canonical names, as many rows in the same order.

    A canonical field whose source column is absent is absent; a constant is filled in. ``semantics`` gives the Connect
    name (``io.debezium.time.Date``) of source columns whose Avro type alone does not tell.
    """
    semantics = semantics or {}
    there = {column.name: column for column in frame.get_columns()}
    # Series, as an expression for each of a hundred columns would cost more than a small batch.
    mapped: dict[str, pl.Series] = {}
    recoded: dict[str, pl.Expr] = {}
    for field in mapping.fields:
        if field.column is None:
            constant = pl.Series(field.field, [field.constant], dtype=pl.String)
            mapped[field.field] = constant.new_from_index(0, frame.height)
        elif field.column in there:
            column = there[field.column].alias(field.field)
            kind = _DEBEZIUM.get(semantics.get(field.column, ""))
            if kind is not None and column.dtype.is_integer():
                column = column.cast(kind)
            elif semantics.get(field.column) == _VARIABLE_DECIMAL and isinstance(column.dtype, pl.Struct):
                column = pl.Series(field.field, map(_plain, column), dtype=pl.String)
            if field.values:
                column = column.cast(pl.String)
                if column.null_count() < frame.height:
                    recoded[field.field] = _recode(field.field, tuple(field.values.items()))
            mapped[field.field] = column
    if recoded:
        texts = pl.DataFrame([mapped[name] for name in recoded])
        mapped |= {column.name: column for column in texts.select(recoded.values()).get_columns()}
    return pl.DataFrame(list(mapped.values())) if mapped else pl.DataFrame(height=frame.height)
