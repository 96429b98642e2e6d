"""The findings of a rule on one dataset: by its condition, or by the check that it names.

Called by ``sync.rule.judging`` when a plan is compiled. A rule that is not in force finds nothing, and neither does one
that reads other datasets: that is judged from golden records (``sync.process.relation``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from sync.rule.batch import Finding, Stacked, Terms, find_check
from sync.rule.expression.value import Value
from sync.rule.model import RuleSpec, Severity


def findings(terms: Terms, rule: RuleSpec) -> Iterable[Finding | Stacked]:
    """What the rule looks for; ConfigError for an unknown check or a missing reference table."""
    if rule.relations or (rule.as_of is None and not rule.in_force(terms.today)):
        return ()
    if rule.condition is None:
        return find_check(rule.function)(terms, rule) if rule.function else ()
    bad = broken(terms, rule, rule.condition)
    # What a rule could not repair is told.
    severity: Severity | None = "WARN" if rule.sets else None
    return (Finding(rule.fields[0], bad, severity, needs=tuple(sorted(rule.condition.needs))),)


def broken(terms: Terms, rule: RuleSpec, condition: Value) -> pl.Expr:
    """Where the rule's condition is false while the rule is in force; null where it is unknown."""
    bad = condition.bad(terms)
    return bad if rule.as_of is None else bad & _in_force(rule, pl.col(rule.as_of), terms)


def judge(terms: Terms, rules: Sequence[RuleSpec], frame: pl.DataFrame) -> list[pl.Series]:
    """For each of ``rules``, all with a condition, where (Boolean) the rows of ``frame`` break it.

    The frame has all that the conditions read: fields in their types, and the columns of relations.
    """
    tests = [
        broken(terms, rule, rule.condition)
        if rule.condition is not None and (rule.as_of is not None or rule.in_force(terms.today))
        else pl.lit(False)
        for rule in rules
    ]
    for layer in terms.layers(frozenset[str]().union(*(terms.used(test) for test in tests))):
        frame = frame.with_columns(**layer)
    nothing = pl.Series([False], dtype=pl.Boolean).new_from_index(0, frame.height)
    return [nothing | frame.select(test.fill_null(False).alias("bad")).to_series() for test in tests]


def _in_force(rule: RuleSpec, day: pl.Expr, terms: Terms) -> pl.Expr:
    """Where the record's date lies in the rule's time; a record without a date is judged by today."""
    inside = pl.lit(True)
    if rule.valid_from is not None:
        inside = inside & (day >= rule.valid_from)
    if rule.valid_to is not None:
        inside = inside & (day <= rule.valid_to)
    return inside.fill_null(rule.in_force(terms.today))
