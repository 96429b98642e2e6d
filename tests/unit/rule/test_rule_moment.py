"""Dates, partial dates, times (VR11)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from sync.rule.cleaning import clean
from sync.rule.model import Reference
from sync.rule.reading import Window, column_order, possible_dates, read_date
from sync.schema.dataset import Dataset, load
from tests.unit.rule.conftest import GOOD, TODAY, Clean, CleanOne

BIRTHS, EVENTS = Window.of_births(TODAY, 15, 110), Window.of_events(TODAY)


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
        ("1985.0", "1985"),
        ("17 tháng 5 năm 1985", "1985-05-17"),
        ("ngày 17/05/1985", "1985-05-17"),
        ("sinh năm 1985", "1985"),
        ("'1985", "1985"),
        ("31/04/1985", None),
        ("29/02/1985", None),
        ("05/17/1985", None),
        ("13/1985", None),
        ("hôm qua", None),
    ],
)
def test_a_date_is_read_at_its_own_precision_and_never_rolled_over(text: str, expected: str | None) -> None:
    assert read_date(text, "dmy", BIRTHS) == (expected, False)


@pytest.mark.parametrize(
    ("text", "birth", "expected"),
    [
        ("17/05/85", True, "1985-05-17"),
        ("17/05/05", True, "2005-05-17"),
        ("17/05/17", True, "1917-05-17"),
        ("17/05/13", True, None),
        ("17/05/15", False, "2015-05-17"),
        ("17/05/30", False, "2030-05-17"),
        ("17/05/60", False, "1960-05-17"),
        ("26299", True, "1972-01-01"),
    ],
)
def test_a_two_digit_year_and_a_serial_number_are_guesses_to_tell(text: str, birth: bool, expected: str | None) -> None:
    assert read_date(text, "dmy", BIRTHS if birth else EVENTS) == (expected, True)


def test_the_order_of_day_and_month_is_the_sources() -> None:
    assert read_date("05/17/1985", "mdy", BIRTHS) == ("1985-05-17", False)


@pytest.mark.parametrize(
    ("text", "value", "precision"),
    [("17/05/1985", "1985-05-17", "0"), ("1985", "1985", "1"), ("5/1985", "1985-05", "2")],
)
def test_the_precision_of_a_birth_date_is_derived(one: CleanOne, text: str, value: str, precision: str) -> None:
    found = one(birth_date=text)
    assert (found.values["birth_date"], found.values["birth_date_precision"]) == (value, precision)
    assert found.fixes == set()


@pytest.mark.parametrize(
    ("text", "stated", "value", "precision"),
    [
        ("01/01/1985", "1", "1985", "1"),
        ("01/05/1985", "2", "1985-05", "2"),
        ("01/01/1985", "2", "1985-01", "2"),
        # A day that no source fills up with, and one that is told to be whole: the date has the word.
        ("17/05/1985", "1", "1985-05-17", "0"),
        ("17/05/1985", "2", "1985-05-17", "0"),
        ("01/01/1985", "0", "1985-01-01", "0"),
        ("1985", "0", "1985", "1"),
    ],
)
def test_a_date_that_was_filled_up_has_the_precision_that_its_source_states(
    one: CleanOne, text: str, stated: str, value: str, precision: str
) -> None:
    found = one(birth_date=text, birth_date_precision=stated)
    assert (found.values["birth_date"], found.values["birth_date_precision"]) == (value, precision)
    again = one(birth_date=value, birth_date_precision=precision)
    assert (again.values["birth_date"], again.values["birth_date_precision"]) == (value, precision)
    assert again.fixes == set()


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
        "2026-11-01 15:00:00+07",
        "2026-11-01 15:00:00.000+07:00",
        datetime(2026, 11, 1, 8),
        datetime(2026, 11, 1, 8, tzinfo=UTC),
    ],
)
def test_a_time_is_kept_in_utc(one: CleanOne, given: object) -> None:
    assert one(source_updated_at=given).values["source_updated_at"] == datetime(2026, 11, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("05/17/1985", ["1985-05-17"]),
        ("05/06/1985", ["1985-06-05", "1985-05-06"]),
        ("05/05/1985", ["1985-05-05"]),
        ("31/04/1985", []),
        ("17/05/20", ["1920-05-17", "2020-05-17"]),
        ("1985", []),
    ],
)
def test_what_a_date_may_mean_is_told_for_a_person_to_choose(text: str, expected: list[str]) -> None:
    assert possible_dates(text, Window.of_births(TODAY, 0, 110)) == expected


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["05/06/1985", "17/05/1985"], "dmy"),
        (["05/06/1985", "05/17/1985"], "mdy"),
        (["05/06/1985", "1985"], None),
        (["05/17/1985", "17/05/1985"], None),
    ],
)
def test_a_column_shows_the_order_of_day_and_month_by_one_number_above_twelve(
    texts: list[str], order: str | None
) -> None:
    assert column_order(texts) == order


def test_month_before_day_in_a_source_of_day_before_month_is_for_a_person(one: CleanOne) -> None:
    found = one(rank_appointed_date="05/17/2021")
    assert found.values["rank_appointed_date"] is None
    assert found.violations == {("rank_appointed_date", "DATE_DOUBT", "REVIEW")}
    assert found.proposals == {("rank_appointed_date", "DATE_DOUBT", "2021-05-17")}


def test_a_whole_files_column_settles_the_order_and_without_evidence_a_person_does(
    dataset: Dataset, reference: Reference
) -> None:
    def read(*texts: str) -> tuple[list[date | None], list[str]]:
        frame = pl.DataFrame([GOOD | {"rank_appointed_date": text} for text in texts])
        found = clean(frame, dataset.fields, dataset.rules, reference, TODAY, date_format="column")
        return found.frame["rank_appointed_date"].to_list(), found.proposals["value"].to_list()

    assert read("02/03/2021", "02/25/2021") == ([date(2021, 2, 3), date(2021, 2, 25)], [])
    assert read("02/03/2021", "25/02/2021") == ([date(2021, 3, 2), date(2021, 2, 25)], [])
    assert read("02/03/2021", "04/04/2021") == ([None, date(2021, 4, 4)], ["2021-03-02", "2021-02-03"])


def test_a_two_digit_year_with_two_possible_centuries_is_for_a_person(reference: Reference) -> None:
    population = load("population")
    frame = pl.DataFrame({"citizen_id": ["001220012345"], "birth_date": ["17/05/20"]})
    found = clean(frame, population.fields, population.rules, reference, TODAY)
    assert found.frame["birth_date"].to_list() == [None]
    assert found.proposals.select("field", "old", "value").rows() == [
        ("birth_date", "17/05/20", "1920-05-17"),
        ("birth_date", "17/05/20", "2020-05-17"),
    ]


def test_too_many_births_on_the_first_of_january_are_told_and_kept(cleaned: Clean) -> None:
    usual = [GOOD | {"birth_date": f"1985-{month:02d}-{day:02d}"} for month in range(1, 13) for day in range(1, 28)]
    suspected = [GOOD | {"birth_date": "01/01/1985"} for _ in range(40)]

    def told(rows: list[dict[str, object]]) -> int:
        found = cleaned(pl.DataFrame(rows))
        assert found.frame["birth_date"].null_count() == 0
        return found.violations.filter(pl.col("rule") == "DATE_PRECISION").height

    assert told(usual) == 0
    assert told(usual + suspected) == 41
    assert told([*usual, *suspected[:5]]) == 0


@pytest.mark.parametrize("nothing", ["00/00/0000", "0000-00-00", "  /  /    ", "__/__/____"])
def test_a_form_without_numbers_stands_for_no_date(one: CleanOne, nothing: str) -> None:
    found = one(id_issue_date=nothing)
    assert found.values["id_issue_date"] is None
    assert ("id_issue_date", "VR29") in found.fixes
    assert found.violations == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17-MAY-1985", "1985-05-17"),
        ("17 May 1985", "1985-05-17"),
        ("September 3, 1985", "1985-09-03"),
        ("1985-05-17+07:00", "1985-05-17"),
        ("1985-05-17Z", "1985-05-17"),
        ("17\\05\\1985", "1985-05-17"),
        ("17.05.1985.", "1985-05-17"),
        ("31-APR-1985", None),
        ("17-MAJ-1985", None),
        ("3-JU-1985", None),
        ("00/05/1985", None),
        ("1985-00-00", None),
        ("17/05/2528", None),
    ],
)
def test_the_notations_of_databases_and_spreadsheets_are_read(text: str, expected: str | None) -> None:
    assert read_date(text, "dmy", BIRTHS) == (expected, False)


def test_an_english_month_with_a_year_of_two_digits_is_a_guess() -> None:
    assert read_date("17-MAY-85", "dmy", BIRTHS) == ("1985-05-17", True)
    assert read_date("17-MAY-13", "dmy", BIRTHS) == (None, True)
    assert possible_dates("17-MAY-11", BIRTHS) == ["2011-05-17"]


@pytest.mark.parametrize(
    ("text", "proposed"),
    [("00/00/1985", "1985"), ("1985-00-00", "1985"), ("00/05/1985", "1985-05"), ("1985-05-00", "1985-05")],
)
def test_zeros_for_the_day_are_for_a_person_to_say(one: CleanOne, text: str, proposed: str) -> None:
    found = one(birth_date=text)
    assert found.values["birth_date"] is None
    assert found.violations == {("birth_date", "DATE_DOUBT", "REVIEW")}
    assert found.proposals == {("birth_date", "DATE_DOUBT", proposed)}
    assert ("rank_appointed_date", "UNREADABLE", "ERROR") in one(rank_appointed_date=text).violations


@pytest.mark.parametrize("text", ["0000-05-17", "17/05/0000", "0000-12-31", "9999-12-31"])
def test_a_year_that_no_calendar_of_python_has_is_refused_and_its_neighbours_are_cleaned(
    cleaned: Clean, text: str
) -> None:
    found = cleaned(pl.DataFrame([GOOD, GOOD | {"first_recruitment_date": text}]))
    assert found.frame["first_recruitment_date"].to_list() == [date(2010, 2, 1), None]
    assert (1, "first_recruitment_date", "UNREADABLE", "ERROR") in found.violations.rows()
    assert found.violations.filter(pl.col("row") == 0).is_empty()


def test_a_time_of_such_a_year_is_refused(cleaned: Clean) -> None:
    for text in ("0000-05-17T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        found = cleaned(pl.DataFrame([GOOD, GOOD | {"source_updated_at": text}]))
        assert found.frame["source_updated_at"][1] is None
        assert (1, "source_updated_at", "UNREADABLE", "ERROR") in found.violations.rows()


def test_days_and_times_of_such_years_in_typed_columns_are_refused(cleaned: Clean) -> None:
    far = pl.Series([14_000, -800_000], dtype=pl.Int32).cast(pl.Date)
    frame = pl.DataFrame([GOOD, GOOD]).with_columns(
        first_recruitment_date=far,
        birth_date=far.set(pl.Series([True, False]), date(1985, 5, 17)),
        source_updated_at=far.cast(pl.Datetime("us", "UTC")),
    )
    found = cleaned(frame)
    for name in ("first_recruitment_date", "birth_date", "source_updated_at"):
        assert found.frame[name].null_count() == 1
        assert name in found.violations.filter(pl.col("row") == 1)["field"].to_list()
