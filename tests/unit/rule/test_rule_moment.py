"""Dates, partial dates, times (VR11)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sync.rule.moment import read_date
from tests.unit.rule.conftest import TODAY, CleanOne


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17/05/1985", "1985-05-17"),
        ("17-5-1985", "1985-05-17"),
        ("17.05.1985", "1985-05-17"),
        ("1985-05-17T00:00:00", "1985-05-17"),
        ("19850517", "1985-05-17"),
        ("17051985", "1985-05-17"),
        ("ngày 17 tháng 5 năm 1985", "1985-05-17"),
        ("tháng 5 năm 1985", "1985-05"),
        ("05/1985", "1985-05"),
        ("T5/1985", "1985-05"),
        ("1985-05", "1985-05"),
        ("1985", "1985"),
        ("'1985", "1985"),
        ("31/04/1985", None),
        ("29/02/1985", None),
        ("05/17/1985", None),
        ("13/1985", None),
        ("hôm qua", None),
    ],
)
def test_a_date_is_read_at_its_own_precision_and_never_rolled_over(text: str, expected: str | None) -> None:
    assert read_date(text, "dmy", TODAY, birth=True) == (expected, False)


@pytest.mark.parametrize(
    ("text", "birth", "expected"),
    [
        ("17/05/85", True, "1985-05-17"),
        ("17/05/05", True, "2005-05-17"),
        ("17/05/15", True, "1915-05-17"),
        ("17/05/15", False, "2015-05-17"),
        ("17/05/30", False, "2030-05-17"),
        ("17/05/60", False, "1960-05-17"),
        ("26299", True, "1972-01-01"),
    ],
)
def test_a_two_digit_year_and_a_serial_number_are_guesses_to_tell(text: str, birth: bool, expected: str) -> None:
    assert read_date(text, "dmy", TODAY, birth=birth) == (expected, True)


def test_the_order_of_day_and_month_is_the_sources() -> None:
    assert read_date("05/17/1985", "mdy", TODAY, birth=True) == ("1985-05-17", False)


@pytest.mark.parametrize(
    ("text", "value", "precision"),
    [("17/05/1985", "1985-05-17", "0"), ("1985", "1985", "1"), ("5/1985", "1985-05", "2")],
)
def test_the_precision_of_a_birth_date_is_derived(one: CleanOne, text: str, value: str, precision: str) -> None:
    found = one(birth_date=text)
    assert (found.values["birth_date"], found.values["birth_date_precision"]) == (value, precision)
    assert found.fixes == set()


@pytest.mark.parametrize("text", ["31/04/1985", "1899-01-01", "2015-01-01", "12/1899"])
def test_an_impossible_birth_date_is_an_error(one: CleanOne, text: str) -> None:
    assert ("birth_date", "VR11", "ERROR") in one(birth_date=text, citizen_id=None).violations


def test_the_first_of_january_1900_stands_for_nothing(one: CleanOne) -> None:
    found = one(birth_date="01/01/1900", step_effective_date=date(1900, 1, 1))
    assert found.values["birth_date"] is None
    assert found.values["step_effective_date"] is None
    assert {("birth_date", "VR29"), ("step_effective_date", "VR29")} <= found.fixes


def test_a_year_alone_is_no_date(one: CleanOne) -> None:
    found = one(first_recruitment_date="2010")
    assert found.values["first_recruitment_date"] is None
    assert ("first_recruitment_date", "UNREADABLE", "ERROR") in found.violations
    assert "VR29" not in found.rules


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-01T08:00:00Z",
        "2026-11-01T15:00:00+07:00",
        "2026-11-01 08:00:00",
        "01/11/2026 08:00",
        datetime(2026, 11, 1, 8),
        datetime(2026, 11, 1, 8, tzinfo=UTC),
    ],
)
def test_a_time_is_kept_in_utc(one: CleanOne, given: object) -> None:
    assert one(source_updated_at=given).values["source_updated_at"] == datetime(2026, 11, 1, 8, tzinfo=UTC)
