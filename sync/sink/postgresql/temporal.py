"""Texts of dates and times as PostgreSQL reads them, from the integers that Debezium's topics carry.

Called by ``sync.sink.postgresql.column``. Assumes a session whose time zone is UTC. Ordinary years are
formatted by Polars; the rest (before year 1, after year 9999, infinity) value by value, because Polars stops at
year 262142 and writes years in a form that PostgreSQL does not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

DAY = 86_400_000_000
"""Microseconds of a day."""

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31, in days since 1970-01-01."""

_DATE_INFINITY = 2**31 - 1
_DATE_MINUS_INFINITY = -(2**31)

# Debezium's PostgreSQL connector, "Temporal values": the milliseconds pgjdbc uses, as microseconds.
_INFINITY = 9_223_372_036_825_200_000
_MINUS_INFINITY = -9_223_372_036_832_400_000


def civil(days: int) -> tuple[int, int, int]:
    """Return (astronomical year, month, day) of a day counted from 1970-01-01, proleptic Gregorian, any range.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", ``civil_from_days``.
    """
    shifted = days + 719_468
    era, day_of_era = divmod(shifted, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year_of_era + era * 400 + (1 if month <= 2 else 0), month, day


def _date(days: int) -> tuple[str, str]:
    """The date's text and its era's suffix: PostgreSQL has no year 0 and no negative years."""
    year, month, day = civil(days)
    shown, era = (year, "") if year > 0 else (1 - year, " BC")
    return f"{shown:04}-{month:02}-{day:02}", era


def _one_date(days: int) -> str:
    if days == _DATE_INFINITY:
        return "infinity"
    if days == _DATE_MINUS_INFINITY:
        return "-infinity"
    date, era = _date(days)
    return date + era


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"


def _one_timestamp(micros: int) -> str:
    if micros >= _INFINITY:
        return "infinity"
    if micros <= _MINUS_INFINITY:
        return "-infinity"
    days, rest = divmod(micros, DAY)
    date, era = _date(days)
    return f"{date} {_clock(rest)}{era}"


def each(series: pl.Series, text: Callable[[Any], str]) -> pl.Series:
    """``text`` of every value, null staying null; for the rare values that columns of Polars can't hold."""
    return pl.Series(series.name, [None if v is None else text(v) for v in series.to_list()], dtype=pl.String)


def _within(series: pl.Series, low: int, high: int) -> bool:
    return bool(series.is_between(low, high).all())


def date_text(days: pl.Series) -> pl.Series:
    """Days since 1970-01-01 (Int32 or Int64) → ``YYYY-MM-DD[ BC]``, ``infinity``, ``-infinity``."""
    if _within(days, _FIRST_DAY, _LAST_DAY):
        return days.cast(pl.Int32).cast(pl.Date).cast(pl.String)
    return each(days, _one_date)


def timestamp_text(micros: pl.Series) -> pl.Series:
    """Microseconds since 1970-01-01 (UTC or without zone) → ``YYYY-MM-DD hh:mm:ss.ffffff[ BC]``, ``[-]infinity``."""
    if _within(micros, _FIRST_DAY * DAY, _LAST_DAY * DAY + DAY - 1):
        return micros.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    return each(micros, _one_timestamp)


def time_text(micros: pl.Series) -> pl.Series:
    """Microseconds since midnight (Int64), 24:00 included → ``hh:mm:ss.ffffff``."""
    if _within(micros, 0, DAY - 1):
        return (micros * 1000).cast(pl.Time).dt.strftime("%H:%M:%S%.6f")
    return each(micros, _clock)
