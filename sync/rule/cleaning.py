"""Cleaning and checking of a batch: the dataset's steps in their order, then all checks at once.

Called by ``sync.process.validate`` on mapped columns. Pure: no I/O, the day of judgement is given. Assumes rules that
``sync.schema.dataset`` loaded; step and check functions are found in the family modules of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from sync.rule.batch import Batch, DateFormat, Finding, find_check, find_step
from sync.rule.model import Cleaned, CleanSpec, Field, Reference, RuleSet, Severity

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
    batch = _batch(frame, fields, rules, reference, today, date_format)
    for spec in rules.clean:
        find_step(spec.step)(batch, spec)
    # Whatever the dataset's steps left out still gets its type.
    for spec in _CLOSING:
        find_step(spec.step)(batch, spec)
    for field in fields:
        column = batch.columns[field.name]
        if column.dtype != field.dtype:
            batch.columns[field.name] = column.cast(field.dtype)
    cleaned = pl.DataFrame([batch.columns[field.name] for field in fields])
    violations = _check(batch)
    fixes = _gather([((name, rule), rows) for name, rule, rows in batch.fixes], _FIXES)
    return Cleaned(cleaned, fixes, violations)


def _batch(
    frame: pl.DataFrame,
    fields: Sequence[Field],
    rules: RuleSet,
    reference: Reference,
    today: date,
    date_format: DateFormat,
) -> Batch:
    """A batch with a column for each field, all null where the source has none."""
    given = frozenset(field.name for field in fields if field.name in frame.columns)
    rows = frame.height
    columns = {
        field.name: frame[field.name] if field.name in given else pl.Series(field.name, [None], dtype=field.dtype)
        for field in fields
    }
    for name, column in columns.items():
        if name not in given:
            columns[name] = column.new_from_index(0, rows)
        elif column.dtype == pl.Null:
            columns[name] = column.cast(next(field.dtype for field in fields if field.name == name))
    named = {field.name: field for field in fields}
    return Batch(columns, named, rules, reference, today, date_format, rows, given)


def _check(batch: Batch) -> pl.DataFrame:
    """Evaluate all checks in one pass; the violations found in cleaning come first."""
    findings: list[tuple[str, Severity, Finding]] = []
    for rule in batch.rules.rules:
        if rule.function:
            for finding in find_check(rule.function)(batch, rule):
                findings.append((rule.id, finding.severity or rule.severity, finding))
    found: list[tuple[tuple[str, ...], pl.Series]] = [(tuple(where), rows) for *where, rows in batch.violations]
    if findings:
        frame = pl.DataFrame(list(batch.columns.values()))
        if batch.helpers:
            frame = frame.with_columns(**batch.helpers)
        judged = frame.select(finding.bad.alias(str(place)) for place, (_, _, finding) in enumerate(findings))
        for (rule_id, severity, finding), bad in zip(findings, judged.iter_columns(), strict=True):
            if bad.any():
                found.append(((finding.field, rule_id, severity), bad.fill_null(False).arg_true()))
    return _gather(found, _VIOLATIONS)


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
    return pl.DataFrame(columns).unique(maintain_order=True).sort("row", maintain_order=True)
