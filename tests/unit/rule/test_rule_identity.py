"""Citizen ids and old card numbers (VR01-VR06, VR08, NO_ID)."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.unit.rule.conftest import GOOD, Clean, CleanOne

WOMAN = {"gender": "2", "citizen_id": "001185012345"}


def test_a_good_record_breaks_no_rule_and_needs_no_fix(one: CleanOne) -> None:
    found = one()
    assert found.violations == set()
    assert found.fixes == set()


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("1085012345", "VR06"),
        (1085012345, "VR06"),
        ("001 085 012 345", "VR10"),
        ("'001085012345", "VR10"),
        ("001.085.012.345", "VR10"),
    ],
)
def test_a_number_damaged_by_a_spreadsheet_is_repaired(one: CleanOne, given: Any, rule: str) -> None:
    found = one(citizen_id=given)
    assert found.values["citizen_id"] == "001085012345"
    assert ("citizen_id", rule) in found.fixes
    assert found.violations == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"citizen_id": "1085012345", "birth_date": "1986-05-17"},
        {"citizen_id": "1085012345", "gender": "2"},
        {"citizen_id": "3085012345"},
        {"citizen_id": "1085000000"},
        {"citizen_id": "1085012345", "birth_date": None},
        {"citizen_id": "3.4085E+10"},
        {"citizen_id": "O01085012345", "birth_date": "1986-05-17"},
        {"citizen_id": "O01085012345", "birth_date": None},
    ],
)
def test_zeros_come_back_only_where_everything_agrees(one: CleanOne, changes: dict[str, Any]) -> None:
    found = one(**changes)
    assert ("citizen_id", "VR06") not in found.fixes
    assert ("citizen_id", "VR01", "ERROR") in found.violations


@pytest.mark.parametrize(
    ("changes", "rule", "severity"),
    [
        ({"citizen_id": "003085012345"}, "VR02", "ERROR"),
        ({"citizen_id": "101085012345"}, "VR02", "WARN"),
        ({"birth_date": "1984"}, "VR03", "ERROR"),
        ({"citizen_id": "001299012345", "birth_date": None}, "VR03", "ERROR"),
        ({"gender": "2"}, "VR04", "ERROR"),
        ({"citizen_id": "000000000000"}, "VR05", "ERROR"),
        ({"citizen_id": "001085000000"}, "VR05", "ERROR"),
        ({"citizen_id": None}, "NO_ID", "REVIEW"),
        ({"citizen_id": "không rõ"}, "NO_ID", "REVIEW"),
    ],
)
def test_a_number_that_contradicts_the_record_is_reported(
    one: CleanOne, changes: dict[str, Any], rule: str, severity: str
) -> None:
    assert ("citizen_id", rule, severity) in one(**changes).violations


def test_an_unknown_sex_contradicts_nothing(one: CleanOne) -> None:
    assert "VR04" not in one(gender="0").rules


def test_a_number_without_an_id_is_not_reported_as_missing(one: CleanOne) -> None:
    assert "VR29" not in one(citizen_id=None).rules


def test_an_old_number_in_the_id_field_moves_and_is_never_padded(one: CleanOne) -> None:
    found = one(citizen_id="012345679", old_id_card_no=None)
    assert (found.values["citizen_id"], found.values["old_id_card_no"]) == (None, "012345679")
    assert ("old_id_card_no", "VR08") in found.fixes
    assert found.rules == {"NO_ID"}


def test_an_id_in_the_old_field_moves_back(one: CleanOne) -> None:
    found = one(citizen_id=None, old_id_card_no="001085012345")
    assert (found.values["citizen_id"], found.values["old_id_card_no"]) == ("001085012345", None)


def test_an_old_number_of_eight_digits_gets_its_zero(one: CleanOne) -> None:
    assert one(old_id_card_no="12345678").values["old_id_card_no"] == "012345678"
    assert ("old_id_card_no", "VR08", "WARN") in one(old_id_card_no="1234567").violations


@pytest.mark.parametrize("read", ["O01085012345", "oO1085Ol2345", "00I085012345"])
def test_letters_for_digits_are_only_proposed(one: CleanOne, read: str) -> None:
    found = one(citizen_id=read)
    assert found.values["citizen_id"] is None
    assert found.violations == {("citizen_id", "VR01", "REVIEW")}
    assert found.proposals == {("citizen_id", "VR01", "001085012345")}


def test_an_old_number_that_lost_its_zero_in_the_id_field_is_only_proposed(one: CleanOne) -> None:
    found = one(citizen_id="12345678", old_id_card_no=None)
    assert found.violations == {("citizen_id", "VR08", "REVIEW")}
    assert found.proposals == {("old_id_card_no", "VR08", "012345678"), ("citizen_id", "VR08", None)}


def test_what_became_of_a_value_and_why_is_told_with_the_old_and_the_new(cleaned: Clean) -> None:
    rows = [GOOD, GOOD | {"citizen_id": "1085012345", "phone": "gọi sau"}]
    found = cleaned(pl.DataFrame(rows, schema=dict.fromkeys([*GOOD, "phone"])))
    assert found.fixes.rows() == [(1, "citizen_id", "VR06", "1085012345", "001085012345")]
    assert found.proposals.rows() == [(1, "phone", "CONTACT", "gọi sau", None)]


@pytest.mark.parametrize("code", ["0100233488", "0314409058", "0100233488001", GOOD["citizen_id"]])
def test_a_tax_code_with_its_check_digit_or_the_own_number_is_good(one: CleanOne, code: str) -> None:
    assert one(tax_code=code).violations == set()


@pytest.mark.parametrize("code", ["0100233480", "123", "001085012346"])
def test_a_tax_code_that_checks_with_nothing_is_told(one: CleanOne, code: str) -> None:
    assert one(tax_code=code).violations == {("tax_code", "TAX_CODE", "WARN")}


def test_artefacts_in_a_tax_code_go(one: CleanOne) -> None:
    found = one(tax_code="010 023.3488")
    assert (found.values["tax_code"], found.fixes) == ("0100233488", {("tax_code", "VR10")})


@pytest.mark.parametrize(
    ("given", "address"),
    [("mailto:an@bnv.gov.vn", "an@bnv.gov.vn"), ("<an@BNV.gov.VN>.", "an@bnv.gov.vn"), ("An.B@bnv.vn;", "An.B@bnv.vn")],
)
def test_what_mail_programs_put_around_an_address_goes(one: CleanOne, given: str, address: str) -> None:
    found = one(email=given)
    assert (found.values["email"], found.fixes, found.violations) == (address, {("email", "VR10")}, set())


@pytest.mark.parametrize("given", ["nguyễn.an@bnv.vn", "an b@bnv.vn", "an", "an@bnv", "an@@bnv.vn"])
def test_what_is_no_address_is_an_error(one: CleanOne, given: str) -> None:
    assert ("email", "EMAIL", "ERROR") in one(email=given).violations


@pytest.mark.parametrize(
    "address", ["o'brien@moha.gov.vn", "a&b@moha.gov.vn", "a/b@c.vn", "x#y~z@c.vn", "a@xn--b-xyz.vn", "a@b.xn--p1ai"]
)
def test_an_address_with_any_sign_that_the_standard_allows_is_good(one: CleanOne, address: str) -> None:
    found = one(email=address)
    assert (found.values["email"], found.fixes, found.violations) == (address, set(), set())
