"""The functions of expressions: each with its signature, what it does, and the Polars expression that does it.

``docs/generate.py`` and ``dongbo rule functions`` list them. Where an argument is null the result is null, unless the
documentation says otherwise. To add one is to add one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import polars as pl

from sync.rule.batch import Terms
from sync.rule.expression.calendar import first_day, last_day, months_between
from sync.rule.expression.kind import DAYS, NUMBERS, Kind
from sync.rule.expression.value import Build, Mistake, Value, strict, union

TEXT = frozenset({Kind.TEXT})
WRITTEN = frozenset({Kind.TEXT, Kind.PARTIAL})
INTEGER = frozenset({Kind.INTEGER})
DATED = frozenset({Kind.DATE, Kind.PARTIAL, Kind.MOMENT})
ANY: frozenset[Kind] = frozenset(Kind)

_TAX_WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)


@dataclass(frozen=True, slots=True)
class Function:
    """A function: ``arguments`` are the types allowed in each place, of which the last may be ``repeated``.

    ``make`` gets the arguments, already checked, and returns the result; ``constant``: places that need a constant.
    """

    name: str
    signature: str
    doc: str
    arguments: tuple[frozenset[Kind], ...]
    make: Callable[[Sequence[Value]], Value]
    optional: int = 0
    repeated: bool = False
    constant: tuple[int, ...] = ()

    def apply(self, arguments: Sequence[Value], start: int) -> Value:
        """The value of a call; Mistake where number or types of the arguments do not fit."""
        least = len(self.arguments) - self.optional
        if len(arguments) < least or (len(arguments) > len(self.arguments) and not self.repeated):
            raise Mistake(f"{self.name} got {len(arguments)} arguments.", f"Write {self.signature}.", start)
        for place, argument in enumerate(arguments):
            allowed = self.arguments[min(place, len(self.arguments) - 1)]
            if argument.kind not in allowed and argument.kind is not Kind.NOTHING:
                named = " or ".join(sorted(str(kind) for kind in allowed))
                raise Mistake(
                    f"argument {place + 1} of {self.name} is {argument.kind}, not {named}.",
                    f"Write {self.signature}.",
                    argument.start,
                )
            if place in self.constant and argument.constant is None:
                raise Mistake(
                    f"argument {place + 1} of {self.name} is no constant.", f"Write {self.signature}.", argument.start
                )
        return self.make(arguments)


FUNCTIONS: dict[str, Function] = {}
"""All functions by name."""


def _add(
    signature: str, doc: str, *arguments: frozenset[Kind], make: Callable[[Sequence[Value]], Value], **more: Any
) -> None:
    name = signature.partition("(")[0]
    FUNCTIONS[name] = Function(name, signature, doc, arguments, make, **more)


def _plain(kind: Kind, build: Callable[..., pl.Expr], *, days: bool = False) -> Callable[[Sequence[Value]], Value]:
    """A function of its arguments' Polars expressions; with ``days``, partial dates are taken by their first day."""

    def make(arguments: Sequence[Value]) -> Value:
        builds = [first_day(argument) if days else argument.build for argument in arguments]

        def whole(terms: Terms) -> pl.Expr:
            return build(*(part(terms) for part in builds))

        return Value(kind, whole, union(arguments), strict(arguments))

    return make


def common(arguments: Sequence[Value], where: str) -> Kind:
    """The type that all arguments have, numbers taken together; Mistake where there is none."""
    kinds = {argument.kind for argument in arguments} - {Kind.NOTHING}
    if kinds <= NUMBERS and kinds:
        return Kind.DECIMAL if Kind.DECIMAL in kinds else Kind.INTEGER
    if len(kinds) > 1:
        first = next(argument for argument in arguments if argument.kind is not Kind.NOTHING)
        other = next(argument for argument in arguments if argument.kind not in (first.kind, Kind.NOTHING))
        raise Mistake(f"{where} mixes {first.kind} and {other.kind}.", "Give all of them one type.", other.start)
    return kinds.pop() if kinds else Kind.NOTHING


def _same(name: str, build: Callable[..., pl.Expr], *, passes_nulls: bool) -> Callable[[Sequence[Value]], Value]:
    def make(arguments: Sequence[Value]) -> Value:
        kind = common(arguments, name)
        if kind is Kind.PARTIAL and name in ("greatest", "least"):
            raise Mistake(f"{name} can't order partial dates.", "Use first_day(…) of each.", arguments[0].start)

        def whole(terms: Terms) -> pl.Expr:
            return build(*(argument.build(terms) for argument in arguments))

        return Value(kind, whole, union(arguments), frozenset() if passes_nulls else strict(arguments))

    return make


