"""Compares cleaning with the labels of a corpus: precision and recall of each class, damage done to sound values."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import polars as pl

from sync.rule.model import Cleaned
from tests.corpus.build import SOUND, Corpus
from tests.corpus.case import Label

Told = tuple[str, str, str]
"""How a row was treated: outcome, field and rule."""


@dataclass
class Score:
    """``rows`` and ``right`` by class; ``told``: how often each treatment was given, ``meant``: and rightly so.

    ``damaged``: (class, field) of values that became another value than the truth. ``wrong``: examples of rows that
    were not treated as their label says.
    """

    rows: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    told: Counter[Told] = field(default_factory=Counter)
    meant: Counter[Told] = field(default_factory=Counter)
    treatment: dict[str, Counter[Told]] = field(default_factory=lambda: defaultdict(Counter))
    damaged: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def recall(self, name: str) -> float:
        """Share of the rows of a class that became what they had to."""
        return self.right[name] / self.rows[name]

    def precision(self, name: str) -> float:
        """Of the rows that were treated as this class has to be, the share that had to be."""
        kinds = self.treatment[name]
        told = sum(self.told[kind] for kind in kinds)
        return sum(self.meant[kind] for kind in kinds) / told if told else 1.0

    def table(self) -> str:
        """A line a class: rows, recall, precision, what has to become of it."""
        lines = [f"{'class':36}{'rows':>6}{'recall':>9}{'precision':>11}  outcome"]
        for name in sorted(self.rows, key=lambda name: (name == SOUND, name)):
            kinds = ", ".join(sorted({f"{kind[0]} {kind[2]}".strip() for kind in self.treatment[name]}))
            lines.append(f"{name:36}{self.rows[name]:6}{self.recall(name):9.4f}{self.precision(name):11.4f}  {kinds}")
        return "\n".join(lines)


@dataclass
class _Row:
    """What cleaning said of a row, each as (field, rule)."""

    fixes: set[tuple[str, str]] = field(default_factory=set)
    severities: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    proposals: set[tuple[str, str]] = field(default_factory=set)

    @property
    def outcome(self) -> str:
        """The outcome as ``Label`` names it, by the gravest finding."""
        if self.severities["ERROR"]:
            return "rejected"
        if self.severities["REVIEW"]:
            return "review"
        return "repaired" if self.fixes else "untouched"


def score(corpus: Corpus, cleaned: Cleaned) -> Score:
    """Score what cleaning made of ``corpus.given``."""
    said = _said(corpus, cleaned)
    differs = _differences(corpus.truth, cleaned.frame)
    result = Score()
    for number, (name, label) in enumerate(zip(corpus.classes, corpus.labels, strict=True)):
        row, other = said[number], differs.get(number, set())
        result.rows[name] += 1
        for treated in _treatments(row):
            result.told[treated] += 1
        meant = (label.outcome, label.field, label.rule or "")
        result.treatment[name][meant] += 1
        fault = _fault(label, row, other)
        if fault is None:
            result.right[name] += 1
            # Treatments that come with the one that is labelled (a moved number fixes two fields) are right with it.
            for treated in _treatments(row):
                result.meant[treated] += 1
        else:
            result.wrong[name].append(f"row {number}: {fault}")
        for where in other:
            value = cleaned.frame[where][number]
            # What a person has to look at or what is refused may be empty or stay as it was given; it is never another.
            if (value is not None and str(value) != corpus.given[where][number]) or name == SOUND:
                result.damaged[name, where] += 1
    return result


def _said(corpus: Corpus, cleaned: Cleaned) -> list[_Row]:
    rows = [_Row() for _ in corpus.classes]
    for number, name, rule in cleaned.fixes.select("row", "field", "rule").iter_rows():
        rows[number].fixes.add((name, rule))
    for number, name, rule, severity in cleaned.violations.select("row", "field", "rule", "severity").iter_rows():
        rows[number].severities[severity].add((name, rule))
    offered = cleaned.proposals.drop_nulls("value")
    for number, name, value in offered.select("row", "field", "value").iter_rows():
        rows[number].proposals.add((name, value))
    return rows


def _treatments(row: _Row) -> set[Told]:
    """Every finding of a row as a treatment; a sound row has the one of being left alone."""
    outcomes = {"ERROR": "rejected", "REVIEW": "review", "WARN": "warned"}
    found = {(outcomes[severity], *where) for severity, all_of in row.severities.items() for where in all_of}
    found |= {("repaired", *where) for where in row.fixes}
    return found or {("untouched", "", "")}


def _fault(label: Label, row: _Row, differs: set[str]) -> str | None:
    """What is not as the label says; None where all is."""
    outcome = row.outcome
    expected = {"warned": ("untouched", "repaired")}.get(label.outcome, (label.outcome,))
    if label.outcome == "repaired" and label.rule is None:
        expected = ("repaired", "untouched")
    if outcome not in expected:
        return f"{outcome} instead of {label.outcome}: {dict(row.severities)} {row.fixes}"
    severity = {"rejected": "ERROR", "review": "REVIEW", "warned": "WARN"}.get(label.outcome)
    told = row.fixes if severity is None else row.severities[severity]
    if label.rule is not None and (label.field, label.rule) not in told:
        return f"{label.rule} of {label.field} is not told: {told}"
    if label.outcome in ("repaired", "warned", "untouched") and differs:
        return f"another value than the truth: {sorted(differs)}"
    if label.proposals or label.outcome == "review":
        offered = set(row.proposals)
        if offered != set(label.proposals):
            return f"{len(offered)} proposals, not the {len(label.proposals)} right ones"
    return None


def _differences(truth: pl.DataFrame, cleaned: pl.DataFrame) -> dict[int, set[str]]:
    """The fields of each row that are not the truth's; a derived field that no source gives is not looked at."""
    found: dict[int, set[str]] = defaultdict(set)
    for name in truth.columns:
        for number in truth[name].ne_missing(cleaned[name]).arg_true().to_list():
            found[number].add(name)
    return found
