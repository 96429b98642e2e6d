"""Errors of dates and numbers (DOMAIN.md §7.3)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.corpus.case import Case, Label, kind, pick

PLAIN = ("birth_date", "id_issue_date", "step_effective_date", "rank_appointed_date", "status_effective_date")


def day(case: Case, name: str) -> date:
    """The truth of a date field as a date."""
    value: Any = case.truth[name]
    return date.fromisoformat(value) if isinstance(value, str) else value


@kind
def date_notation(case: Case) -> Label | None:
    """Dates in other notations than ISO's; no word is needed."""
    name = pick(case, *PLAIN)
    if name is None:
        return None
    true = day(case, name)
    forms = (
        f"{true:%d/%m/%Y}",
        f"{true:%d-%m-%Y}",
        f"{true:%d.%m.%Y}",
        f"{true.day}/{true.month}/{true.year}",
        f"{true:%Y%m%d}",
        f"{true:%d/%m/%Y} 00:00:00",
        f"{true:%Y-%m-%d}T00:00:00",
        f"{true:%Y/%m/%d}",
        f"'{true:%d/%m/%Y}",
    )
    case.raw[name] = case.rng.choice(forms)
    return Label("repaired", name, None)


@kind
def date_in_words(case: Case) -> Label | None:
    """Dates with words."""
    name = pick(case, *PLAIN)
    if name is None:
        return None
    true = day(case, name)
    forms = (
        f"ngày {true.day} tháng {true.month} năm {true.year}",
        f"Ngày {true:%d} tháng {true:%m} năm {true.year}",
        f"{true.day} tháng {true.month} năm {true.year}",
        f"{true.day} tháng {true.month}, {true.year}",
        f"ngày {true:%d/%m/%Y}",
    )
    case.raw[name] = case.rng.choice(forms)
    return Label("repaired", name, None)


@kind
def only_year(case: Case) -> Label:
    """Only the year of birth is known; no day is invented."""
    year = case.truth["birth_date"][:4]
    case.truth.update(birth_date=year, birth_date_precision="1")
    case.raw.update(birth_date=case.rng.choice((year, f"năm {year}", f"{year}.0", f"'{year}", f"Năm {year}")))
    case.raw["birth_date_precision"] = None
    return Label("repaired", "birth_date", None)


@kind
def year_as_first_of_january(case: Case) -> Label:
    """Only the year is known, and told to be; the source writes its first day, which is not invented along."""
    year = case.truth["birth_date"][:4]
    case.truth.update(birth_date=year, birth_date_precision="1")
    case.raw.update(birth_date=case.rng.choice((f"{year}-01-01", f"01/01/{year}", f"{year}0101")))
    case.raw["birth_date_precision"] = "1"
    return Label("repaired", "birth_date", "VR11")


@kind
def month_and_year(case: Case) -> Label:
    """Only month and year of birth are known."""
    year, month = case.truth["birth_date"][:4], int(case.truth["birth_date"][5:7])
    case.truth.update(birth_date=f"{year}-{month:02d}", birth_date_precision="2")
    forms = (
        f"{month:02d}/{year}",
        f"T{month}/{year}",
        f"tháng {month} năm {year}",
        f"{month}-{year}",
        f"Tháng {month}/{year}",
    )
    case.raw.update(birth_date=case.rng.choice(forms), birth_date_precision=None)
    return Label("repaired", "birth_date", None)


@kind
def spreadsheet_serial(case: Case) -> Label | None:
    """A spreadsheet's number of a day (1900 system)."""
    name = pick(case, *PLAIN)
    if name is None:
        return None
    serial = (day(case, name) - date(1899, 12, 30)).days
    case.raw[name] = case.rng.choice((str(serial), f"{serial}.0"))
    return Label("repaired", name, "VR10") if serial >= 10_000 else None


@kind
def two_digit_year(case: Case) -> Label | None:
    """A year of two digits that only one century makes plausible."""
    name = pick(case, *PLAIN)
    if name is None:
        return None
    case.raw[name] = f"{day(case, name):%d/%m/%y}"
    return Label("repaired", name, "VR10")


@kind
def month_before_day(case: Case) -> Label | None:
    """Month before day in a source that writes the day first: a person decides."""
    name = pick(case, *PLAIN)
    if name is None or day(case, name).day <= 12:
        return None
    true = day(case, name)
    case.raw[name] = f"{true:%m/%d/%Y}"
    return Label("review", name, "DATE_DOUBT", ((name, true.isoformat()),))


