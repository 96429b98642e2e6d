"""What was found in the rows as they are now, counted by dataset, source and unit: exact, in any order, after deletes.

Each source row's state holds its quality: the body it belongs to, and the rules that its newest version breaks or was
repaired by. When the row changes, its old quality is taken back and the new one added; the differences of a batch are
one record of ``dongbo.findings`` for each dataset, source and unit, written in the batch's transaction. The sums are
therefore those of a count of all rows, at any time (``sync.rule.score`` makes scores of them).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from sync.rule.model import Policy

_SEPARATOR = "|"

ROWS = ""
"""The name under which the rows themselves are counted."""


def unit(policy: Policy, locality: pl.Expr) -> pl.Expr:
    """The body that a row belongs to: the level-1 code of the agency that manages it, else ``locality``, the source's.

    Of rows with the canonical fields.
    """
    if policy.locality is None or policy.locality.field.startswith("_"):
        return locality
    return pl.coalesce(pl.col(policy.locality.field).str.split_exact(".", 1).struct.field("field_0"), locality)


def qualities(units: pl.Series, findings: Iterable[pl.DataFrame], size: int, labels: Mapping[str, str]) -> list[bytes]:
    """The quality of each of ``size`` rows: its unit, and the rules found in it, each once, sorted.

    ``units``: texts or null, one for each row or one for all. ``findings``: frames with ``row`` and ``rule``.
    ``labels``: rule → rule with version, as it is told.
    """
    found = pl.concat([frame.select("row", "rule") for frame in findings]).unique()
    rules = pl.Series("rules", [""], dtype=pl.String).new_from_index(0, size)
    if len(found):
        found = found.with_columns(pl.col("rule").replace(list(labels), list(labels.values())))
        joined = found.sort("rule").group_by("row").agg(pl.col("rule").str.join(","))
        rules = rules.scatter(joined["row"], joined["rule"])
    if len(units) != size:
        units = units.new_from_index(0, size)
    texts = units.fill_null("") + _SEPARATOR + rules
    return [text.encode() for text in texts]


def parsed(quality: bytes) -> tuple[str, list[str]]:
    """Unit and rules of a quality."""
    unit, _, rules = quality.decode().partition(_SEPARATOR)
    return unit, rules.split(",") if rules else []


class Tally:
    """The differences of one batch, by source and unit of one dataset."""

    def __init__(self) -> None:
        self._rows: Counter[tuple[str, str, bytes]] = Counter()
        self._moved: dict[tuple[str, str, str], Counter[str]] = {}

    def replace(self, dataset: str, source: str, old: bytes, new: bytes) -> None:
        """A row's quality was ``old`` and is ``new``; empty where the row was not, or is no more."""
        # Most rows of a batch have one of a few qualities: each is read once, in the end.
        if old != new:
            self._rows[dataset, source, old] -= 1
            self._rows[dataset, source, new] += 1

    def move(self, dataset: str, source: str, unit: str, rule: str, number: int) -> None:
        """``number`` rows more (or fewer) in which ``rule`` is found."""
        self._moved.setdefault((dataset, source, unit), Counter())[rule] += number

    def _counts(self) -> dict[tuple[str, str, str], Counter[str]]:
        """Differences by rule (``ROWS``: of the rows) by dataset, source and unit."""
        counts = {place: Counter(moved) for place, moved in self._moved.items()}
        for (dataset, source, quality), number in self._rows.items():
            if quality and number:
                unit, rules = parsed(quality)
                counted = counts.setdefault((dataset, source, unit), Counter())
                for name in (ROWS, *rules):
                    counted[name] += number
        return counts

    def records(self, ts_ms: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Keys and values for the topic; what did not change is left out."""
        found = []
        for (dataset, source, unit), counts in self._counts().items():
            changed = {rule: number for rule, number in sorted(counts.items()) if number}
            if changed:
                key = {"dataset": dataset, "source": source, "unit": unit}
                rows = changed.pop(ROWS, 0)
                found.append((key, {"ts_ms": ts_ms, **key, "rows": rows, "findings": json.dumps(changed)}))
        return found