def _extreme(build: Callable[[Sequence[pl.Expr]], pl.Expr]) -> Callable[..., pl.Expr]:
    return lambda *values: build(values)


def _today(_: Sequence[Value]) -> Value:
    return Value(Kind.DATE, lambda terms: pl.lit(terms.today))


def _days(build: Callable[[Value], Build]) -> Callable[[Sequence[Value]], Value]:
    return lambda arguments: Value(Kind.DATE, build(arguments[0]), union(arguments), strict(arguments))


def _dated(
    kind: Kind, whole: Callable[[pl.Expr], pl.Expr], written: Callable[[pl.Expr], pl.Expr]
) -> Callable[[Sequence[Value]], Value]:
    """A function of a date: ``whole`` of a column of dates or times, ``written`` of partial dates as text."""

    def make(arguments: Sequence[Value]) -> Value:
        (day,) = arguments
        if day.kind is Kind.PARTIAL:
            return Value(kind, lambda terms: written(day.build(terms)), day.fields, day.nulls)
        return _plain(kind, whole)(arguments)

    return make


def _number(text: pl.Expr, start: int, length: int) -> pl.Expr:
    """The whole number in a part of a text; null where there is none."""
    return text.str.slice(start, length).cast(pl.Int64, strict=False)


def _matches(arguments: Sequence[Value]) -> Value:
    text, pattern = arguments
    return pattern_match(text, pattern)


def pattern_match(text: Value, pattern: Value) -> Value:
    """Whether a text has a part that the constant ``pattern``, a regular expression, describes."""
    if pattern.constant is None or not isinstance(pattern.constant[0], str):
        raise Mistake("the pattern is no constant text.", "Write the pattern in quotes: '^[0-9]{12}$'.", pattern.start)
    written: str = pattern.constant[0]
    try:
        pl.Series([""]).str.contains(written)
    except pl.exceptions.ComputeError as error:
        raise Mistake("the pattern is no regular expression.", "Correct it: '^[0-9]{12}$'.", pattern.start) from error
    return Value(Kind.TRUTH, lambda terms: text.build(terms).str.contains(written), text.fields, text.nulls)


