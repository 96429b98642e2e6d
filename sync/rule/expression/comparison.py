"""Comparisons: of numbers with numbers, texts with texts, days with days, each exact and null where a side is."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import polars as pl

from sync.rule.batch import Terms
from sync.rule.expression.calendar import first_day, last_day
from sync.rule.expression.kind import DAYS, NUMBERS, Kind
from sync.rule.expression.value import Build, Mistake, Value, strict, union

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRROR = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def check_alike(left: Value, right: Value) -> None:
    """Mistake, with a remedy, where values of these types can't be compared."""
    kinds = {left.kind, right.kind}
    if len(kinds) == 1 or kinds <= NUMBERS or kinds <= DAYS or Kind.NOTHING in kinds:
        return
    if kinds & DAYS and Kind.TEXT in kinds:
        hint = "Write a date as DATE '2025-07-01'; a part of one as year(…)."
    elif kinds & DAYS and Kind.MOMENT in kinds:
        hint = "Take the day of the time: date(…)."
    elif kinds & NUMBERS and Kind.TEXT in kinds:
        hint = "Write a code in quotes ('01'); read digits by number(…)."
    else:
        hint = "Compare values of one type."
    raise Mistake(f"compares {left.kind} with {right.kind}.", hint, left.start)


def compare(sign: str, left: Value, right: Value) -> Value:
    """``left sign right``."""
    check_alike(left, right)
    if Kind.NOTHING in (left.kind, right.kind):
        raise Mistake("compares with null, which is never true.", "Write IS NULL or IS NOT NULL.", left.start)
    fields, nulls = union((left, right)), strict((left, right))
    if Kind.PARTIAL in (left.kind, right.kind):
        fails = _surely(_OPPOSITE[sign], left, right)
        return Value(Kind.TRUTH, _partial(sign, left, right), fields, nulls, fails, nulls)

    def by(sign: str) -> Build:
        return lambda terms: _OPERATORS[sign](left.build(terms), right.build(terms))

    return Value(Kind.TRUTH, by(sign), fields, nulls, by(_OPPOSITE[sign]), nulls)


def _partial(sign: str, left: Value, right: Value) -> Build:
    """True and false where all days that the dates can mean agree, else unknown."""
    holds, fails = _surely(sign, left, right), _surely(_OPPOSITE[sign], left, right)

    def build(terms: Terms) -> pl.Expr:
        truth = pl.when(holds(terms)).then(pl.lit(True)).when(fails(terms)).then(pl.lit(False))
        return truth.otherwise(pl.lit(None, dtype=pl.Boolean))

    return build


def _surely(sign: str, left: Value, right: Value) -> Build:
    """Where the comparison holds for all days that the dates can mean."""
    if sign in (">", ">="):
        return _surely(_MIRROR[sign], right, left)
    if sign in ("<", "<="):
        late, early = last_day(left), first_day(right)
        return lambda terms: _OPERATORS[sign](late(terms), early(terms))
    if sign == "=":
        ends = (first_day(left), last_day(left), first_day(right), last_day(right))
        return lambda terms: pl.all_horizontal(ends[0](terms) == end(terms) for end in ends[1:])
    before, after = _surely("<", left, right), _surely("<", right, left)
    return lambda terms: before(terms) | after(terms)


def distinct(left: Value, right: Value, *, same: bool) -> Value:
    """``IS [NOT] DISTINCT FROM``: equality in which null equals null; partial dates by what is written."""
    check_alike(left, right)
    if left.kind is not right.kind and Kind.PARTIAL in (left.kind, right.kind):
        raise Mistake("compares a date with a partial date.", "Take first_day(…) of the partial date.", left.start)

    def build(terms: Terms) -> pl.Expr:
        first, second = left.build(terms), right.build(terms)
        return first.eq_missing(second) if same else first.ne_missing(second)

    return Value(Kind.TRUTH, build, union((left, right)))
