"""The findings of a rule on one dataset: by its condition, or by the check that it names.

Called by ``sync.rule.judging`` when a plan is compiled. A rule that is not in force finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sync.rule.batch import Finding, Stacked, Terms, find_check
from sync.rule.expression.value import Value
from sync.rule.model import RuleSpec, Severity


def findings(terms: Terms, rule: RuleSpec) -> Iterable[Finding | Stacked]:
    """What the rule looks for; ConfigError for an unknown check or a missing reference table."""
    if rule.as_of is None and not rule.in_force(terms.today):
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


def _in_force(rule: RuleSpec, day: pl.Expr, terms: Terms) -> pl.Expr:
    """Where the record's date lies in the rule's time; a record without a date is judged by today."""
    inside = pl.lit(True)
    if rule.valid_from is not None:
        inside = inside & (day >= rule.valid_from)
    if rule.valid_to is not None:
        inside = inside & (day <= rule.valid_to)
    return inside.fill_null(rule.in_force(terms.today))
