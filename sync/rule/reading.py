"""Reading of a single date or time in the notations of source systems (DOMAIN §7.3).

Plain functions of a text, called by ``sync.rule.moment`` for the few distinct values that Polars does not parse. Each
says what it is certain of, and what else a text may mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sync.rule.batch import DateFormat as Order

FIRST_YEAR, LAST_YEAR = 1850, 2150
_EXCEL_EPOCH = date(1899, 12, 30)

# XML's dates may have a zone behind the day.
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[t ].*|z|[+-]\d{2}:\d{2})?")
_PARTS = re.compile(r"(\d{1,2})\s*[-/. \\]\s*(\d{1,2})\s*[-/. \\]\s*(\d{4}|\d{2})\.?(?:\s+\d{1,2}:\d{2}.*)?")
# English months: Oracle's 17-MAY-85, and what spreadsheets show.
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_ENGLISH = re.compile(
    r"(?:(\d{1,2})[-/. ]+([a-z]{3,9})|([a-z]{3,9})[-/. ]+(\d{1,2}))[-/., ]+(\d{4}|\d{2})(?:\s+\d{1,2}[:.]\d{2}.*)?"
)
# 00/05/1985 and MySQL's 1985-00-00: the day, or day and month, are not known.
_UNKNOWN_DAY = re.compile(r"00?[-/.](\d{1,2})[-/.](\d{4})")
_UNKNOWN_DAY_ISO = re.compile(r"(\d{4})-(\d{2})-00")
_MONTH_YEAR = re.compile(r"(?:t|th|tháng)?\.?\s*(\d{1,2})\s*[-/. ]\s*(\d{4})")
_YEAR_MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})")
_YEAR = re.compile(r"(?:năm\s+)?(\d{4})(?:\.0)?")
_WORDS = re.compile(r"(?:(\d{1,2})[\s,]+)?(?:tháng\s+(\d{1,2})[\s,]+)(?:năm\s+)?(\d{4})")
_PREFIX = re.compile(r"^(?:sinh\s+)?(?:(?:ngày|mùng)\s+)*")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,6})?\d*)?\s*(?:([+-])(\d{2}):?(\d{2})?)?")
_EIGHT = re.compile(r"\d{8}")
_SERIAL = re.compile(r"\d{5}(?:\.\d*)?")


def _iso(year: int, month: int, day: int) -> str | None:
    """The ISO date, None where the calendar has no such day."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _month(year: int, month: int) -> str | None:
    return f"{year:04d}-{month:02d}" if FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 else None


@dataclass(frozen=True, slots=True)
class Window:
    """The years that a date may lie in: what a year of two digits can mean."""

    first: int
    last: int

    @classmethod
    def of_births(cls, today: date, youngest: int, oldest: int) -> Window:
        """The years in which people of these ages were born."""
        return cls(today.year - oldest, today.year - youngest)

    @classmethod
    def of_events(cls, today: date) -> Window:
        """The hundred years that end ten years from now: contracts and terms end in the future."""
        return cls(today.year - 89, today.year + 10)

    def years(self, two_digits: int) -> list[int]:
        """The years of the window that end in these digits."""
        return [year for year in range(self.first, self.last + 1) if year % 100 == two_digits]


def read_date(text: str, order: Order, window: Window) -> tuple[str | None, bool]:
    """Read a date in any notation: (YYYY-MM-DD, YYYY-MM or YYYY; None if not exactly one is meant) and if by a guess.

    A guess (two-digit year, spreadsheet serial number) is a fix to tell the owner. ``order`` settles day and month:
    with ``column`` nothing has settled them, and only a date that can be read one way is read.
    """
    text = _PREFIX.sub("", text.strip().strip("'").strip().lower())
    if found := _ISO.fullmatch(text):
        return _iso(int(found[1]), int(found[2]), int(found[3])), False
    if found := _ENGLISH.fullmatch(text):
        dates = _english(found, window)
        return dates[0] if len(dates) == 1 else None, len(found[5]) == 2
    if found := _PARTS.fullmatch(text):
        dates = _parts(found, ("dmy", "mdy") if order == "column" else (order,), window)
        return dates[0] if len(dates) == 1 else None, len(found[3]) == 2
    if found := _EIGHT.fullmatch(text):
        whole = _iso(int(text[:4]), int(text[4:6]), int(text[6:]))
        return whole or _iso(int(text[4:]), int(text[2:4]), int(text[:2])), False
    if found := _YEAR.fullmatch(text):
        return (found[1] if FIRST_YEAR <= int(found[1]) <= LAST_YEAR else None), False
    if found := _MONTH_YEAR.fullmatch(text):
        return _month(int(found[2]), int(found[1])), False
    if found := _YEAR_MONTH.fullmatch(text):
        return _month(int(found[1]), int(found[2])), False
    if found := _WORDS.fullmatch(text):
        year, month = int(found[3]), int(found[2])
        return (_iso(year, month, int(found[1])) if found[1] else _month(year, month)), False
    if _SERIAL.fullmatch(text):
        day_found = _EXCEL_EPOCH + timedelta(days=int(text[:5]))
        return _iso(day_found.year, day_found.month, day_found.day), True
    return None, False


