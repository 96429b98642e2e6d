"""The state of one batch while it is cleaned and checked, and the registry of steps and checks.

``sync.rule.cleaning`` makes a ``Batch`` and runs steps on it; ``sync.rule.judging`` compiles the checks once for
``Terms`` and evaluates them on it. Each rule family (one file) registers its functions with ``@step`` and ``@check``.
A batch is used by one thread; nothing in it outlives the call.

Batches of live changes have one row or a few. There the number of Polars calls counts, not that of values: look at many
columns at once (``stack``), ask ``any`` and ``null_count`` before anything is located, keep expressions.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

import polars as pl

from sync.errors import ConfigError
from sync.rule.model import CleanSpec, Field, FieldType, Reference, RuleSet, RuleSpec, Severity

DateFormat = Literal["dmy", "mdy", "iso", "column"]


@dataclass
class Batch:
    """Columns of a batch by field name (all of length ``rows``) and what was found in them so far.

    ``given``: the fields that the source supplies at all. ``filled``: the fields that may hold anything (a column
    outside it is all null). ``read``: dates and times that have been read. ``proposals``: values that may be what
    is meant, by field and rule, with their rows. ``units``: the list of administrative units that the source uses,
    where that is known.
    """

    columns: dict[str, pl.Series]
    fields: Mapping[str, Field]
    rules: RuleSet
    reference: Reference
    today: date
    date_format: DateFormat
    rows: int
    given: frozenset[str]
    filled: set[str]
    fixes: list[tuple[str, str, pl.Series]] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    violations: list[tuple[str, str, Severity, pl.Series]] = field(default_factory=list)
    proposals: list[tuple[str, str, pl.Series, pl.Series]] = field(default_factory=list)
    units: str | None = None

    def present(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that the dataset has and that are not empty in this batch."""
        filled, columns, rows = self.filled, self.columns, self.rows
        return [name for name in names if name in filled and columns[name].null_count() < rows]

    def of_types(self, *types: FieldType) -> list[str]:
        """The dataset's fields of these types."""
        return [name for name, field in self.fields.items() if field.type in types]

    def typed(self, names: Iterable[str], *dtypes: type[pl.DataType]) -> list[str]:
        """Those of ``names`` that are present with one of ``dtypes``."""
        return [name for name in self.present(names) if self.columns[name].dtype in dtypes]

    def frame(self, names: Iterable[str]) -> pl.DataFrame:
        """The named columns together: one expression pass over many columns costs little more than over one."""
        return pl.DataFrame([self.columns[name] for name in names])

    def put(self, name: str, column: pl.Series) -> None:
        """Replace a column; a change of notation that is no fix."""
        self.columns[name] = column if column.name == name else column.alias(name)
        if name not in self.filled and column.null_count() < self.rows:
            self.filled.add(name)

    def scatter(self, name: str, rows: pl.Series, values: pl.Series, rule: str | None) -> None:
        """Put ``values`` at ``rows`` of a column; recorded as a fix of ``rule`` where they differ, unless None."""
        if len(rows) == 0:
            return
        old = self.columns[name]
        if rule is not None:
            changed = rows.filter(old.gather(rows).ne_missing(values))
            if len(changed) == 0:
                return
            self.fixes.append((name, rule, changed))
        self.put(name, old.clone().scatter(rows, values))

    def refuse(self, name: str, rows: pl.Series, rule: str, default: Severity = "ERROR") -> None:
        """Record that the values at ``rows`` (UInt32) break ``rule``; its severity is the bound one or ``default``."""
        if len(rows):
            bound = self.rules.by_id.get(rule)
            self.violations.append((name, rule, bound.severity if bound else default, rows))

    def offer(self, name: str, rows: pl.Series, values: pl.Series, rule: str) -> None:
        """Propose a value (String) at each of ``rows``, which may be there several times; nulls propose nothing."""
        known = values.is_not_null()
        if known.any():
            self.proposals.append((name, rule, rows.filter(known), values.filter(known)))

    def offer_each(self, name: str, found: Iterable[tuple[int, Iterable[str]]], rule: str) -> None:
        """Propose several values for each of some rows."""
        pairs = [(row, value) for row, values in found for value in values]
        if pairs:
            rows, values = zip(*pairs, strict=True)
            self.offer(name, pl.Series(rows, dtype=pl.UInt32), pl.Series(values, dtype=pl.String), rule)

    def doubt(self, name: str, rows: pl.Series, rule: str, severity: Severity | None = None) -> None:
        """Leave the field empty at ``rows`` until a person has decided: what stands there is damaged in a way of
        ``rule`` that can't be repaired for certain. ``offer`` gives what the person chooses from. ``severity``: by
        default the bound one, REVIEW where none is.
        """
        if len(rows):
            bound = self.rules.by_id.get(rule)
            self.violations.append((name, rule, severity or (bound.severity if bound else "REVIEW"), rows))
            gone = rows.implode()
            self.fixes = [
                (field, fixed, there.filter(~there.is_in(gone)) if field == name else there)
                for field, fixed, there in self.fixes
            ]
            nothing = pl.Series([None], dtype=self.columns[name].dtype).new_from_index(0, len(rows))
            self.scatter(name, rows, nothing, None)


def stack(columns: Sequence[pl.Series]) -> pl.Series:
    """The columns (of one type) below each other as ``v``: one look at all costs what a look at one does."""
    return (pl.concat(columns) if len(columns) > 1 else columns[0]).alias("v")


