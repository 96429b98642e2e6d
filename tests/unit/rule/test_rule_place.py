"""Provinces, communes, agencies, telephones (VR24-VR27)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rule.conftest import CleanOne

PLACE = ("permanent_province", "permanent_commune")


@pytest.mark.parametrize(
    ("given", "expected", "fixed"),
    [
        (("01", "00004"), ("01", "00004"), False),
        (("1", "4"), ("01", "00004"), False),
        (("Hà Nội", "Phường Ba Đình"), ("01", "00004"), False),
        (("TP.HCM", "Phường Sài Gòn"), ("79", "26740"), False),
        (("01", "00001"), ("01", "00097"), True),
        (("74", "25747"), ("79", "25747"), True),
        (("74", None), ("79", None), True),
        (("Bình Dương", None), ("79", None), True),
        ((None, "00004"), ("01", "00004"), True),
        (("22", "06978"), ("22", "06970"), True),
        (("22", "06799"), ("22", "06799"), False),
    ],
)
def test_a_residence_moves_to_the_new_list(
    one: CleanOne, given: tuple[Any, Any], expected: tuple[Any, Any], fixed: bool
) -> None:
    found = one(**dict(zip(PLACE, given, strict=True)))
    assert tuple(found.values[name] for name in PLACE) == expected
    assert ("VR26" in {rule for _, rule in found.fixes}) == fixed
    assert found.rules <= {"VR29"}


def test_a_split_commune_waits_for_its_owner_and_keeps_the_province(one: CleanOne) -> None:
    found = one(permanent_province="01", permanent_commune="00007")
    assert (found.values["permanent_province"], found.values["permanent_commune"]) == ("01", None)
    assert found.violations == {("permanent_commune", "VR26", "WARN")}
    assert found.fixes == set()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"permanent_commune": "99999"}, "permanent_commune"),
        ({"permanent_province": "79"}, "permanent_commune"),
        ({"permanent_province": "03"}, "permanent_province"),
        ({"birth_place_province": "79", "birth_place_commune": "00001"}, "birth_place_commune"),
    ],
)
def test_a_place_that_does_not_exist_is_an_error(one: CleanOne, changes: dict[str, Any], field: str) -> None:
    assert (field, "VR24", "ERROR") in one(**changes).violations


def test_a_birth_place_keeps_the_unit_of_its_time(one: CleanOne) -> None:
    found = one(birth_place_province="74", birth_place_commune="25747", native_place_province="Bắc Ninh")
    assert found.values["birth_place_province"] == "74"
    assert found.values["native_place_province"] == "27"
    assert found.violations == set()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("000.00.00.H26", "H26"),
        ("000.00.18.G12", "G12.18"),
        ("001.02.03.H26", "H26.03.02.001"),
        ("h26", "H26"),
        (" H26 ", "H26"),
    ],
)
def test_an_agency_code_of_the_old_form_is_turned_around(one: CleanOne, given: str, code: str) -> None:
    found = one(managing_agency_code=given, employing_unit_code=code)
    assert found.values["managing_agency_code"] == code
    assert "VR27" not in found.rules


@pytest.mark.parametrize("code", ["H99", "26", "H26." + "1" * 40, "H26..1"])
def test_an_agency_code_that_does_not_exist_is_an_error(one: CleanOne, code: str) -> None:
    assert ("managing_agency_code", "VR27", "ERROR") in one(managing_agency_code=code).violations


def test_a_unit_outside_its_agency_is_reported(one: CleanOne) -> None:
    assert "VR27" in one(employing_unit_code="H27.12").rules


@pytest.mark.parametrize(
    ("given", "phone"),
    [
        ("+84 912 345 678", "0912345678"),
        ("84912345678", "0912345678"),
        ("0912.345.678", "0912345678"),
        ("912345678", "0912345678"),
        ("0162 1234567", "0321234567"),
        ("01991234567", "0591234567"),
        ("024 3826 4110", "02438264110"),
        ("84 24 3826 4110", "02438264110"),
        ("912345678.0", "0912345678"),
        ("069.2341308", "0692341308"),
        ("+1 202 555 0143", "+12025550143"),
    ],
)
def test_a_telephone_number_becomes_ten_digits(one: CleanOne, given: str, phone: str) -> None:
    found = one(phone=given)
    assert found.values["phone"] == phone
    assert ("phone", "VR10") in found.fixes


@pytest.mark.parametrize("phone", ["0692341308", "+12025550143", "+81312345678", "02438264110"])
def test_a_number_of_another_network_or_country_is_good(one: CleanOne, phone: str) -> None:
    found = one(phone=phone)
    assert (found.values["phone"], found.fixes, found.violations) == (phone, set(), set())


@pytest.mark.parametrize("between", [" / ", "; ", ", ", " - ", " hoặc "])
def test_of_several_telephone_numbers_each_is_proposed(one: CleanOne, between: str) -> None:
    found = one(phone=f"0912 345 678{between}024.3826.4110")
    assert found.values["phone"] is None
    assert found.violations == {("phone", "CONTACT", "WARN")}
    assert found.proposals == {("phone", "CONTACT", "0912345678"), ("phone", "CONTACT", "02438264110")}


def test_what_is_no_telephone_number_is_left_out_with_a_warning(one: CleanOne) -> None:
    found = one(phone="gọi sau giờ làm")
    assert found.values["phone"] is None
    assert found.violations == {("phone", "CONTACT", "WARN")}
