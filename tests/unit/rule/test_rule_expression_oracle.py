"""Compiled expressions beside oracles that share nothing with them: SQLite, row by row; all days of partial dates."""

from __future__ import annotations

import calendar
import operator
import sqlite3
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, note, settings
from hypothesis import strategies as st

from sync.rule.batch import Terms
from sync.rule.expression.compiler import compile_condition
from sync.rule.expression.kind import of_field
from sync.rule.expression.value import Scope, Table
from sync.rule.model import Field, Reference, RuleSet

FIELDS = (
    Field("code"),
    Field("name"),
    Field("men", "int"),
    Field("women", "int"),
    Field("start", "date"),
    Field("finish", "date"),
    Field("member", "bool"),
)
REFERENCE = Reference({"codes": pl.DataFrame({"code": ["A", "B", "B"], "name": ["a", "b", "c"]})})
CODES = Table("codes", {"code": of_field(FIELDS[0]), "name": of_field(FIELDS[1])})
DAYS = [date(2024, 2, 29) + timedelta(days=days) for days in (0, 1, 366, 400)]
TEXTS = ["A", "B", "C", "a", "", "AB", "A%"]


class Tables:
    """One reference table."""

    def find(self, name: str) -> Table | None:
        return CODES if name == "codes" else None

    def known(self) -> tuple[str, ...]:
        return ("codes",)


SCOPE = Scope({field.name: of_field(field) for field in FIELDS}, Tables())
RECORDS = st.fixed_dictionaries(
    {
        "code": st.none() | st.sampled_from(TEXTS),
        "name": st.none() | st.sampled_from(TEXTS),
        "men": st.none() | st.integers(-3, 3),
        "women": st.none() | st.integers(-3, 3),
        "start": st.none() | st.sampled_from(DAYS),
        "finish": st.none() | st.sampled_from(DAYS),
        "member": st.none() | st.booleans(),
    }
)

_SIGNS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
_TEXT = st.sampled_from(["code", "name", "'A'", "'b'", "upper(code)", "code || name", "coalesce(name, code)"])
_NUMBER = st.recursive(
    st.sampled_from(["men", "women", "0", "2", "length(name)", "coalesce(men, women, 1)"]),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "%"]), inner).map(
        lambda part: f"({' '.join(part)})"
    ),
    max_leaves=4,
)
_DAY = st.sampled_from(["start", "finish", "DATE '2025-03-01'", "coalesce(finish, start)"])


def _joined(*parts: Any) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map(" ".join)


_ATOM = st.one_of(
    _joined(_TEXT, _SIGNS, _TEXT),
    _joined(_NUMBER, _SIGNS, _NUMBER),
    _joined(_DAY, _SIGNS, _DAY),
    _joined(_NUMBER, st.sampled_from(["BETWEEN", "NOT BETWEEN"]), _NUMBER, "AND", _NUMBER),
    _joined(_TEXT, st.sampled_from(["IN", "NOT IN"]), "('A', 'B', '')"),
    _joined(_NUMBER, "IN (0, 2)"),
    _joined(_TEXT, st.sampled_from(["LIKE", "NOT LIKE"]), st.sampled_from(["'A%'", "'_'", "'%b%'", "''"])),
    _joined(_TEXT, st.sampled_from(["IS NULL", "IS NOT NULL"])),
    _joined(_TEXT, st.sampled_from(["IS DISTINCT FROM", "IS NOT DISTINCT FROM"]), _TEXT),
    _joined("member", st.sampled_from(["", "IS TRUE", "IS NOT FALSE", "IS NULL"])),
    st.just("code IN (SELECT code FROM codes)"),
    st.just("code NOT IN (SELECT code FROM codes WHERE name = 'b')"),
    st.just("EXISTS (SELECT 1 FROM codes WHERE codes.code = coalesce(record.name, 'A'))"),
)
CONDITIONS = st.recursive(
    _ATOM,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda part: f"({' '.join(part)})"),
        inner.map(lambda part: f"NOT ({part})"),
        st.tuples(inner, inner, inner).map(lambda part: "CASE WHEN {} THEN {} ELSE {} END".format(*part)),
        st.tuples(_TEXT, inner).map(lambda part: "(CASE {} WHEN 'A' THEN {} END)".format(*part)),
    ),
    max_leaves=6,
)


