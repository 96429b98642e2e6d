"""Administrative units of both ages: the resolver, the step that uses it, and ``dongbo unit``."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

import polars as pl
import pytest
from typer.testing import CliRunner

from sync.cli import app
from sync.rule.cleaning import clean
from sync.rule.model import Reference
from sync.rule.unit import NEW, OLD, Units, units, vintage_on
from sync.schema.dataset import Dataset
from tests.unit.rule.conftest import GOOD, TODAY, CleanOne

STATUSES = {"UNIQUE": 9_595, "UNIQUE_BY_POPULATION": 58, "AMBIGUOUS": 382, "NO_MAPPING": 19}
"""Of the 10,035 old communes of the official table, and 19 that only the list of 2025-01-04 has (DOMAIN §3.4)."""


@pytest.fixture(scope="module")
def known(reference: Reference) -> Units:
    return units(reference)


@pytest.fixture(scope="module")
def table(reference: Reference) -> pl.DataFrame:
    return reference.tables["commune_resolution"]


def test_every_old_commune_is_resolved_as_the_table_says(known: Units, table: pl.DataFrame) -> None:
    found = [known.resolve(code, vintage=OLD) for code in table["old_commune_code"]]
    assert all(len(readings) == 1 for readings in found)
    single = [readings[0] for readings in found]
    assert Counter(each.status for each in single) == STATUSES
    for each, resolved, candidates, province in zip(
        single, table["resolved_new_code"], table["candidates"], table["new_province_code"], strict=True
    ):
        assert (each.current.code if each.current else None) == resolved
        assert ";".join(f"{part.unit.code}:{part.relation}" for part in each.successors) == (candidates or "")
        assert {part.unit.province for part in each.successors} <= {province}


def test_cleaning_resolves_every_old_commune_of_a_source_of_the_old_list(
    dataset: Dataset, reference: Reference, table: pl.DataFrame
) -> None:
    frame = table.select(permanent_province="old_province_code", permanent_commune="old_commune_code").with_columns(
        pl.lit(value).alias(name) for name, value in GOOD.items() if not name.startswith("permanent_")
    )
    found = clean(frame, dataset.fields, dataset.rules, reference, TODAY, units="GSO2004")
    assert found.frame["permanent_commune"].to_list() == table["resolved_new_code"].to_list()
    assert found.frame["permanent_province"].to_list() == table["new_province_code"].to_list()
    told = found.violations.filter(pl.col("field") == "permanent_commune")
    assert told.group_by("rule", "severity").len().rows() == [("VR26", "WARN", 382 + 19)]
    offered = found.proposals.filter(pl.col("field") == "permanent_commune").drop_nulls("value")
    split = table.with_row_index("row").filter(pl.col("status") == "AMBIGUOUS")
    expected = [
        (row, entry.split(":")[0])
        for row, candidates in split.select("row", "candidates").iter_rows()
        for entry in candidates.split(";")
    ]
    assert offered.select("row", "value").rows() == expected


def test_every_old_province_lies_whole_in_one_new_one(known: Units, reference: Reference) -> None:
    for code, new in reference.tables["provinces_old"].select("old_gso_code", "new_province_code").iter_rows():
        (found,) = known.resolve(code, vintage=OLD)
        assert found.current is not None
        assert found.current.code == new


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        ("15", "Tỉnh Yên Bái", "Tỉnh Lào Cai"),
        ("24", "Tỉnh Bắc Giang", "Tỉnh Bắc Ninh"),
        ("44", "Tỉnh Quảng Bình", "Tỉnh Quảng Trị"),
        ("52", "Tỉnh Bình Định", "Tỉnh Gia Lai"),
        ("80", "Tỉnh Long An", "Tỉnh Tây Ninh"),
        ("82", "Tỉnh Tiền Giang", "Tỉnh Đồng Tháp"),
        ("91", "Tỉnh Kiên Giang", "Tỉnh An Giang"),
    ],
)
def test_a_code_of_both_lists_means_the_unit_of_its_date(known: Units, code: str, before: str, after: str) -> None:
    assert [each.unit.name for each in known.resolve(code, on=date(2025, 6, 30))] == [before]
    assert [each.unit.name for each in known.resolve(code, on=date(2025, 7, 1))] == [after]
    assert {each.unit.vintage for each in known.resolve(code)} == {OLD, NEW}


def test_the_old_namesake_of_a_new_code_is_always_part_of_it(known: Units, reference: Reference) -> None:
    elsewhere, split = [], 0
    for code in reference.tables["communes"]["code"]:
        for old in known.resolve(code, vintage=OLD):
            if old.unit.code == code:
                assert code in {part.unit.code for part in old.successors}
                split += old.status == "AMBIGUOUS"
                elsewhere += [code] if old.current and old.current.code != code else []
    assert (split, elsewhere) == (118, ["06799"])


@pytest.mark.parametrize(
    ("text", "code", "current"),
    [
        ("P.1, Q.3, TP.HCM", "27160", "27154"),
        ("phường 01, quận 3", "27160", "27154"),
        ("P1, Q3, Tp Hồ Chí Minh", "27160", "27154"),
        ("TT Lim, H. Tiên Du, Bắc Ninh", "09319", "09319"),
        ("Xã Đặng Xá, Huyện Gia Lâm", "00556", None),
    ],
)
def test_an_old_commune_is_found_by_name_inside_its_old_district(
    known: Units, text: str, code: str, current: str | None
) -> None:
    (found,) = known.find(text, on=date(2025, 1, 1))
    assert found.unit.code == code
    assert current is None or (found.current is not None and found.current.code == current)


def test_a_name_that_several_units_have_gives_all_of_them(known: Units) -> None:
    assert len(known.find("Phường 1", on=date(2025, 1, 1))) > 20
    assert len(known.find("Châu Thành", on=date(2025, 1, 1))) > 5
    assert known.find("Không Có Xã Này") == ()


def test_the_list_changes_on_the_first_of_july(known: Units) -> None:
    assert (vintage_on(date(2025, 6, 30)), vintage_on(date(2025, 7, 1))) == (OLD, NEW)
    assert known.resolve("001", on=date(2025, 7, 1)) == ()


@pytest.mark.parametrize(
    ("changes", "commune"),
    [
        ({"current_province": "Bình Dương", "current_commune": "P. Dĩ An, TP. Dĩ An"}, "25942"),
        ({"current_province": "TP.HCM", "current_commune": "P1, Q.3"}, "27154"),
        ({"current_province": "Bắc Ninh", "current_commune": "Thị trấn Lim, Huyện Tiên Du"}, "09319"),
        ({"current_province": "79", "current_commune": "Phường 01, Quận 3, TPHCM"}, "27154"),
    ],
)
def test_a_residence_named_by_its_old_district_becomes_the_new_commune(
    one: CleanOne, changes: dict[str, str], commune: str
) -> None:
    found = one(**changes)
    assert found.values["current_commune"] == commune
    assert found.violations == set()


@pytest.mark.parametrize(
    ("province", "commune", "code"),
    [
        ("TP.HCM", "Phường 1 - Quận 3", "27154"),
        ("TP.HCM", "Phường 1 – Quận 3 - TP.HCM", "27154"),
        ("Ninh Thuận", "Phường Mỹ Hải - Thành phố Phan Rang - Tháp Chàm - Tỉnh Ninh Thuận", "22780"),
        ("Bà Rịa - Vũng Tàu", "Phường 1 - Thành phố Vũng Tàu - Bà Rịa - Vũng Tàu", "26506"),
    ],
)
def test_dashes_between_units_separate_them_but_not_within_a_name(
    one: CleanOne, province: str, commune: str, code: str
) -> None:
    found = one(current_province=province, current_commune=commune)
    assert (found.values["current_commune"], found.violations) == (code, set())


def test_every_name_with_a_dash_is_one_name(one: CleanOne, reference: Reference) -> None:
    communes = reference.table("communes").filter(pl.col("name").str.contains(" - "))
    assert communes.height > 5
    for row in communes.iter_rows(named=True):
        whole = f"{row['type_2025_07_01']} {row['name']}"
        for text in (whole, row["name"], whole.replace(" - ", " – "), f"{whole} - {row['province_code']}"):
            found = one(current_province=row["province_code"], current_commune=text)
            assert (text, found.values["current_commune"], found.violations) == (text, row["code"], set())


def test_a_name_of_an_old_type_is_not_taken_for_the_new_unit_of_that_name(one: CleanOne) -> None:
    found = one(current_province="Hà Nội", current_commune="Phường Chương Dương")
    assert found.values["current_commune"] is None
    assert found.violations == {("current_commune", "VR24", "REVIEW")}
    offered = {value for _, _, value in found.proposals}
    assert {"10237", "00097"} <= offered
    assert one(current_province="Hà Nội", current_commune="Xã Chương Dương").values["current_commune"] == "10237"
    # Both lead to one commune, so nothing is in doubt.
    assert one(current_province="Hà Nội", current_commune="Thị trấn Sóc Sơn").values["current_commune"] == "00376"


def test_a_name_of_a_source_of_the_old_list_is_never_a_new_unit(dataset: Dataset, reference: Reference) -> None:
    frame = pl.DataFrame([GOOD | {"permanent_province": "Hà Nội", "permanent_commune": "Xã Chương Dương"}])
    found = clean(frame, dataset.fields, dataset.rules, reference, TODAY, units="GSO2004")
    assert found.frame["permanent_commune"].to_list() == [None]
    assert ("permanent_commune", "VR24", "REVIEW") in {row[1:] for row in found.violations.rows()}
    assert found.proposals.height > 0


@pytest.mark.parametrize("commune", ["Phường 1", "P.01", "Phường 1, Quận 99", "Xã Không Có"])
def test_a_name_that_says_too_little_waits_for_a_person(one: CleanOne, commune: str) -> None:
    found = one(current_province="TP.HCM", current_commune=commune)
    assert found.values["current_commune"] is None
    assert found.violations == {("current_commune", "VR24", "REVIEW")}


def test_a_birth_place_by_name_keeps_the_unit_of_its_time(one: CleanOne) -> None:
    found = one(birth_place_province="Bình Dương", birth_place_commune="Thị trấn Dầu Tiếng, H. Dầu Tiếng")
    assert (found.values["birth_place_province"], found.values["birth_place_commune"]) == ("74", "25777")
    assert found.violations == set()


def test_the_command_tells_both_readings_or_that_of_a_day() -> None:
    run = CliRunner()
    both = run.invoke(app, ["unit", "resolve", "24"])
    assert both.exit_code == 0
    assert "Tỉnh Bắc Giang" in both.stdout
    assert "CURRENT" not in both.stdout
    split = run.invoke(app, ["unit", "resolve", "00007", "--on", "2025-01-01", "--json"])
    (found,) = json.loads(split.stdout)
    assert (found["status"], found["current"]) == ("AMBIGUOUS", None)
    assert len(found["successors"]) > 1
    words = run.invoke(app, ["unit", "resolve", "Phường 1, Quận 3", "--on", "2025-01-01"])
    assert "UNIQUE: is now 27154" in words.stdout


def test_the_command_says_what_it_does_not_know() -> None:
    found = CliRunner().invoke(app, ["unit", "resolve", "99999"])
    assert found.exit_code == 1
    assert "99999 is no code or name" in found.stderr


def test_the_command_says_of_a_unit_of_another_day_that_it_is_one() -> None:
    found = CliRunner().invoke(app, ["unit", "resolve", "00001", "--on", "2026-01-01"])
    assert found.exit_code == 1
    assert "it is one on another day" in " ".join(found.stderr.split())
