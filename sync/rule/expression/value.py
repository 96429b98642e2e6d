"""A compiled expression, and the mistake that is raised where there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from sync.rule.batch import Terms
from sync.rule.expression.kind import Kind
from sync.rule.relation import Relation

Build = Callable[[Terms], pl.Expr]
"""Makes the Polars expression for a dataset's terms: the day, the reference tables."""


class Mistake(Exception):
    """An expression that has no meaning: ``start`` is the offset of the place in its text."""

    def __init__(self, problem: str, hint: str, start: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.start = start


@dataclass(frozen=True, slots=True)
class Value:
    """A typed expression.

    ``fields``: the fields that it reads. ``nulls``: the fields any of which being null makes it null. ``fails`` (of a
    condition): true exactly where the condition is false; cheaper than the negation where days are partial.
    ``needs`` (of a condition): the fields that must all hold a value for it to be false. ``constant``: the value
    where it is the same for all records (a tuple holds it, so that null can be told from none). ``field``: the field
    that it is, and nothing else.
    """

    kind: Kind
    build: Build
    fields: frozenset[str] = frozenset()
    nulls: frozenset[str] = frozenset()
    fails: Build | None = None
    needs: frozenset[str] = frozenset()
    constant: tuple[Any] | None = None
    start: int = 0
    field: str | None = None

    def bad(self, terms: Terms) -> pl.Expr:
        """Where the condition is false; null where it is unknown."""
        return self.fails(terms) if self.fails else ~self.build(terms)


def literal(kind: Kind, value: Any, start: int = 0) -> Value:
    """A constant."""
    return Value(kind, lambda _: pl.lit(value), constant=(value,), start=start)


def union(values: Iterable[Value]) -> frozenset[str]:
    """The fields that any of the values reads."""
    return frozenset[str]().union(*(value.fields for value in values))


def strict(values: Iterable[Value]) -> frozenset[str]:
    """The ``nulls`` of what is null where any of the values is."""
    return frozenset[str]().union(*(value.nulls for value in values))


@dataclass(frozen=True, slots=True)
class Table:
    """What expressions may know of a table: its columns with their types, and its key columns.

    ``golden``: it is a dataset's golden records, named ``golden.<dataset>``. ``codes``: of enumerated columns.
    """

    name: str
    columns: Mapping[str, Kind]
    key: tuple[str, ...] = ()
    golden: bool = False
    codes: Mapping[str, Collection[str]] = field(default_factory=dict)


class Tables(Protocol):
    """Where expressions find reference tables, or datasets, by name."""

    def find(self, name: str) -> Table | None:
        """The table, or None if there is none."""

    def known(self) -> Iterable[str]:
        """The names of all tables, for messages."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may name: fields, definitions, reference tables; ``codes``: those of enumerated fields.

    ``golden``: the datasets whose golden records may be asked for; none where it is None. ``relations`` collects what
    is asked of them, by the columns that values read it from.
    """

    fields: Mapping[str, Kind]
    tables: Tables
    definitions: Mapping[str, Value] = field(default_factory=dict)
    codes: Mapping[str, Collection[str]] = field(default_factory=dict)
    golden: Tables | None = None
    relations: dict[str, Relation] = field(default_factory=dict)
