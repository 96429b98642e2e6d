"""The checks of a dataset, compiled once and evaluated on each batch after cleaning.

Called by ``sync.rule.cleaning``. To build the expressions of some fifty findings costs more than to evaluate them on a
few rows, so they are kept with the reference tables for as long as dataset and day stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import polars as pl

from sync.rule.amendment import Amendment, amendments
from sync.rule.batch import Batch, Finding, Stacked, Terms
from sync.rule.condition import findings
from sync.rule.index import cached
from sync.rule.model import Field, Reference, RuleSet, Severity

_KEPT = 64


@dataclass(frozen=True, slots=True)
class _Bound:
    """A finding as a rule makes it; ``uses``: the helpers that its expression needs, ``reads`` the columns.

    ``start`` and ``place`` number the findings; those made together (``Stacked``) have one ``start``.
    """

    start: int
    place: int
    rule: str
    severity: Severity
    finding: Finding
    uses: frozenset[str]
    reads: frozenset[str]

    def applies(self, batch: Batch, full: frozenset[str]) -> bool:
        """Whether it can find anything, where the columns ``full`` are not empty."""
        finding = self.finding
        if finding.absent:
            return finding.field in batch.given and batch.columns[finding.field].null_count() > 0
        needs = (finding.field,) if finding.needs is None else finding.needs
        return full.issuperset(needs) and full.isdisjoint(finding.lacks)


_Found = tuple[_Bound, int, str, pl.Series]
"""A finding, the number of its group of fields, the field, and where it is bad."""


@dataclass(frozen=True, slots=True)
class _Stack:
    """All that is to be found in the same groups of fields."""

    groups: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    found: list[_Bound]
    helpers: dict[str, pl.Expr]


@dataclass(frozen=True)
class Plan:
    """The checks of a dataset on one day, with all that they are compiled for; ``dtypes``: types by field."""

    fields: Sequence[Field]
    terms: Terms
    dtypes: Mapping[str, pl.DataType]

    @cached_property
    def distinct(self) -> frozenset[pl.DataType]:
        """The types of the dataset's columns."""
        return frozenset(self.dtypes.values())

    @cached_property
    def amendments(self) -> Sequence[Amendment]:
        """The repairs by rules, compiled when first needed."""
        return amendments(self.terms)

    @cached_property
    def checks(self) -> tuple[Sequence[_Bound], Sequence[_Stack]]:
        """The findings of single fields and those of groups of fields, compiled when first needed."""
        return _compile(self.terms)

    def judge(self, batch: Batch, frame: pl.DataFrame) -> Iterator[tuple[tuple[str, str, Severity], pl.Series]]:
        """(field, rule, severity) and rows of what is wrong in ``frame``, the typed columns of the batch, by rule.

        Raises ConfigError for an unknown check or a missing reference table.
        """
        full = frozenset(batch.present(batch.filled))
        found = [*self._single(batch, frame, full)]
        for stack in self.checks[1]:
            found.extend(_stacked(stack, frame, full))
        # The order of the rules, and of each rule's findings: a reason told first is the first of rules.yaml.
        for bound, _, field, bad in sorted(found, key=lambda item: (item[0].start, item[1], item[0].place)):
            if bad.any():
                rows = bad.arg_true()
                if bound.finding.absent or bound.finding.needs == ():
                    rows = _unreported(batch, field, rows)
                yield (field, bound.rule, bound.finding.severity or bound.severity), rows

    def _single(self, batch: Batch, frame: pl.DataFrame, full: frozenset[str]) -> Iterator[_Found]:
        chosen = [bound for bound in self.checks[0] if bound.applies(batch, full)]
        if not chosen:
            return
        used = frozenset[str]().union(*(bound.uses for bound in chosen))
        if used:
            frame = frame.select(self._read_by(used, chosen))
            for layer in self.terms.layers(used):
                frame = frame.with_columns(**layer)
        judged = frame.select(bound.finding.bad for bound in chosen)
        for bound, bad in zip(chosen, judged.get_columns(), strict=True):
            yield bound, 0, bound.finding.field, bad

    def _read_by(self, used: frozenset[str], chosen: Sequence[_Bound]) -> list[str]:
        """The fields that these helpers and findings read: each added column costs by the width of the frame."""
        roots = {name for bound in chosen for name in bound.reads}.union(*(self._roots[name] for name in used))
        return [name for name in self.dtypes if name in roots]

    @cached_property
    def _roots(self) -> Mapping[str, frozenset[str]]:
        return {name: frozenset(value.meta.root_names()) for name, value in self.terms.helpers.items()}


def _stacked(stack: _Stack, frame: pl.DataFrame, full: frozenset[str]) -> Iterator[_Found]:
    groups = [(number, group) for number, group in enumerate(stack.groups) if not full.isdisjoint(group)]
    if not groups:
        return
    columns = [pl.concat([frame[group[place]] for _, group in groups]) for place in range(len(stack.names))]
    beside = pl.DataFrame([column.alias(name) for column, name in zip(columns, stack.names, strict=True)])
    if stack.helpers:
        beside = beside.with_columns(**stack.helpers)
    judged = beside.select(bound.finding.bad for bound in stack.found)
    for bound, bad in zip(stack.found, judged.get_columns(), strict=True):
        if bad.any():
            of = stack.names.index(bound.finding.field)
            for position, (number, group) in enumerate(groups):
                yield bound, number, group[of], bad.slice(position * frame.height, frame.height)


def _unreported(batch: Batch, field: str, rows: pl.Series) -> pl.Series:
    """The rows of missing values without those that cleaning refused (and so emptied): these are reported as that."""
    refused = [found for name, _, _, found in batch.violations if name == field]
    return rows.filter(~rows.is_in(pl.concat(refused).implode())) if refused else rows


def _compile(terms: Terms) -> tuple[Sequence[_Bound], Sequence[_Stack]]:
    single: list[_Bound] = []
    stacks: dict[tuple[tuple[str, ...], ...], _Stack] = {}
    place = 0
    for rule in terms.rules.rules:
        for made in findings(terms, rule):
            start = place
            for finding in made.findings if isinstance(made, Stacked) else (made,):
                place += 1
                named = finding.bad.alias(str(place))
                uses = terms.used(named)
                reads = frozenset(named.meta.root_names())
                bound = _Bound(start, place, rule.id, rule.severity, replace(finding, bad=named), uses, reads)
                if isinstance(made, Stacked):
                    stack = stacks.setdefault(made.groups, _Stack(made.groups, made.names, [], {}))
                    stack.helpers.update(made.helpers)
                    stack.found.append(bound)
                else:
                    single.append(bound)
    return single, list(stacks.values())


def plan(fields: Sequence[Field], rules: RuleSet, reference: Reference, today: date) -> Plan:
    """The plan for these, kept with the reference tables."""
    plans: dict[tuple[int, int], Plan] = cached(reference, "plans", lambda _: {})
    key = (id(fields), id(rules))
    kept = plans.get(key)
    # A plan holds what it is for, so an id in the key can't have become that of another object.
    if kept is None or kept.terms.today != today:
        if len(plans) >= _KEPT:
            plans.clear()
        terms = Terms({field.name: field for field in fields}, rules, reference, today)
        kept = plans[key] = Plan(fields, terms, {field.name: field.dtype for field in fields})
    return kept
