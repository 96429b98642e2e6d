"""Cleaning and checking of a batch: the dataset's steps in their order, then all checks at once.

Called by ``sync.process.validate`` on mapped columns. Pure: no I/O, the day of judgement is given. Assumes rules that
``sync.schema.dataset`` loaded; step and check functions are found in the family modules of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from sync.rule.batch import Batch, DateFormat, find_step
from sync.rule.judging import Plan, plan
from sync.rule.model import Cleaned, CleanSpec, Field, Reference, RuleSet

_FIXES = {"row": pl.UInt32, "field": pl.String, "rule": pl.String}
_VIOLATIONS = {**_FIXES, "severity": pl.String}
_CLOSING = (CleanSpec("date", "VR10"), CleanSpec("number", "VR10"))


def clean(
    frame: pl.DataFrame,
    fields: Sequence[Field],
    rules: RuleSet,
    reference: Reference,
    today: date,
    *,
    date_format: DateFormat = "dmy",
) -> Cleaned:
    """Clean and check the rows of ``frame`` (canonical names, any types; other columns are ignored).

    Returns all canonical fields in the order of ``fields``, typed (``Field.dtype``), rows in the order given. Cleaning
    what was cleaned changes nothing. Raises ConfigError for an unknown step or check, or a missing reference table.
    """
    compiled = plan(fields, rules, reference, today)
    batch = _batch(frame, compiled, date_format)
    for spec in rules.clean:
        find_step(spec.step)(batch, spec)
    # Whatever the dataset's steps left out still gets its type.
    for spec in _CLOSING:
        find_step(spec.step)(batch, spec)
    for name, dtype in compiled.dtypes.items():
        column = batch.columns[name]
        if column.dtype != dtype:
            batch.columns[name] = column.cast(dtype)
    cleaned = pl.DataFrame([batch.columns[name] for name in compiled.dtypes])
    # The violations found in cleaning come first.
    found: list[tuple[tuple[str, ...], pl.Series]] = [(tuple(where), rows) for *where, rows in batch.violations]
    found.extend(compiled.judge(batch, cleaned))
    fixes = _gather([((name, rule), rows) for name, rule, rows in batch.fixes], _FIXES)
    return Cleaned(cleaned, fixes, _gather(found, _VIOLATIONS))


def _batch(frame: pl.DataFrame, compiled: Plan, date_format: DateFormat) -> Batch:
    """A batch with a column for each field, all null where the source has none."""
    rows = frame.height
    there = {column.name: column for column in frame.get_columns()}
    nothing = {dtype: pl.Series([None], dtype=dtype).new_from_index(0, rows) for dtype in compiled.distinct}
    columns: dict[str, pl.Series] = {}
    for name, dtype in compiled.dtypes.items():
        column = there.get(name)
        if column is None:
            columns[name] = nothing[dtype].alias(name)
        else:
            columns[name] = column.cast(dtype) if column.dtype == pl.Null else column
    given = frozenset(name for name in columns if name in there)
    filled = {name for name in given if columns[name].null_count() < rows}
    terms = compiled.terms
    return Batch(columns, terms.fields, terms.rules, terms.reference, terms.today, date_format, rows, given, filled)


def _gather(
    found: Sequence[tuple[tuple[str, ...], pl.Series]], schema: Mapping[str, type[pl.DataType]]
) -> pl.DataFrame:
    """One frame of findings, each once, by row."""
    found = [(where, rows) for where, rows in found if len(rows)]
    if not found:
        return pl.DataFrame(schema=dict(schema))
    columns = [pl.concat([rows.alias("row").cast(pl.UInt32) for _, rows in found])]
    for place, label in enumerate(list(schema)[1:]):
        columns.append(
            pl.concat([pl.Series(label, [where[place]]).new_from_index(0, len(rows)) for where, rows in found])
        )
    frame = pl.DataFrame(columns)
    # Only what was found twice for a field can be there twice; the rows of each are distinct.
    if len({where for where, _ in found}) < len(found):
        frame = frame.unique(maintain_order=True)
    return frame if len(found) == 1 else frame.sort("row", maintain_order=True)
