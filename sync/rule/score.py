"""Quality scores of rows as they are now: six criteria by the formulas of the data quality index (docs/quality.md).

A pure function of counts: how many rows there are, and in how many of them each rule is found. Called by the
indicators; where the counts are exact, the scores are. Source of formulas and colours: CV 4856/BCA-TTDLQG of 2026-09-14
(DOMAIN 6.5), which leaves the weights open: here each rule and each criterion has the weight 1 unless the dataset gives
another (``scores.yaml``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from sync.rule.model import Criterion, RuleSet

CRITERIA: tuple[Criterion, ...] = get_args(Criterion)

GREEN, YELLOW, RED = "green", "yellow", "red"
GREEN_FROM, YELLOW_FROM = 90.0, 75.0

MATCH_RULE, UNIQUE_RULE = "VR32", "VR07"
"""Found by comparison with the register and with other rows, in every dataset that is matched with one."""

_CRITERIA_OF: Mapping[str, Criterion] = {
    MATCH_RULE: "accuracy",
    UNIQUE_RULE: "uniqueness",
    "NO_ID": "completeness",
    "UNAVAILABLE": "completeness",
}
"""Of rules that no dataset's ``rules.yaml`` gives a criterion."""

_OTHERWISE: Criterion = "validity"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a dataset's rows are measured by. ``criteria``: rule → criterion. ``keys``: the rules about key fields."""

    criteria: Mapping[str, Criterion]
    keys: frozenset[str] = frozenset()
    weights: Mapping[str, float] | None = None

    def weight(self, name: str) -> float:
        """The weight of a rule or a criterion."""
        return 1.0 if self.weights is None else self.weights.get(name, 1.0)


@dataclass(frozen=True, slots=True)
class Score:
    """Percentages, 0 to 100; None where there is nothing to measure.

    ``rules``: rule → share of the rows in which it is not found. ``criteria``: all six. ``total``: of all criteria that
    have rules. ``keys``: whether no rule about a key field is found anywhere; else it is a severe incident.
    """

    rows: int
    total: float | None
    colour: str | None
    criteria: Mapping[str, float | None]
    rules: Mapping[str, float]
    keys: bool


def measured(rules: RuleSet, *, matched: bool) -> frozenset[str]:
    """The ids of the rules that rows are measured by; ``matched``: they are compared with a register."""
    ids = {spec.rule for spec in rules.clean} | {rule.id for rule in rules.rules}
    return frozenset(ids | {MATCH_RULE, UNIQUE_RULE} if matched else ids)


def measure(
    rules: RuleSet,
    key: Iterable[str],
    *,
    matched: bool,
    weights: Mapping[str, float] | None = None,
    unjudged: Collection[str] = (),
) -> Measure:
    """The measure of a dataset with these rules and key fields.

    ``weights``: those that are not 1. ``unjudged``: ids of rules that nobody judges now, which therefore say nothing.
    """
    criteria = {rule: _criterion(rules, rule) for rule in sorted(measured(rules, matched=matched).difference(unjudged))}
    fields = set(key)
    keys = {rule.id for rule in rules.rules if fields.intersection(rule.fields) and rule.severity != "WARN"}
    return Measure(criteria, frozenset(keys), weights)


def _criterion(rules: RuleSet, rule: str) -> Criterion:
    spec = rules.by_id.get(rule)
    if spec is not None and spec.criterion is not None:
        return spec.criterion
    return _CRITERIA_OF.get(rule, _OTHERWISE)


def score(rows: int, found: Mapping[str, int], by: Measure) -> Score:
    """The score of ``rows`` rows; ``found``: rule, with or without its version (``VR16@2``) → rows it is found in."""
    counts: dict[str, int] = {}
    for name, number in found.items():
        rule = name.partition("@")[0]
        counts[rule] = counts.get(rule, 0) + number
    keys = not any(counts.get(rule) for rule in by.keys)
    if rows <= 0:
        return Score(0, None, None, dict.fromkeys(CRITERIA), {}, keys)
    # What a person decided is no finding; a rule of an earlier version of the dataset is none that counts.
    rules = {rule: 100.0 * (rows - min(rows, counts.get(rule, 0))) / rows for rule in by.criteria}
    criteria: dict[str, float | None] = {
        criterion: _mean([(rules[rule], by.weight(rule)) for rule, of in by.criteria.items() if of == criterion])
        for criterion in CRITERIA
    }
    told = [(value, by.weight(criterion)) for criterion, value in criteria.items() if value is not None]
    total = _mean(told)
    return Score(rows, total, colour(total), criteria, rules, keys)


def colour(value: float | None) -> str | None:
    """Green from 90, yellow from 75, else red."""
    if value is None:
        return None
    return GREEN if value >= GREEN_FROM else YELLOW if value >= YELLOW_FROM else RED


def _mean(values: Sequence[tuple[float, float]]) -> float | None:
    weight = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / weight if weight else None
