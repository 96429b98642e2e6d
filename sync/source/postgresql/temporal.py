"""PostgreSQL's text forms of dates and times → numbers since 1970 or ISO text.

Called by the column encoders with what a server prints under ``DateStyle=ISO`` and ``TimeZone=UTC`` (the
capture sessions set both). Infinity becomes Debezium's constants; years beyond 9999 and BC are kept.
"""

from __future__ import annotations

import re
from datetime import date, datetime

INFINITY_MICROS = 9223372036825200000
"""Debezium's ``MicroTimestamp`` for ``infinity``."""

NEGATIVE_INFINITY_MICROS = -9223372036832400000
"""Debezium's ``MicroTimestamp`` for ``-infinity``."""

_INFINITE = frozenset({b"infinity", b"-infinity"})
_DAY_MICROS = 86_400_000_000
_OFFSET = re.compile(rb"([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?$")
_INT32 = 2**31
_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def days(value: bytes) -> int:
    """Return days since 1970-01-01 of ``YYYY-MM-DD[ BC]``; infinities are the ends of int32."""
    try:
        return date.fromisoformat(value.decode()).toordinal() - _EPOCH_DAY
    except ValueError:
        return _extreme_days(value)


def _extreme_days(value: bytes) -> int:
    if value == b"infinity":
        return _INT32 - 1
    if value == b"-infinity":
        return -_INT32
    before_christ = value.endswith(b" BC")
    year, month, day = (value[:-3] if before_christ else value).split(b"-")
    return _civil(1 - int(year) if before_christ else int(year), int(month), int(day))


def _civil(year: int, month: int, day: int) -> int:
    # Proleptic Gregorian calendar in eras of 400 years that start on 1 March (H. Hinnant, "days_from_civil").
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def time_micros(value: bytes) -> int:
    """Return microseconds since midnight of ``HH:MM:SS[.ffffff]`` (24:00:00 included)."""
    seconds = int(value[0:2]) * 3600 + int(value[3:5]) * 60 + int(value[6:8])
    return seconds * 1_000_000 + _fraction(value[9:])


def _fraction(digits: bytes) -> int:
    return int(digits.ljust(6, b"0")) if digits else 0


def timestamp_micros(value: bytes) -> int:
    """Return microseconds since 1970 of ``YYYY-MM-DD HH:MM:SS[.ffffff][ BC]``, in no time zone.

    ValueError for the last 30 years of PostgreSQL's range, which 64 bits since 1970 cannot hold.
    """
    try:
        since = datetime.fromisoformat(value.decode()) - _EPOCH
    except ValueError:
        return _extreme_timestamp(value)
    except TypeError:
        raise ValueError("a timestamp with a time zone") from None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _extreme_timestamp(value: bytes) -> int:
    if value == b"infinity":
        return INFINITY_MICROS
    if value == b"-infinity":
        return NEGATIVE_INFINITY_MICROS
    day, time = _divided(value)
    micros = _extreme_days(day) * _DAY_MICROS + time_micros(time)
    if not -(2**63) <= micros < 2**63:
        raise ValueError("a timestamp after the year 294246")
    return micros


def timestamp_millis(value: bytes) -> int:
    """Return milliseconds since 1970 of a timestamp, rounded down."""
    return timestamp_micros(value) // 1000


def timestamp_nanos(value: bytes) -> int:
    """Return nanoseconds since 1970 of a timestamp; infinities are the ends of 64 bits.

    ValueError for what 64 bits cannot hold (before 1677-09-21 and after 2262-04-11).
    """
    if value in _INFINITE:
        return 2**63 - 1 if value == b"infinity" else -(2**63)
    nanos = timestamp_micros(value) * 1000
    if not -(2**63) <= nanos < 2**63:
        raise ValueError("a timestamp that nanoseconds in 64 bits do not reach")
    return nanos


def iso_date(value: bytes) -> bytes:
    """Return ``2025-07-01Z``; a year before 1 or after 9999 has a sign (year 0 is 1 BC). Infinities stay."""
    return value if value in _INFINITE else _iso_day(value) + b"Z"


def iso_time(value: bytes) -> bytes:
    """Return ``13:51:30.123Z`` without zeros at the end; the day's end is ``00:00:00Z``."""
    return _shortened(b"00" + value[2:] if value[:2] == b"24" else value) + b"Z"


def iso_timestamp(value: bytes) -> bytes:
    """Return ``2025-07-01T13:51:30.123Z`` without zeros at the end. Infinities stay."""
    if value in _INFINITE:
        return value
    day, time = _divided(value)
    return _iso_day(day) + b"T" + _shortened(time) + b"Z"


def _divided(value: bytes) -> tuple[bytes, bytes]:
    """Return the day with its era, and the time."""
    before_christ = value.endswith(b" BC")
    day, _, time = (value[:-3] if before_christ else value).partition(b" ")
    return (day + b" BC" if before_christ else day), time


def _iso_day(value: bytes) -> bytes:
    if len(value) == 10:
        return value
    before_christ = value.endswith(b" BC")
    year, rest = (value[:-3] if before_christ else value).split(b"-", 1)
    number = 1 - int(year) if before_christ else int(year)
    shown = b"-%04d" % -number if number < 0 else b"+%d" % number if number > 9999 else b"%04d" % number
    return shown + b"-" + rest


def zoned_timestamp(value: bytes, digits: int = 6) -> bytes:
    """Return ISO 8601 text in UTC (``2025-07-01T00:00:00.000000Z``) of a timestamptz printed in UTC.

    ``digits`` is the column's precision: as many fraction digits are written, as Debezium does. Infinities stay as
    PostgreSQL prints them.
    """
    if value in _INFINITE:
        return value
    day, time = _divided(value)
    return _iso_day(day) + b"T" + _padded(time.removesuffix(b"+00"), digits) + b"Z"


def zoned_time(value: bytes) -> bytes:
    """Return ISO 8601 time in UTC (``07:00:00.5Z``) of ``HH:MM:SS[.ffffff]±HH[:MM[:SS]]``, no zeros at the end."""
    match = _OFFSET.search(value)
    if match is None:
        raise ValueError("a time without an offset")
    sign, hours, minutes, seconds = match.groups()
    offset = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    shift = (-offset if sign == b"+" else offset) * 1_000_000
    micros = (time_micros(value[: match.start()]) + shift) % _DAY_MICROS
    second, fraction = divmod(micros, 1_000_000)
    clock = b"%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
    return _shortened(clock + b".%06d" % fraction) + b"Z"


def _padded(time: bytes, digits: int) -> bytes:
    whole, _, fraction = time.partition(b".")
    return whole + b"." + fraction.ljust(digits, b"0")[:digits] if digits else whole


def _shortened(time: bytes) -> bytes:
    whole, _, fraction = time.partition(b".")
    fraction = fraction.rstrip(b"0")
    return whole + b"." + fraction if fraction else whole