@kind
def impossible_day(case: Case) -> Label:
    """A day that no calendar has; never rolled over to the next month."""
    name, rule = case.rng.choice(
        (("birth_date", "VR11"), ("rank_appointed_date", "UNREADABLE"), ("id_issue_date", "UNREADABLE"))
    )
    year = case.rng.randrange(1970, 2000)
    case.raw[name] = case.rng.choice((f"31/04/{year}", "29/02/1983", f"31/11/{year}", f"32/05/{year}", f"{year}-02-30"))
    return Label("rejected", name, rule)


@kind
def zeros_for_the_day(case: Case) -> Label:
    """Zeros for the day, or for day and month: that these are not known is for a person to say."""
    year, month = case.truth["birth_date"][:4], case.truth["birth_date"][5:7]
    text, true = case.rng.choice(
        (
            (f"00/00/{year}", year),
            (f"{year}-00-00", year),
            (f"00/{month}/{year}", f"{year}-{month}"),
            (f"{year}-{month}-00", f"{year}-{month}"),
        )
    )
    case.raw["birth_date"], case.raw["birth_date_precision"] = text, None
    return Label("review", "birth_date", "DATE_DOUBT", (("birth_date", true),))


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@kind
def english_month(case: Case) -> Label | None:
    """The English notations of Oracle, spreadsheets and XML."""
    name = pick(case, *PLAIN)
    if name is None:
        return None
    true = day(case, name)
    month = MONTHS[true.month - 1]
    forms = (
        f"{true.day:02d}-{month.upper()}-{true.year}",
        f"{true.day} {month} {true.year}",
        f"{month} {true.day}, {true.year}",
        f"{true.isoformat()}+07:00",
        f"{true:%d\\%m\\%Y}",
    )
    case.raw[name] = case.rng.choice(forms)
    return Label("repaired", name, None)


@kind
def age_out_of_range(case: Case) -> Label:
    """Born too early or too late to be a living official."""
    true = case.rng.choice((date(1899, 2, 1), date(1905, 7, 5), date(2020, 4, 3)))
    case.truth["birth_date"], case.raw["birth_date"] = true.isoformat(), f"{true:%d/%m/%Y}"
    return Label("rejected", "birth_date", "VR11")


@kind
def no_date(case: Case) -> Label | None:
    """What stands for no date at all."""
    name = pick(case, "id_issue_date", "sector_start_date", "youth_union_date")
    if name is None:
        return None
    del case.truth[name]
    case.raw[name] = case.rng.choice(
        ("01/01/1900", "1900-01-01", "00/00/0000", "0000-00-00", "  /  /    ", "N/A", "__/__/____")
    )
    return Label("repaired", name, "VR29")


@kind
def recruited_as_a_child(case: Case) -> Label:
    """Recruited at fourteen, which no exception allows."""
    born = date.fromisoformat(case.truth["birth_date"])
    case.truth["first_recruitment_date"] = born + timedelta(days=14 * 365 + case.rng.randrange(200))
    return Label("rejected", "first_recruitment_date", "VR12")


@kind
def decimal_notation(case: Case) -> Label:
    """2,34 for 2.34; blanks and apostrophes; no word is needed."""
    text = str(case.truth["salary_coefficient"])
    case.raw["salary_coefficient"] = case.rng.choice((text.replace(".", ","), f"{text}0"))
    return Label("repaired", "salary_coefficient", None)


@kind
def number_as_text(case: Case) -> Label:
    """Blanks and a spreadsheet's apostrophe around a number."""
    text = str(case.truth["salary_coefficient"])
    case.raw["salary_coefficient"] = f"'{text}"
    return Label("repaired", "salary_coefficient", None)


@kind
def lost_comma(case: Case) -> Label | None:
    """234 for 2,34: proposed where the rank's table has it."""
    value: Decimal = case.truth["salary_coefficient"]
    if value >= 10:
        return None
    case.raw["salary_coefficient"] = str(value).replace(".", "")
    return Label("review", "salary_coefficient", "VR16", (("salary_coefficient", str(value)),))


@kind
def lost_comma_of_another_table(case: Case) -> Label:
    """Three digits that the rank's table does not have."""
    case.raw["salary_coefficient"] = "999"
    return Label("rejected", "salary_coefficient", "UNREADABLE")


@kind
def wrong_coefficient(case: Case) -> Label:
    """A coefficient that is not that of group and step."""
    case.truth["salary_coefficient"] += Decimal("0.01")
    return Label("rejected", "salary_coefficient", "VR16")


@kind
def no_number_at_all(case: Case) -> Label:
    """Words for a number."""
    case.raw["salary_coefficient"] = case.rng.choice(("ba phẩy không", "2.34.5", "3.001"))
    return Label("rejected", "salary_coefficient", "UNREADABLE")
