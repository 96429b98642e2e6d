"""The state of one batch while it is cleaned and checked, and the registry of steps and checks.

``sync.rule.cleaning`` makes a ``Batch`` and runs steps and checks on it; each rule family (one file) registers its
functions with ``@step`` and ``@check``. A batch is used by one thread; nothing in it outlives the call.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Literal

import polars as pl

from sync.errors import ConfigError
from sync.rule.model import CleanSpec, Field, Reference, RuleSet, RuleSpec, Severity

DateFormat = Literal["dmy", "mdy", "iso"]


@dataclass
class Batch:
    """Columns of a batch by field name (all of length ``rows``) and what was found in them so far.

    ``given``: the fields that the source supplies at all. ``helpers``: columns that checks share, by expression.
    ``read``: partial dates already in canonical text.
    """

    columns: dict[str, pl.Series]
    fields: dict[str, Field]
    rules: RuleSet
    reference: Reference
    today: date
    date_format: DateFormat
    rows: int
    given: frozenset[str]
    fixes: list[tuple[str, str, pl.Series]] = field(default_factory=list)
    helpers: dict[str, pl.Expr] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    violations: list[tuple[str, str, Severity, pl.Series]] = field(default_factory=list)

    def present(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that the dataset has and that are not empty in this batch."""
        return [name for name in names if name in self.columns and self.columns[name].null_count() < self.rows]

    def frame(self, names: Iterable[str]) -> pl.DataFrame:
        """The named columns together: one expression pass over many columns costs little more than over one."""
        return pl.DataFrame([self.columns[name] for name in names])

    def put(self, name: str, column: pl.Series) -> None:
        """Replace a column; a change of notation that is no fix."""
        self.columns[name] = column if column.name == name else column.rename(name)

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


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a check fails: ``bad`` is a Boolean expression (null counts as fine), ``severity`` overrides the rule's."""

    field: str
    bad: pl.Expr
    severity: Severity | None = None


Step = Callable[[Batch, CleanSpec], None]
Check = Callable[[Batch, RuleSpec], Iterable[Finding]]

_steps: dict[str, Step] = {}
_checks: dict[str, Check] = {}


def step(name: str) -> Callable[[Step], Step]:
    """Register a cleaning step under ``name``."""

    def register(function: Step) -> Step:
        _steps[name] = function
        return function

    return register


def check(name: str) -> Callable[[Check], Check]:
    """Register a check under the rule id ``name``."""

    def register(function: Check) -> Check:
        _checks[name] = function
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


def names(params: Any, key: str, default: Sequence[str]) -> tuple[str, ...]:
    """A list of names from a rule's parameters."""
    return tuple(params.get(key, default))
