"""Repairs by rules of severity FIX: where a rule's condition is false, fields are set to what it says (``set``).

Called by ``sync.rule.cleaning`` after the steps and before the checks, in the order of the rules, each on what the ones
before it left. A repair is only made where all that it sets is known and the condition is not false any more with it:
so a second cleaning repairs nothing more, and no rule repairs a record into another mistake of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from sync.rule.batch import Batch, Terms
from sync.rule.condition import broken
from sync.rule.model import RuleSpec

_BAD = "_bad"


@dataclass(frozen=True, slots=True)
class Amendment:
    """One rule, compiled: where it is broken (``bad``), and the new ``values`` by field, typed as the fields are."""

    rule: str
    bad: pl.Expr
    values: Mapping[str, pl.Expr]
    needs: frozenset[str]
    """Fields that must hold something for the rule to be broken."""

    def apply(self, batch: Batch, frame: pl.DataFrame, terms: Terms) -> pl.DataFrame:
        """Repair the typed columns of the batch, which ``frame`` holds; recorded as fixes of the rule."""
        if not self.needs <= set(batch.present(batch.filled)):
            return frame
        found = _evaluated(frame, terms, {_BAD: self.bad, **self.values})
        wanted = pl.all_horizontal(pl.col(_BAD).fill_null(False), *(pl.col(name).is_not_null() for name in self.values))
        due = found.select(wanted).to_series()
        repaired = frame.with_columns(found[name].zip_with(due, frame[name]) for name in self.values)
        still = _evaluated(repaired, terms, {_BAD: self.bad})[_BAD].fill_null(False)
        rows = (due & ~still).arg_true()
        if not len(rows):
            return frame
        for name in self.values:
            batch.scatter(name, rows, repaired[name].gather(rows), self.rule)
        return frame.with_columns(batch.columns[name] for name in self.values)


def amendments(terms: Terms) -> Sequence[Amendment]:
    """The repairs of a dataset's rules that are in force on the terms' day."""
    return [
        _compiled(terms, rule)
        for rule in terms.rules.rules
        if rule.sets and (rule.as_of is not None or rule.in_force(terms.today))
    ]


def _compiled(terms: Terms, rule: RuleSpec) -> Amendment:
    condition = rule.condition
    assert condition is not None, "the reader of rules.yaml takes set only with an expression"
    values = {one.field: one.value.build(terms).cast(terms.fields[one.field].dtype) for one in rule.sets}
    return Amendment(rule.id, broken(terms, rule, condition), values, condition.needs)


def _evaluated(frame: pl.DataFrame, terms: Terms, wanted: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """The values of expressions that may read the terms' helpers, one row a row of ``frame``."""
    used = frozenset[str]().union(*(terms.used(value) for value in wanted.values()))
    for layer in terms.layers(used):
        frame = frame.with_columns(**layer)
    return frame.select(value.alias(name) for name, value in wanted.items())
