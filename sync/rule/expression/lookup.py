"""Look-ups into reference tables: ``lookup``, ``EXISTS (SELECT …)`` and ``IN (SELECT …)``.

A table's index is built at the first use and kept with the reference tables. Its columns are text; those that
``schemas/reference/tables.yaml`` gives another type are read as that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from sync.errors import ConfigError
from sync.rule.batch import Terms
from sync.rule.expression.kind import NUMBERS, Kind, dtype_of, notation
from sync.rule.expression.value import Mistake, Scope, Table, Value, union
from sync.rule.index import Index, cached
from sync.rule.model import Reference

_SEPARATOR = "\x1f"


def find(scope: Scope, name: str, start: int) -> Table:
    """The table; Mistake naming those that there are."""
    table = scope.tables.find(name)
    if table is None:
        known = ", ".join(sorted(scope.tables.known()))
        raise Mistake(f"there is no reference table {name}.", f"Use one of {known}.", start)
    return table


def column(table: Table, name: str, start: int) -> Kind:
    """The type of a column of the table; Mistake naming the columns."""
    if name not in table.columns:
        raise Mistake(f"the table {table.name} has no column {name}.", f"Use one of {', '.join(table.columns)}.", start)
    return table.columns[name]


def fits(table: Table, name: str, asked: Value) -> None:
    """Mistake where the column ``name`` of the table can't be compared with ``asked``."""
    stored = table.columns[name]
    if asked.kind in (stored, Kind.NOTHING) or {asked.kind, stored} <= NUMBERS:
        return
    hint = "Compare like types."
    if stored is Kind.TEXT and not table.golden:
        hint = "Give the column its type in schemas/reference/tables.yaml."
    raise Mistake(f"{table.name}.{name} is {stored}, compared with {asked.kind}.", hint, asked.start)


def _typed(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The table's columns in their types; ConfigError naming the first that has another value."""
    for name, kind in table.columns.items():
        if kind is Kind.TEXT or name not in frame.columns:
            continue
        # Numbers are text with perhaps a decimal point, days are ISO.
        text = frame[name].replace({"": None})
        read = (
            text.str.to_date("%Y-%m-%d", strict=False) if kind is Kind.DATE else text.cast(dtype_of(kind), strict=False)
        )
        if read.null_count() > text.null_count():
            raise ConfigError(
                f"reference/{table.name}.csv: the column {name} holds what is not {kind}.",
                field=table.name,
                hint="Correct the value, or the type in schemas/reference/tables.yaml.",
            )
        frame = frame.with_columns(read.alias(name))
    return frame


def _index(reference: Reference, table: Table, keys: Sequence[str], fixed: Mapping[str, str]) -> Index:
    """The rows of the table by ``keys``, of those whose columns have the ``fixed`` values."""

    def build(tables: Reference) -> Index:
        frame = _typed(tables.table(table.name, *table.columns), table)
        for name, value in fixed.items():
            frame = frame.filter(notation(table.columns[name], pl.col(name)) == value)
        frame = frame.drop_nulls(list(keys))
        joined = frame.select(
            pl.concat_str([notation(table.columns[name], pl.col(name)) for name in keys], separator=_SEPARATOR)
        ).to_series()
        values = {name: frame[name].to_list() for name in table.columns}
        # An all-null column of a typed table keeps its type by the look-up's cast.
        return Index(joined.to_list(), values)

    return cached(reference, f"look-up {table.name} {list(keys)} {dict(fixed)}", build)


def _row(table: Table, keys: Sequence[tuple[str, Value]], fixed: Mapping[str, str], terms: Terms) -> pl.Expr:
    """The row of the table that each record's keys name; computed once for all rules that ask for it."""
    index = _index(terms.reference, table, [name for name, _ in keys], fixed)
    texts = [notation(table.columns[name], value.build(terms)) for name, value in keys]
    joined = texts[0] if len(texts) == 1 else pl.concat_str(texts, separator=_SEPARATOR)
    asked = " ".join(str(text) for text in (*texts, *sorted(fixed.items())))
    return terms.helper(f"_row {table.name} {asked}", index.row(joined))


def lookup(scope: Scope, arguments: Sequence[Value], start: int) -> Value:
    """``lookup('table', 'column', key, …)``: the value at the table's key; null where there is none."""
    usage = "Write lookup('table', 'column', key, …)."
    names = [value.constant[0] for value in arguments[:2] if value.constant and value.kind is Kind.TEXT]
    if len(arguments) < 3 or len(names) < 2:
        raise Mistake("lookup needs table, column and key.", usage, start)
    table = find(scope, names[0], arguments[0].start)
    kind = column(table, names[1], arguments[1].start)
    keys = arguments[2:]
    if not table.key:
        raise Mistake(
            f"the table {table.name} has no key.", "Name it in schemas/reference/tables.yaml: key: […].", start
        )
    if len(keys) != len(table.key):
        raise Mistake(f"the key of {table.name} is {', '.join(table.key)}.", f"{usage} with all of it.", start)
    pairs = list(zip(table.key, keys, strict=True))
    for name, value in pairs:
        fits(table, name, value)

    def build(terms: Terms) -> pl.Expr:
        index = _index(terms.reference, table, table.key, {})
        return index.at(_row(table, pairs, {}, terms), names[1]).cast(dtype_of(kind))

    return Value(kind, build, union(keys), frozenset[str]().union(*(key.nulls for key in keys)))


def member(table: Table, keys: Sequence[tuple[str, Value]], fixed: Mapping[str, Value], *, null: bool) -> Value:
    """Whether the table has a row with these keys; where a key is null: null (IN) or false (EXISTS)."""
    values = [value for _, value in keys]
    constants = {
        name: str(pl.select(notation(table.columns[name], pl.lit(value.constant[0]))).item())
        for name, value in fixed.items()
        if value.constant
    }

    def build(terms: Terms) -> pl.Expr:
        found = _row(table, keys, constants, terms).is_not_null()
        if not null:
            return found
        known = pl.all_horizontal(value.build(terms).is_not_null() for value in values)
        return pl.when(known).then(found)

    nulls = frozenset[str]().union(*(value.nulls for value in values)) if null else frozenset[str]()
    return Value(Kind.TRUTH, build, union(values), nulls, needs=nulls)
