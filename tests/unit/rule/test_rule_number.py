"""Numbers, truth values, codes of catalogues."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from sync.rule.cleaning import clean
from sync.rule.model import Field, Reference, RuleSet
from sync.rule.number import plain_number
from tests.unit.rule.conftest import TODAY, CleanOne


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2,34", "2.34"),
        (" '2.34 ", "2.34"),
        ("2.340.000", "2340000"),
        ("1.234,5", "1234.5"),
        ("1,234.5", "1234.5"),
        ("85%", "85"),
        ("+5", "5"),
        ("hai", None),
        ("2.34.5", None),
    ],
)
def test_a_number_is_read_in_the_notations_of_both_locales(text: str, plain: str | None) -> None:
    assert plain_number(text) == plain


@pytest.mark.parametrize("given", ["3.00", "3,00", "3", "3.0000", 3.0, 2.9999999999, Decimal("3.000"), 3])
def test_a_coefficient_of_any_type_becomes_a_decimal_without_a_fix(one: CleanOne, given: object) -> None:
    found = one(salary_coefficient=given)
    assert found.values["salary_coefficient"] == Decimal("3.00")
    assert found.fixes == set()


@pytest.mark.parametrize("given", ["3.001", "300.5", "ba", "1e3"])
def test_a_number_that_the_field_cannot_hold_is_refused_not_rounded(one: CleanOne, given: str) -> None:
    found = one(salary_coefficient=given)
    assert found.values["salary_coefficient"] is None
    assert ("salary_coefficient", "UNREADABLE", "ERROR") in found.violations


@pytest.mark.parametrize(("given", "value"), [("1", True), ("Có", True), ("x", True), ("Không", False), ("f", False)])
def test_truth_values_are_read_in_words(one: CleanOne, given: str, value: bool) -> None:
    assert one(is_party_member=given).values["is_party_member"] is value


@pytest.mark.parametrize(
    ("field", "given", "code"),
    [
        ("gender", "Nữ", "2"),
        ("gender", "nam", "1"),
        ("employment_status", "Đang công tác", "DANG_LAM_VIEC"),
        ("ethnic_code", "Kinh", "01"),
        ("ethnic_code", "1", "01"),
        ("ethnic_code", "dân tộc Tày", "02"),
        ("ethnic_code", "Thổ", "24"),
        ("ethnic_code", "Hoa", "04"),
        ("ethnic_code", "Ê Đê", "12"),
        ("ethnic_code", "H'Mông", "08"),
        ("religion_code", "Đạo Phật", "01"),
        ("religion_code", "Thiên chúa giáo", "02"),
    ],
)
def test_a_name_or_an_unambiguous_alias_becomes_its_code(one: CleanOne, field: str, given: str, code: str) -> None:
    found = one(**{field: given})
    assert found.values[field] == code
    assert "CATALOGUE" not in found.rules


@pytest.mark.parametrize("alias", ["Hạ", "Mán", "Trại", "Ca-tang", "Xá Khao", "Xá Lá Vàng"])
def test_an_alias_of_several_ethnic_groups_is_never_mapped(one: CleanOne, alias: str) -> None:
    found = one(ethnic_code=alias)
    assert found.values["ethnic_code"] is None
    assert ("ethnic_code", "CATALOGUE") in {(field, rule) for field, rule, _ in found.violations}


def test_a_strange_value_of_an_optional_catalogue_is_only_a_warning(one: CleanOne) -> None:
    found = one(blood_group="Z")
    assert found.values["blood_group"] is None
    assert ("blood_group", "CATALOGUE", "WARN") in found.violations


@pytest.mark.parametrize(
    ("given", "value", "offered"),
    [
        ("2.340.000", Decimal("2340000.00"), set()),
        ("2.345", Decimal("2345.00"), set()),
        ("2,34", Decimal("2.34"), set()),
        ("2.340", None, {"2.34", "2340"}),
        ("5,000", None, {"5", "5000"}),
        ("1.234.567,89", Decimal("1234567.89"), set()),
    ],
)
def test_a_thousands_separator_is_told_from_a_decimal_one_or_left_to_a_person(
    reference: Reference, given: str, value: Decimal | None, offered: set[str]
) -> None:
    amount = Field("amount", "decimal", 15, 2)
    found = clean(pl.DataFrame({"amount": [given]}), [amount], RuleSet(), reference, TODAY)
    assert found.frame["amount"].to_list() == [value]
    assert set(found.proposals["value"]) == offered
    assert set(found.violations.select("rule", "severity").rows()) == (
        {("NUMBER_DOUBT", "REVIEW")} if offered else set()
    )


@pytest.mark.parametrize(("given", "value"), [("2.340", 2340), ("12,500", 12500), ("3.0", 3), ("5.000", None)])
def test_a_whole_number_has_thousands_where_it_can_have_no_decimals(
    reference: Reference, given: str, value: int | None
) -> None:
    found = clean(pl.DataFrame({"n": [given]}), [Field("n", "int")], RuleSet(), reference, TODAY)
    assert found.frame["n"].to_list() == [value]
    assert set(found.proposals["value"]) == (set() if value else {"5", "5000"})
