"""Completeness (VR29)."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Finding, Terms, check
from sync.rule.model import RuleSpec


@check("VR29")
def required(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Required fields hold a value, among those the source supplies: a column it does not have is no row's fault.

    A value that cleaning refused (and so emptied) is reported as that, not as missing; an absent citizen id is NO_ID.
    """
    no_id = terms.rules.by_id.get("NO_ID")
    elsewhere = set(no_id.fields or ("citizen_id",)) if no_id else set()
    wanted = rule.fields or tuple(name for name, field in terms.fields.items() if field.required)
    for name in terms.known(wanted):
        if name not in elsewhere:
            yield Finding(name, pl.col(name).is_null(), absent=True)
