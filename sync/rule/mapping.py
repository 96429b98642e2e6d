"""From a source's columns to the canonical names of a dataset.

Called by ``sync.process.validate`` before ``sync.rule.cleaning.clean``. Renames and recodes; types stay the source's
own, except that integers with a Debezium meaning become dates and times.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from sync.rule.model import FieldMapping, SourceMapping

_DEBEZIUM: dict[str, pl.DataType] = {
    "io.debezium.time.Date": pl.Date(),
    "org.apache.kafka.connect.data.Date": pl.Date(),
    "io.debezium.time.MicroTimestamp": pl.Datetime("us"),
    "io.debezium.time.Timestamp": pl.Datetime("ms"),
    "io.debezium.time.NanoTimestamp": pl.Datetime("ns"),
    "org.apache.kafka.connect.data.Timestamp": pl.Datetime("ms"),
}


def _source(mapping: FieldMapping, column: str, dtype: pl.DataType, meaning: str | None) -> pl.Expr:
    """The expression of one mapped column."""
    value = pl.col(column)
    if meaning in _DEBEZIUM and dtype.is_integer():
        value = value.cast(_DEBEZIUM[meaning])
    if not mapping.values:
        return value
    text = value.cast(pl.String).str.strip_chars()
    recoded = text.replace_strict(
        list(mapping.values), list(mapping.values.values()), default=None, return_dtype=pl.String
    )
    return pl.coalesce(recoded, text)


def map_columns(
    frame: pl.DataFrame, mapping: SourceMapping, semantics: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Return the mapped columns of ``frame`` under their canonical names, as many rows in the same order.

    A canonical field whose source column is absent is absent; a constant is filled in. ``semantics`` gives the Connect
    name (``io.debezium.time.Date``) of source columns whose Avro type alone does not tell.
    """
    semantics = semantics or {}
    chosen: list[pl.Expr] = []
    for field in mapping.fields:
        if field.column is None:
            chosen.append(pl.lit(field.constant, dtype=pl.String).alias(field.field))
        elif field.column in frame.columns:
            dtype = frame.schema[field.column]
            chosen.append(_source(field, field.column, dtype, semantics.get(field.column)).alias(field.field))
    if not chosen:
        return pl.DataFrame(height=frame.height)
    # Constants alone would give one row.
    return frame.with_columns(chosen).select(field.field for field in mapping.fields if _kept(field, frame))


def _kept(field: FieldMapping, frame: pl.DataFrame) -> bool:
    return field.column is None or field.column in frame.columns