def _tax_code(code: pl.Expr) -> pl.Expr:
    """Ten digits of which the last checks the others by weights (MST, TT 105/2020/TT-BTC), perhaps with a branch."""
    ten = code.str.contains(r"^[0-9]{10}(?:-?[0-9]{3})?$")
    # One number is taken apart: nothing evaluates a shared part of an expression once only.
    number = code.str.head(10).cast(pl.Int64, strict=False)
    places = range(len(_TAX_WEIGHTS), 0, -1)
    total = reduce(
        lambda left, right: left + right,
        (number // 10**place % 10 * weight for place, weight in zip(places, _TAX_WEIGHTS, strict=True)),
    )
    # 10 minus the remainder: no code whose remainder gives 10 was ever issued.
    good = (10 - total % 11) == number % 10
    # Since 2025-07-01 a person's tax code is the citizen identification number (TT 86/2024/TT-BTC).
    twelve = code.str.contains(r"^[0-9]{12}$")
    return pl.when(code.is_null()).then(None).otherwise((ten & good.fill_null(False)) | twelve)


_add("today()", "The day on which records are judged.", make=_today)
_add(
    "length(text)",
    "Number of characters.",
    WRITTEN,
    make=_plain(Kind.INTEGER, lambda v: v.str.len_chars().cast(pl.Int64)),
)
_add("lower(text)", "In small letters.", TEXT, make=_plain(Kind.TEXT, lambda v: v.str.to_lowercase()))
_add("upper(text)", "In capitals.", TEXT, make=_plain(Kind.TEXT, lambda v: v.str.to_uppercase()))
_add("trim(text)", "Without white space at both ends.", TEXT, make=_plain(Kind.TEXT, lambda v: v.str.strip_chars()))
_add(
    "starts_with(text, start)",
    "Whether a text begins with another.",
    TEXT,
    TEXT,
    make=_plain(Kind.TRUTH, lambda v, s: v.str.starts_with(s)),
)
_add(
    "ends_with(text, end)",
    "Whether a text ends with another.",
    TEXT,
    TEXT,
    make=_plain(Kind.TRUTH, lambda v, s: v.str.ends_with(s)),
)
_add(
    "contains(text, part)",
    "Whether a text holds another.",
    TEXT,
    TEXT,
    make=_plain(Kind.TRUTH, lambda v, s: v.str.contains(s, literal=True)),
)
_add(
    "matches(text, 'pattern')",
    "Whether a part of a text is as the regular expression says; ^ and $ mean its begin and end.",
    TEXT,
    TEXT,
    make=_matches,
    constant=(1,),
)
_add(
    "substring(text, from, count)",
    "`count` characters from the place `from`, of which the first is 1.",
    WRITTEN,
    INTEGER,
    INTEGER,
    make=_plain(Kind.TEXT, lambda v, s, n: v.str.slice(s - 1, n)),
)
_add(
    "left(text, count)",
    "The first characters.",
    WRITTEN,
    INTEGER,
    make=_plain(Kind.TEXT, lambda v, n: v.str.slice(0, n)),
)
_add("right(text, count)", "The last characters.", WRITTEN, INTEGER, make=_plain(Kind.TEXT, lambda v, n: v.str.tail(n)))
_add(
    "split_part(text, separator, place)",
    "The part at a place (from 1) of a text split at a separator; null where there is none.",
    TEXT,
    TEXT,
    INTEGER,
    make=_plain(Kind.TEXT, lambda v, s, n: v.str.split(s).list.get(n - 1, null_on_oob=True)),
)
_add(
    "number(text)",
    "The whole number that a text of digits writes; null for any other text.",
    TEXT,
    make=_plain(Kind.INTEGER, lambda v: v.cast(pl.Int64, strict=False)),
)
_add("abs(number)", "Without its sign.", NUMBERS, make=lambda a: _plain(a[0].kind, lambda v: v.abs())(a))
_add(
    "floor(number)",
    "The next whole number below or equal.",
    NUMBERS,
    make=_plain(Kind.INTEGER, lambda v: v.floor().cast(pl.Int64)),
)
_add(
    "coalesce(first, second, …)",
    "The first that is not null.",
    ANY,
    repeated=True,
    make=_same("coalesce", lambda *v: pl.coalesce(*v), passes_nulls=True),
)
_add(
    "nullif(value, other)",
    "Null where both are equal, else the first.",
    ANY,
    ANY,
    make=_same("nullif", lambda v, o: pl.when((v == o).fill_null(False)).then(None).otherwise(v), passes_nulls=True),
)
_add(
    "greatest(first, second, …)",
    "The greatest of those that are not null.",
    ANY,
    repeated=True,
    make=_same("greatest", _extreme(pl.max_horizontal), passes_nulls=True),
)
_add(
    "least(first, second, …)",
    "The least of those that are not null.",
    ANY,
    repeated=True,
    make=_same("least", _extreme(pl.min_horizontal), passes_nulls=True),
)
_add(
    "year(date)",
    "The year; known of a partial date too.",
    DATED,
    make=_dated(Kind.INTEGER, lambda v: v.dt.year().cast(pl.Int64), lambda v: _number(v, 0, 4)),
)
_add(
    "month(date)",
    "The month, 1 to 12; null where a partial date has none.",
    DATED,
    make=_dated(Kind.INTEGER, lambda v: v.dt.month().cast(pl.Int64), lambda v: _number(v, 5, 2)),
)
_add(
    "day(date)",
    "The day of the month.",
    frozenset({Kind.DATE, Kind.MOMENT}),
    make=_plain(Kind.INTEGER, lambda v: v.dt.day().cast(pl.Int64)),
)
_add("date(time)", "The day of a time (UTC).", frozenset({Kind.MOMENT}), make=_plain(Kind.DATE, lambda v: v.dt.date()))
_add(
    "month_end(date)",
    "The last day of the month.",
    frozenset({Kind.DATE}),
    make=_plain(Kind.DATE, lambda v: v.dt.month_end()),
)
_add("first_day(date)", "The first day that a partial date can mean: 1965-01-01 of 1965.", DAYS, make=_days(first_day))
_add("last_day(date)", "The last day that a partial date can mean: 1965-12-31 of 1965.", DAYS, make=_days(last_day))
_add(
    "months_between(from, to)",
    "Whole months from one date to another, negative where it is before; a partial date counts as its first day.",
    DAYS,
    DAYS,
    make=_plain(Kind.INTEGER, months_between, days=True),
)
_add(
    "age_on(birth, date)",
    "Age in whole years on a date; of a partial date of birth the greatest age that it can mean.",
    DAYS,
    DAYS,
    make=_plain(Kind.INTEGER, lambda birth, on: months_between(birth, on) // 12, days=True),
)
_add(
    "tax_code_valid(code)",
    "Whether it is ten digits with the right check digit, perhaps with a branch's three, or a citizen's twelve.",
    TEXT,
    make=_plain(Kind.TRUTH, _tax_code),
)
_add(
    "year_month(date)",
    "Year and month as 2026-10; null where a partial date has no month.",
    DATED,
    make=_dated(
        Kind.TEXT,
        lambda v: v.dt.strftime("%Y-%m"),
        lambda v: pl.when(v.str.len_bytes() >= 7).then(v.str.slice(0, 7)),
    ),
)
