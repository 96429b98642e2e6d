"""Citizen ids and old card numbers (VR01-VR06, VR08, NO_ID)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rule.conftest import CleanOne

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
        {"citizen_id": "O01085012345"},
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