def unstack(stacked: pl.Series, rows: int) -> Iterator[pl.Series]:
    """The parts of ``rows`` rows that ``stack`` put below each other."""
    return (stacked.slice(start, rows) for start in range(0, len(stacked), rows))


def evaluate(column: pl.Series, test: pl.Expr) -> pl.Series:
    """The value of ``test``, an expression of ``v``, for a column."""
    return column.alias("v").to_frame().select(test).to_series()


_LOST = pl.col("v").is_not_null() & pl.col("after").is_null()


def lost(before: pl.Series, after: pl.Series) -> pl.Series | None:
    """Where ``before`` has a value (Boolean) and ``after``, made of it, has none; None if nowhere, as most often."""
    if after.null_count() <= before.null_count():
        return None
    return pl.DataFrame([before.alias("v"), after.alias("after")]).select(_LOST).to_series()


@dataclass(frozen=True)
class Terms:
    """What a check is compiled for; it is kept for the batches of a day, so it must not depend on any batch.

    ``helpers``: columns that checks share, by expression.
    """

    fields: Mapping[str, Field]
    rules: RuleSet
    reference: Reference
    today: date
    helpers: dict[str, pl.Expr] = field(default_factory=dict)

    def known(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that the dataset has."""
        return [name for name in names if name in self.fields]

    def helper(self, name: str, value: pl.Expr) -> pl.Expr:
        """The column ``name`` of ``value``, which may read other helpers; evaluated once for all checks."""
        self.helpers.setdefault(name, value)
        return pl.col(name)

    def used(self, expression: pl.Expr) -> frozenset[str]:
        """The helpers that an expression reads, and those that these read."""
        direct = frozenset(self.helpers).intersection(expression.meta.root_names())
        return direct.union(*(self.used(self.helpers[name]) for name in direct))

    def layers(self, names: frozenset[str]) -> Iterator[Mapping[str, pl.Expr]]:
        """The helpers ``names``, those first that read no others."""
        left = {name: value for name, value in self.helpers.items() if name in names}
        while left:
            ready = {name: value for name, value in left.items() if left.keys().isdisjoint(value.meta.root_names())}
            yield ready
            left = {name: value for name, value in left.items() if name not in ready}


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a check fails: ``bad`` is a Boolean expression (null counts as fine), ``severity`` overrides the rule's.

    It is evaluated for batches in which each of ``needs`` (default: the field itself) and none of ``lacks`` holds
    anything. ``absent``: it asks for a value, of a field that the source supplies and that cleaning did not empty.
    """

    field: str
    bad: pl.Expr
    severity: Severity | None = None
    needs: tuple[str, ...] | None = None
    lacks: tuple[str, ...] = ()
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Stacked:
    """Findings of one kind in several ``groups`` of fields, evaluated on the groups' columns below each other.

    ``names``: what the columns of a group are called in the expressions and as the field of each finding.
    ``helpers``: columns that the expressions share; of one name in all checks of the same groups, if they are the same.
    """

    groups: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    findings: tuple[Finding, ...]
    helpers: Mapping[str, pl.Expr] = field(default_factory=dict)


Step = Callable[[Batch, CleanSpec], None]
Check = Callable[[Terms, RuleSpec], Iterable[Finding | Stacked]]

_steps: dict[str, Step] = {}
_checks: dict[str, Check] = {}
_NONE: Mapping[str, Any] = MappingProxyType({})

Param = Literal["field", "fields", "pairs", "rule", "number", "numbers", "flag", "text"]
"""What a parameter holds: fields of the dataset (``pairs``: lists of two), a rule's id, numbers, true or false."""

_params: dict[str, Mapping[str, Param]] = {}


def step(name: str, *, params: Mapping[str, Param] = _NONE) -> Callable[[Step], Step]:
    """Register a cleaning step under ``name``; ``params``: the parameters that it reads, and what they hold."""

    def register(function: Step) -> Step:
        _steps[name] = function
        _params[name] = params
        return function

    return register


def check(name: str, *, params: Mapping[str, Param] = _NONE) -> Callable[[Check], Check]:
    """Register a check under the rule id ``name``; ``params``: the parameters that it reads, and what they hold."""

    def register(function: Check) -> Check:
        _checks[name] = function
        _params[name] = params
        return function

    return register


@cache
def _discover() -> None:
    """Import all families: a new one is one new file in this package."""
    package = importlib.import_module("sync.rule")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"sync.rule.{module.name}")


def find_step(name: str) -> Step:
    """Return the step registered under ``name``; ConfigError if there is none."""
    _discover()
    if name not in _steps:
        raise ConfigError(f"There is no cleaning step {name}.", field=name, hint=f"Use one of {', '.join(steps())}.")
    return _steps[name]


def find_check(name: str) -> Check:
    """Return the check registered under ``name``; ConfigError if there is none."""
    _discover()
    if name not in _checks:
        raise ConfigError(f"There is no check {name}.", field=name, hint=f"Use one of {', '.join(checks())}.")
    return _checks[name]


def steps() -> Sequence[str]:
    """Names of all cleaning steps."""
    _discover()
    return sorted(_steps)


def checks() -> Sequence[str]:
    """Ids of all checks."""
    _discover()
    return sorted(_checks)


def known_params(name: str) -> Mapping[str, Param]:
    """The parameters that a registered step or check reads, and what they hold; none for others."""
    _discover()
    return _params.get(name, _NONE)


def names(params: Any, key: str, default: Sequence[str]) -> tuple[str, ...]:
    """A list of names from a rule's parameters."""
    return tuple(params.get(key, default))
