"""Queries on other datasets' golden records: ``EXISTS``, ``IN`` and ``(SELECT count(*) FROM golden.<dataset> …)``.

What is asked is collected in ``Scope.relations``; the values here read it from the columns that the relations step
fills (``sync.process.relation``). Datasets, fields, types and codes are checked when the rules are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from sqlglot import exp

from sync.rule.batch import Terms
from sync.rule.expression.kind import Kind, notation
from sync.rule.expression.value import Mistake, Scope, Table, Value
from sync.rule.relation import Relation, Target

NAME = "golden"
"""What stands for a database in front of a dataset's id."""

Keys = Sequence[tuple[str, Value]]
Fixed = Mapping[str, Sequence[Value]]


def find(scope: Scope, node: exp.Table, start: int) -> Table:
    """The dataset as a table; Mistake naming those that there are."""
    if node.db != NAME:
        raise Mistake(f"there is no {node.db}.{node.name}.", "Write a reference table, or golden.dataset.", start)
    if scope.golden is None:
        raise Mistake("other datasets can't be asked here.", "Use the record's fields and reference tables.", start)
    table = scope.golden.find(node.name)
    if table is None:
        known = ", ".join(sorted(scope.golden.known()))
        raise Mistake(f"there is no dataset {node.name}.", f"Use one of {known}.", start)
    return table


def counts(query: exp.Expr) -> bool:
    """Whether a query is SELECT count(*) FROM …."""
    chosen = query.expressions if isinstance(query, exp.Select) else ()
    return (
        len(chosen) == 1
        and isinstance(chosen[0], exp.Anonymous)
        and chosen[0].name.lower() == "count"
        and [type(one) for one in chosen[0].expressions] == [exp.Star]
    )


def alternatives(condition: exp.Expr) -> list[exp.Expr]:
    """The equations of which one must hold: those of ``column IN ('A', 'B')``, else the condition itself."""
    if not isinstance(condition, exp.In) or not condition.expressions:
        return [condition]
    return [exp.EQ(this=condition.this.copy(), expression=one.copy()) for one in condition.expressions]


def check_code(table: Table, column: str, value: Value) -> None:
    """Mistake where an enumerated column is compared with what is no code of it."""
    codes = table.codes.get(column)
    if codes and value.constant is not None and value.constant[0] not in codes:
        raise Mistake(f"{value.constant[0]} is no code of {column}.", f"Use one of {', '.join(codes)}.", value.start)


def member(scope: Scope, table: Table, keys: Keys, fixed: Fixed, *, null: bool) -> Value:
    """Whether there is such a golden record; where a key is null: null (IN) or false (EXISTS)."""
    relation = _relation(scope, table, keys, fixed, counted=False)
    column, fields = relation.column, frozenset({relation.column, *relation.fields})

    def build(_: Terms) -> pl.Expr:
        found = pl.col(column) > 0
        known = pl.all_horizontal(pl.col(name).is_not_null() for name in relation.fields)
        return pl.when(known).then(found) if null else found

    return Value(Kind.TRUTH, build, fields)


def number(scope: Scope, table: Table, keys: Keys, fixed: Fixed) -> Value:
    """How many such golden records there are; 0 where a key is null."""
    relation = _relation(scope, table, keys, fixed, counted=True)
    column = relation.column
    return Value(Kind.INTEGER, lambda _: pl.col(column), frozenset({column, *relation.fields}))


def _relation(scope: Scope, table: Table, keys: Keys, fixed: Fixed, *, counted: bool) -> Relation:
    """What is asked, as it is collected."""
    for column, value in keys:
        if value.field is None:
            hint = "Name a field of the record: the index of what belongs together is by fields."
            raise Mistake(f"{column} is compared with more than a field.", hint, value.start)
        if Kind.MOMENT in (table.columns[column], value.kind):
            raise Mistake(f"{column} is {Kind.MOMENT}.", "Compare codes, numbers or days.", value.start)
    pairs = sorted((column, value.field or "") for column, value in keys)
    texts = sorted(
        (name, tuple(sorted({_text(table.columns[name], value) for value in values}))) for name, values in fixed.items()
    )
    target = Target(table.name, tuple(column for column, _ in pairs), tuple(texts))
    relation = Relation(target, tuple(field for _, field in pairs), counted)
    return scope.relations.setdefault(relation.column, relation)


def _text(kind: Kind, value: Value) -> str:
    constant = value.constant[0] if value.constant else None
    if constant is None:
        raise Mistake("compares with null, which is never true.", "Write a value.", value.start)
    return str(pl.select(notation(kind, pl.lit(constant))).item())
