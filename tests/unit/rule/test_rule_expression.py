"""Expressions in rules.yaml: what they mean, what they refuse, and where they say a mistake is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from sync.rule.batch import Terms
from sync.rule.expression.compiler import compile_condition, compile_expression
from sync.rule.expression.kind import Kind, of_field
from sync.rule.expression.value import Mistake, Scope, Table, Value
from sync.rule.model import Field, Reference, RuleSet

TODAY = date(2026, 11, 22)
FIELDS = (
    Field("code"),
    Field("name"),
    Field("deaths", "int"),
    Field("victims", "int"),
    Field("rate", "decimal", 5, 2),
    Field("start", "date"),
    Field("finish", "date"),
    Field("birth", "partial_date"),
    Field("updated", "datetime"),
    Field("member", "bool"),
)
GRADES = Table("grades", {"group": Kind.TEXT, "step": Kind.INTEGER, "rate": Kind.DECIMAL}, ("group", "step"))
REFERENCE = Reference(
    {"grades": pl.DataFrame({"group": ["A", "A", "B"], "step": ["1", "2", "1"], "rate": ["2.34", "2.67", None]})}
)


class Tables:
    """One reference table."""

    def find(self, name: str) -> Table | None:
        return GRADES if name == "grades" else None

    def known(self) -> tuple[str, ...]:
        return ("grades",)


SCOPE = Scope({field.name: of_field(field) for field in FIELDS}, Tables())


def evaluate(value: Value, record: Mapping[str, Any], *, bad: bool = False) -> Any:
    """The value of an expression (or whether it is false) for one record."""
    terms = Terms({field.name: field for field in FIELDS}, RuleSet(), REFERENCE, TODAY)
    expression = value.bad(terms) if bad else value.build(terms)
    frame = pl.DataFrame([pl.Series(field.name, [record.get(field.name)], dtype=field.dtype) for field in FIELDS])
    for layer in terms.layers(frozenset(terms.helpers)):
        frame = frame.with_columns(**layer)
    return frame.select(expression.alias("value")).item()


@pytest.mark.parametrize(
    ("text", "record", "expected"),
    [
        ("deaths <= victims", {"deaths": 1, "victims": 2}, True),
        ("deaths <= victims", {"deaths": 3, "victims": 2}, False),
        ("deaths <= victims", {"deaths": 3}, None),
        ("deaths > 2147483647 - 1 AND deaths + deaths > deaths", {"deaths": 2147483647}, True),
        ("deaths / victims", {"deaths": 1, "victims": 0}, None),
        ("-7 % 2 = -1", {}, True),
        ("rate = 2.34", {"rate": Decimal("2.34")}, True),
        ("rate * 2 > deaths", {"rate": Decimal("2.34"), "deaths": 4}, True),
        ("rate IN (2.34, 2.67)", {"rate": Decimal("2.67")}, True),
        ("deaths BETWEEN 1 AND victims", {"deaths": 3, "victims": 2}, False),
        ("code IN ('A', 'B')", {"code": "C"}, False),
        ("code NOT IN ('A', 'B')", {"code": "C"}, True),
        ("code IN ('A')", {}, None),
        ("code IS NULL OR name IS NOT NULL", {"code": "A"}, False),
        ("code IS DISTINCT FROM name", {}, False),
        ("code LIKE 'V.%'", {"code": "V.07.03"}, True),
        ("code LIKE 'V_'", {"code": "V.07.03"}, False),
        ("code ~ '^[0-9]{3}$'", {"code": "12"}, False),
        ("NOT (code = 'A' AND name IS NULL)", {"code": "A"}, False),
        ("code NOT LIKE 'V%'", {"code": "V"}, False),
        ("deaths NOT BETWEEN 1 AND 2", {"deaths": 3}, True),
        ("code !~ '^V'", {"code": "V"}, False),
        ("member IS NOT TRUE", {"member": True}, False),
        ("member AND code = 'A'", {"member": False}, False),
        ("member IS TRUE", {}, False),
        ("CASE WHEN deaths > 0 THEN code = 'A' ELSE code = 'B' END", {"deaths": 1, "code": "A"}, True),
        ("CASE code WHEN 'A' THEN 1 ELSE 2 END", {"code": "A"}, 1),
        ("name || '-' || code", {"name": "x", "code": "y"}, "x-y"),
        ("start < DATE '2025-07-01'", {"start": date(2025, 6, 30)}, True),
        ("start + INTERVAL '1 month'", {"start": date(2025, 1, 31)}, date(2025, 2, 28)),
        ("finish - start", {"start": date(2025, 1, 1), "finish": date(2025, 1, 31)}, 30),
        ("start <= today()", {"start": TODAY}, True),
        ("date(updated) = start", {"updated": datetime(2025, 1, 1, 23, tzinfo=UTC), "start": date(2025, 1, 1)}, True),
        ("birth < start", {"birth": "1990", "start": date(1991, 1, 1)}, True),
        ("birth < start", {"birth": "1990", "start": date(1990, 5, 1)}, None),
        ("birth < start", {"birth": "1990-05", "start": date(1990, 5, 1)}, False),
        ("start >= birth", {"birth": "1990-05", "start": date(1990, 5, 31)}, True),
        ("birth = DATE '1990-05-17'", {"birth": "1990-05-17"}, True),
        ("birth = DATE '1990-05-17'", {"birth": "1990-05"}, None),
        ("birth = DATE '1990-06-17'", {"birth": "1990-05"}, False),
        ("year(birth)", {"birth": "1990"}, 1990),
        ("month(birth)", {"birth": "1990"}, None),
        ("last_day(birth)", {"birth": "1990-02"}, date(1990, 2, 28)),
        ("first_day(birth)", {"birth": "1990"}, date(1990, 1, 1)),
        ("age_on(birth, start)", {"birth": "1990-05-17", "start": date(2008, 5, 16)}, 17),
        ("months_between(start, finish)", {"start": date(2025, 1, 31), "finish": date(2025, 2, 28)}, 0),
        ("substring(code, 2, 2)", {"code": "abcd"}, "bc"),
        ("left(code, 1) || right(code, 1)", {"code": "abcd"}, "ad"),
        ("number(code) + 1", {"code": "41"}, 42),
        ("number(code)", {"code": "x"}, None),
        ("coalesce(rate, 0)", {}, Decimal("0")),
        ("greatest(start, finish)", {"finish": TODAY}, TODAY),
        ("tax_code_valid(code)", {"code": "0100109106"}, True),
        ("tax_code_valid(code)", {"code": "0100109106-001"}, True),
        ("tax_code_valid(code)", {"code": "0100109107"}, False),
        ("tax_code_valid(code)", {"code": "x"}, False),
        ("tax_code_valid(code)", {"code": "0100109106001"}, True),
        ("tax_code_valid(code)", {"code": "0100109106-01"}, False),
        ("tax_code_valid(code)", {"code": "+100109106"}, False),
        ("tax_code_valid(code)", {"code": "001012345678"}, True),
        ("lookup('grades', 'rate', code, deaths)", {"code": "A", "deaths": 2}, Decimal("2.67")),
        ("lookup('grades', 'rate', code, deaths) = rate", {"code": "A", "deaths": 2, "rate": Decimal("2.67")}, True),
        ("lookup('grades', 'rate', code, deaths)", {"code": "A", "deaths": 9}, None),
        ("lookup('grades', 'rate', code, deaths)", {"code": "A"}, None),
        ('code IN (SELECT "group" FROM grades)', {"code": "C"}, False),
        ('code IN (SELECT "group" FROM grades WHERE step = 2)', {"code": "B"}, False),
        ('EXISTS (SELECT 1 FROM grades WHERE "group" = code AND step = deaths)', {"code": "B", "deaths": 1}, True),
        ('EXISTS (SELECT 1 FROM grades WHERE "group" = code AND step = deaths)', {"code": "B"}, False),
    ],
)
def test_an_expression_means_what_sql_says(text: str, record: Mapping[str, Any], expected: Any) -> None:
    value = compile_expression(text, SCOPE)

    assert evaluate(value, record) == expected
    if value.kind is Kind.TRUTH:
        assert (evaluate(value, record, bad=True) is True) == (expected is False)


@pytest.mark.parametrize(
    ("text", "at", "problem", "hint"),
    [
        ("deaths <= victim", "victim", "no field victim", "Did you mean victims"),
        ("deaths <= and victims", "and", "breaks the syntax", "Write a condition"),
        ("code = 'A", "code", "not closed", "Close it"),
        ("start < '2025-07-01'", "start", "a date with text", "DATE '2025-07-01'"),
        ("birth < 1990", "birth", "a partial date with a whole number", "one type"),
        ("updated < today()", "updated", "a time with a date", "date("),
        ("deaths = '1'", "deaths", "a whole number with text", "number("),
        ("deaths = NULL", "deaths", "never true", "IS NULL"),
        ("today() < DATE '2025-13-01'", "'2025", "no date", "DATE '2025-07-01'"),
        ("deaths + victims", "deaths", "not a condition", "what must hold"),
        ("member OR deaths", "deaths", "not a condition", "Compare"),
        ("lenght(code) = 2", "lenght", "no function lenght", "length"),
        ("length(deaths) = 2", "deaths", "not a partial date or text", "length(text)"),
        ("length(code, name) = 2", "length", "got 2 arguments", "length(text)"),
        ("code ~ '['", "'['", "no regular expression", "Correct it"),
        ("code ~ name", "name", "no constant text", "Write"),
        ("code LIKE 'a!%' ESCAPE '!'", "code", "not supported", "docs/rules.md"),
        ("code ILIKE 'a'", "code", "not supported", "docs/rules.md"),
        ("count(code) OVER () > 1", "count", "not supported", "docs/rules.md"),
        ("deaths::text = '1'", "deaths", "not supported", "DATE"),
        ("upper(DISTINCT code) = '1'", "code", "not supported", "docs/rules.md"),
        ("code + 1 = 2", "code", "can't take text", "number("),
        ("start + 1 > finish", "start", "can't take a date", "INTERVAL"),
        ("birth + INTERVAL '1 year' < start", "birth", "can't go with a partial date", "first_day"),
        ("start + INTERVAL '1 blink' < finish", "start", "interval", "INTERVAL"),
        ("coalesce(deaths, code) = 1", "code", "mixes", "one type"),
        ("code IN (name)", "name", "takes constants", "OR"),
        ("lookup('grade', 'rate', code) = 1", "'grade'", "no reference table grade", "grades"),
        ("lookup('grades', 'rates', code, 1) = 1", "'rates'", "no column rates", "rate"),
        ("lookup('grades', 'rate', code) = 1", "lookup", "key of grades is group, step", "with all"),
        ("lookup('grades', 'rate', code, name) = 1", "name", "compared with text", "like types"),
        ("code IN (SELECT g FROM grades)", "g FROM", "no column g", "group"),
        ("EXISTS (SELECT 1 FROM grades WHERE step > deaths)", "step", "only say", "column = field"),
        ("EXISTS (SELECT 1 FROM grades WHERE step = rate)", "rate", "rate is a column of grades", "record.rate"),
        ("EXISTS (SELECT 1 FROM grades ORDER BY step)", "1", "only SELECT", "docs/rules.md"),
        ("t.code = 'A'", "t.code", "names a table", "alone"),
        ("CAST(code AS INT) = 1", "CAST", "no function CAST", "number("),
    ],
)
def test_a_mistake_is_found_with_its_place_and_remedy(text: str, at: str, problem: str, hint: str) -> None:
    with pytest.raises(Mistake) as caught:
        compile_condition(text, SCOPE)

    assert problem in caught.value.problem
    assert hint in caught.value.hint
    assert caught.value.start == text.index(at)
