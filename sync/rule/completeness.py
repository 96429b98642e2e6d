"""Completeness and freshness (VR29, VR30)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import polars as pl

from sync.rule.batch import Batch, Finding, check
from sync.rule.model import RuleSpec


@check("VR29")
def required(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """Required fields hold a value, among those the source supplies: a column it does not have is no row's fault.

    A value that cleaning refused (and so emptied) is reported as that, not as missing; an absent citizen id is NO_ID.
    """
    no_id = batch.rules.by_id.get("NO_ID")
    elsewhere = set(no_id.fields or ("citizen_id",)) if no_id else set()
    wanted = rule.fields or tuple(name for name, field in batch.fields.items() if field.required)
    for name in wanted:
        if name not in batch.given or name in elsewhere:
            continue
        if batch.columns[name].null_count() == 0:
            continue
        missing = pl.col(name).is_null()
        refused = [rows for field, _, _, rows in batch.violations if field == name]
        if refused:
            reported = pl.Series([False]).new_from_index(0, batch.rows).scatter(pl.concat(refused), True)
            missing = missing & ~pl.lit(reported)
        yield Finding(name, missing)


@check("VR30")
def fresh(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """Updated at the source within ``days`` (92, a quarter)."""
    limit = datetime.combine(batch.today, time(), UTC) - timedelta(days=int(rule.params.get("days", 92)))
    for name in batch.present(rule.fields or ("source_updated_at",)):
        yield Finding(name, pl.col(name) < limit)