def _stored(value: Any) -> Any:
    return str(value) if isinstance(value, date) else value


def by_sqlite(text: str, records: list[Mapping[str, Any]]) -> list[bool | None]:
    """The condition's value for each record, by SQLite: days are texts there."""
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA case_sensitive_like = ON")
    database.execute("CREATE TABLE codes (code TEXT, name TEXT)")
    database.executemany("INSERT INTO codes VALUES (?, ?)", REFERENCE.table("codes").rows())
    database.execute(f"CREATE TABLE record ({', '.join(field.name for field in FIELDS)})")
    values = [[_stored(record[field.name]) for field in FIELDS] for record in records]
    database.executemany(f"INSERT INTO record VALUES ({', '.join('?' * len(FIELDS))})", values)
    found = database.execute(f"SELECT {text.replace('DATE ', '')} FROM record ORDER BY rowid").fetchall()
    database.close()
    return [None if value is None else bool(value) for (value,) in found]


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, st.lists(RECORDS, min_size=1, max_size=8))
def test_a_condition_has_the_value_that_sqlite_gives_row_by_row(text: str, records: list[Mapping[str, Any]]) -> None:
    note(text)
    value = compile_condition(text, SCOPE)
    terms = Terms({field.name: field for field in FIELDS}, RuleSet(), REFERENCE, date(2026, 11, 22))
    columns = {field.name: pl.Series([record[field.name] for record in records], dtype=field.dtype) for field in FIELDS}
    built, bad = value.build(terms), value.bad(terms)
    frame = pl.DataFrame(columns)
    for layer in terms.layers(frozenset(terms.helpers)):
        frame = frame.with_columns(**layer)
    judged = frame.select(value=built, bad=bad)

    expected = by_sqlite(text, records)
    assert _all(judged, "value", len(records)) == expected
    assert [found is True for found in _all(judged, "bad", len(records))] == [found is False for found in expected]
    for record, found in zip(records, expected, strict=True):
        if found is False:
            assert all(record[name] is not None for name in value.needs)
        if any(record[name] is None for name in value.nulls):
            assert found is None


def _all(frame: pl.DataFrame, name: str, rows: int) -> list[bool | None]:
    """A column's values; of a constant, which Polars gives once, as often as there are rows."""
    values = frame[name].to_list()
    return values * rows if len(values) == 1 else values


PARTIAL = st.one_of(
    st.sampled_from(["2023", "2024", "2024-01", "2024-02", "2023-12"]),
    st.dates(date(2023, 12, 30), date(2024, 3, 1)).map(str),
)


COMPARE: Mapping[str, Callable[[date, date], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne,
}  # fmt: skip


def days_of(text: str) -> list[date]:
    """All days that a partial date can mean."""
    parts = [int(part) for part in text.split("-")]
    months = [parts[1]] if len(parts) > 1 else range(1, 13)
    return [
        date(parts[0], month, day)
        for month in months
        for day in ([parts[2]] if len(parts) > 2 else range(1, calendar.monthrange(parts[0], month)[1] + 1))
    ]


@settings(max_examples=150, deadline=None)
@given(PARTIAL, st.sampled_from(["<", "<=", ">", ">=", "=", "<>"]), PARTIAL)
def test_a_comparison_of_partial_dates_is_what_all_their_days_agree_on(left: str, sign: str, right: str) -> None:
    compare = COMPARE[sign]
    answers = {compare(one, other) for one in days_of(left) for other in days_of(right)}
    fields = (Field("left_day", "partial_date"), Field("right_day", "partial_date"))
    scope = Scope({field.name: of_field(field) for field in fields}, Tables())
    value = compile_condition(f"left_day {sign} right_day", scope)
    terms = Terms({field.name: field for field in fields}, RuleSet(), REFERENCE, date(2026, 11, 22))
    built, bad = value.build(terms), value.bad(terms)
    frame = pl.DataFrame({"left_day": [left], "right_day": [right]})
    for layer in terms.layers(frozenset(terms.helpers)):
        frame = frame.with_columns(**layer)

    judged = frame.select(value=built, bad=bad).row(0)

    assert judged[0] == (answers.pop() if len(answers) == 1 else None)
    assert (judged[1] is True) == (judged[0] is False)