def _without_day(text: str) -> str | None:
    """A date whose day, or day and month, the source gives as zero; None for any other."""
    if found := _UNKNOWN_DAY.fullmatch(text):
        month, year = int(found[1]), int(found[2])
    elif found := _UNKNOWN_DAY_ISO.fullmatch(text):
        year, month = int(found[1]), int(found[2])
    else:
        return None
    return _month(year, month) if month else f"{year:04d}" if FIRST_YEAR <= year <= LAST_YEAR else None


def _english(found: re.Match[str], window: Window) -> list[str]:
    """The dates that an English month, a day and a year can mean."""
    named, day = found[2] or found[3], int(found[1] or found[4])
    months = [number for number, name in enumerate(_MONTHS, 1) if name.startswith(named)]
    years = window.years(int(found[5])) if len(found[5]) == 2 else [int(found[5])]
    dates = [_iso(year, month, day) for year in years for month in months]
    return [each for each in dates if each is not None]


def _parts(found: re.Match[str], orders: Sequence[Order], window: Window) -> list[str]:
    """The dates that three numbers can mean, each once."""
    first, second, year = int(found[1]), int(found[2]), int(found[3])
    years = window.years(year) if len(found[3]) == 2 else [year]
    dates = [
        _iso(full, *((first, second) if order == "mdy" else (second, first))) for order in orders for full in years
    ]
    return list(dict.fromkeys(day for day in dates if day is not None))


def possible_dates(text: str, window: Window) -> list[str]:
    """What a text that ``read_date`` can't read may mean: day and month either way round, in any century; a year, or
    year and month, where zeros stand for the rest.
    """
    text = _PREFIX.sub("", text.strip().strip("'").strip().lower())
    if unknown := _without_day(text):
        return [unknown]
    if found := _ENGLISH.fullmatch(text):
        return _english(found, window)
    found = _PARTS.fullmatch(text)
    return _parts(found, ("dmy", "mdy"), window) if found else []


def column_order(texts: Iterable[str]) -> Order | None:
    """The order of day and month that a column shows: one number above 12 settles it (DOMAIN §7.3); None if none does.

    None also where both orders occur: such a column proves nothing.
    """
    shown = set[Order]()
    for text in texts:
        if found := _PARTS.fullmatch(text.strip().strip("'").strip().lower()):
            if int(found[1]) > 12:
                shown.add("dmy")
            if int(found[2]) > 12:
                shown.add("mdy")
    return shown.pop() if len(shown) == 1 else None


def read_time(text: str, order: Order, today: date) -> str | None:
    """A time as ISO text in UTC; a date alone is its midnight, a time without a zone is taken as UTC."""
    day, _, clock = text.strip().replace("T", " ").partition(" ")
    found, _ = read_date(day, order, Window.of_events(today))
    if found is None or len(found) != 10:
        return None
    clock = clock.strip().removesuffix("Z")
    if not clock:
        return f"{found}T00:00:00"
    parts = _CLOCK.fullmatch(clock)
    if parts is None or int(parts[1]) > 23 or int(parts[2]) > 59 or int(parts[3] or 0) > 59:
        return None
    shown = f"{found}T{int(parts[1]):02d}:{parts[2]}:{parts[3] or '00'}{parts[4] or ''}"
    if parts[5] is None:
        return shown
    offset = timedelta(hours=int(parts[6]), minutes=int(parts[7] or 0))
    utc = datetime.fromisoformat(shown) + (offset if parts[5] == "-" else -offset)
    return utc.isoformat()
