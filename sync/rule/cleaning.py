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

_FOUND = {"row": pl.UInt32, "field": pl.String, "rule": pl.String}
_VIOLATIONS = {**_FOUND, "severity": pl.String}
_PROPOSALS = {**_FOUND, "old": pl.String, "value": pl.String}
_CLOSING = (CleanSpec("date", "VR10"), CleanSpec("number", "VR10"))


def clean(
    frame: pl.DataFrame,
    fields: Sequence[Field],
    rules: RuleSet,
    reference: Reference,
    today: date,
    *,
    date_format: DateFormat = "dmy",
    units: str | None = None,
) -> Cleaned:
    """Clean and check the rows of ``frame`` (canonical names, any types; other columns are ignored).

    Returns all canonical fields in the order of ``fields``, typed (``Field.dtype``), rows in the order given.
    ``date_format`` and ``units`` are the source's (``SourceMapping``). Cleaning
    what was cleaned changes nothing. Raises ConfigError for an unknown step or check, or a missing reference table.
    """
    compiled = plan(fields, rules, reference, today)
    batch = _batch(frame, compiled, date_format)
    batch.units = units
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
    for amendment in compiled.amendments:
        cleaned = amendment.apply(batch, cleaned, compiled.terms)
    # The violations found in cleaning come first.
    found: list[tuple[tuple[str, ...], pl.Series]] = [(tuple(where), rows) for *where, rows in batch.violations]
    found.extend(compiled.judge(batch, cleaned))
    fixes = _gather([((name, rule), rows) for name, rule, rows in batch.fixes], _FOUND)
    return Cleaned(
        cleaned,
        fixes.with_columns(old=_texts(frame, fixes), new=_texts(cleaned, fixes)),
        _gather(found, _VIOLATIONS),
        _proposals(batch, frame, cleaned),
    )


def _texts(frame: pl.DataFrame, found: pl.DataFrame) -> pl.Series:
    """The values in ``frame`` of the fields and rows of ``found``, as text; null where the source has no such field."""
    texts = pl.Series([None], dtype=pl.String).new_from_index(0, found.height)
    for name in found["field"].unique().to_list():
        if name in frame.columns:
            places = (found["field"] == name).arg_true()
            values = frame[name].gather(found["row"].gather(places)).cast(pl.String)
            texts = texts.scatter(places, values)
    return texts


def _proposals(batch: Batch, frame: pl.DataFrame, cleaned: pl.DataFrame) -> pl.DataFrame:
    """What was proposed, and below it the values that cleaning took away without being able to propose anything."""
    offered = [
        pl.DataFrame({"row": rows.cast(pl.UInt32), "value": values}).select(
            "row", pl.lit(name).alias("field"), pl.lit(rule).alias("rule"), "value"
        )
        for name, rule, rows, values in batch.proposals
    ]
    taken = _gather([((name, rule), rows) for name, rule, _, rows in batch.violations], _FOUND)
    if not offered and not len(taken):
        return pl.DataFrame(schema=_PROPOSALS)
    proposed = pl.concat([pl.DataFrame(schema=_PROPOSALS).drop("old"), *offered])
    empty = taken.with_columns(old=_texts(frame, taken), value=pl.lit(None, dtype=pl.String)).filter(
        pl.col("old").is_not_null() & _texts(cleaned, taken).is_null()
    )
    empty = empty.join(proposed, on=["row", "field", "rule"], how="anti", maintain_order="left")
    proposed = proposed.with_columns(old=_texts(frame, proposed))
    return pl.concat([frame.select(list(_PROPOSALS)) for frame in (proposed, empty)]).sort("row", maintain_order=True)


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
