"""Values that a data steward set, in place of a source's: before cleaning, so that they pass the same steps and rules.

Used by the validate step for the few rows that were decided about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from sync.process.decision import DECIDED, Decision

_FIXES = {"row": pl.UInt32, "field": pl.String, "rule": pl.String, "old": pl.String, "new": pl.String}


class Overridden(NamedTuple):
    """``frame``: the mapped rows with the values that were set, those columns as text. ``fixes``: what was set."""

    frame: pl.DataFrame
    fixes: pl.DataFrame


def override(mapped: pl.DataFrame, decisions: Sequence[Decision]) -> Overridden:
    """Set what ``decisions``, one a row of ``mapped``, change."""
    fixes = []
    for name in sorted({name for decision in decisions for name in decision.changes}):
        given: list[str | None] = [None] * len(decisions)
        if name in mapped.columns:
            given = mapped[name].cast(pl.String).to_list()
        values = list(given)
        for place, decision in enumerate(decisions):
            if name in decision.changes:
                values[place] = decision.changes[name]
                fixes.append((place, name, DECIDED, given[place], values[place]))
        mapped = mapped.with_columns(pl.Series(name, values, dtype=pl.String))
    return Overridden(mapped, pl.DataFrame(fixes, schema=_FIXES, orient="row"))
