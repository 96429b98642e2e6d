"""Days, partial days and ages in expressions.

A partial day (1965, 1965-07) is any day of its year or month: a comparison is true or false where all these days agree,
else unknown, so that no person is blamed for a day that nobody knows (DOMAIN §7.3).
"""

from __future__ import annotations

import polars as pl

from sync.rule.batch import Terms
from sync.rule.expression.kind import Kind
from sync.rule.expression.value import Build, Value
from sync.rule.moment import earliest


def first_day(value: Value) -> Build:
    """The first day that a date or partial date can mean; of a field it is computed once for all rules."""
    if value.kind is not Kind.PARTIAL:
        return value.build
    names = tuple(value.fields)

    def build(terms: Terms) -> pl.Expr:
        whole = value.build(terms)
        if len(names) == 1 and whole.meta.eq(pl.col(names[0])):
            return terms.helper(f"_first_{names[0]}", earliest(names[0]))
        return (whole + "-01-01").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)

    return build


def last_day(value: Value) -> Build:
    """The last day that a date or partial date can mean."""
    if value.kind is not Kind.PARTIAL:
        return value.build
    first = first_day(value)

    def build(terms: Terms) -> pl.Expr:
        start, size = first(terms), value.build(terms).str.len_bytes()
        # "1y" and "1mo" added to a first day never meet a day that is not in the calendar.
        end = pl.when(size == 4).then(start.dt.offset_by("1y")).when(size == 7).then(start.dt.offset_by("1mo"))
        return pl.when(size == 10).then(start).otherwise(end.otherwise(None).dt.offset_by("-1d"))

    return build


def months_between(earlier: pl.Expr, later: pl.Expr) -> pl.Expr:
    """Whole months from one date to another: the day of the month must have come again."""
    months = (later.dt.year() - earlier.dt.year()) * 12 + later.dt.month().cast(pl.Int32) - earlier.dt.month()
    return (months - (later.dt.day() < earlier.dt.day()).cast(pl.Int32)).cast(pl.Int64)
