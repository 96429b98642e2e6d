"""Arithmetic: of numbers, and of days with intervals or days."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import polars as pl
from sqlglot import exp

from sync.rule.batch import Terms
from sync.rule.expression.kind import NUMBERS, Kind
from sync.rule.expression.syntax import start_of
from sync.rule.expression.value import Build, Mistake, Value, strict, union

_UNITS = {"YEAR": "y", "MONTH": "mo", "WEEK": "w", "DAY": "d"}
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def offset(node: exp.Interval) -> str:
    """An interval literal as Polars writes it: ``18y``."""
    amount, unit = node.this, node.args.get("unit")
    written = str(unit.this if unit is not None else "").upper().removesuffix("S")
    if not isinstance(amount, exp.Literal) or not amount.name.isdigit() or written not in _UNITS:
        raise Mistake(
            "the interval can't be read.",
            "Write INTERVAL '18 years', with years, months, weeks or days.",
            start_of(node),
        )
    return f"{amount.name}{_UNITS[written]}"


def _wide(value: Value) -> Build:
    """Whole numbers in 64 bits, so that sums of 32-bit columns do not overflow."""
    if value.kind is not Kind.INTEGER:
        return value.build
    return lambda terms: value.build(terms).cast(pl.Int64)


def arithmetic(sign: str, left: Value, right: Value) -> Value:
    """``left sign right``; division by zero is null."""
    pair = (left, right)
    if Kind.INTERVAL in (left.kind, right.kind):
        return _moved(sign, left, right)
    if left.kind is right.kind is Kind.DATE and sign == "-":
        return Value(
            Kind.INTEGER,
            lambda terms: (left.build(terms) - right.build(terms)).dt.total_days(),
            union(pair),
            strict(pair),
        )
    for value in pair:
        if value.kind not in NUMBERS:
            raise Mistake(f"{sign} can't take {value.kind}.", _remedy(value), value.start)
    whole = left.kind is right.kind is Kind.INTEGER
    kind = Kind.INTEGER if whole and sign != "/" else Kind.DECIMAL
    first, second = _wide(left), _wide(right)

    def build(terms: Terms) -> pl.Expr:
        one, other = first(terms), second(terms)
        if sign in _OPERATORS:
            made: pl.Expr = _OPERATORS[sign](one, other)
            return made
        # SQL's remainder has the sign of the dividend, that of Polars the divisor's.
        safe = pl.when(other != 0).then(other)
        if sign == "/":
            return one.cast(pl.Float64) / safe.cast(pl.Float64)
        remainder = one.abs() % safe.abs()
        return pl.when(one < 0).then(-remainder).otherwise(remainder)

    return Value(kind, build, union(pair), strict(pair))


def _remedy(value: Value) -> str:
    if value.kind is Kind.PARTIAL:
        return "Take first_day(…) or last_day(…) of it."
    return "Read digits by number(…)." if value.kind is Kind.TEXT else "Use numbers, or a date and an INTERVAL."


def _moved(sign: str, left: Value, right: Value) -> Value:
    """A day moved by an interval; a day that the month lacks becomes its last."""
    day, span = (left, right) if right.kind is Kind.INTERVAL else (right, left)
    if day.kind not in (Kind.DATE, Kind.MOMENT) or sign not in "+-" or (sign == "-" and day is right):
        raise Mistake(
            f"an interval can't go with {day.kind} here.",
            f"Write date {sign} INTERVAL '1 year'. {_remedy(day)}",
            day.start,
        )
    by = f"{'-' if sign == '-' else ''}{span.constant[0] if span.constant else ''}"
    return Value(day.kind, lambda terms: day.build(terms).dt.offset_by(by), day.fields, day.nulls)


def negative(value: Value) -> Value:
    """``-value``."""
    if value.kind not in NUMBERS:
        raise Mistake(f"- can't take {value.kind}.", "Use a number.", value.start)
    wide = _wide(value)
    constant = (-value.constant[0],) if value.constant else None
    return Value(value.kind, lambda terms: -wide(terms), value.fields, value.nulls, constant=constant)
