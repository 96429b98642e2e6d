"""interval: microseconds, or ISO 8601 text (``interval.handling.mode``).

Called by ``column`` with what a server prints under ``IntervalStyle=postgres``. A month counts as a twelfth of 365.25
days in microseconds, as Debezium does (``MicroDuration``), and what 64 bits can't hold as the nearest that they can.
"""

from __future__ import annotations

import re

from sync.schema import datum
from sync.source.postgresql.kind import ColumnType, Options, named, plain, textual

_PART = re.compile(rb"([+-]?\d+) (year|mon|day)s?")
_CLOCK = re.compile(rb"([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?$")

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_MONTH = _DAY * 487 // 16
_MOST, _LEAST = 2**63 - 1, -(2**63)
_INFINITE = {b"infinity": _MOST, b"-infinity": _LEAST}


def interval_type(options: Options) -> ColumnType:
    """Return how an interval is written."""
    if options.intervals == "string":
        return textual(options, "io.debezium.time.Interval", lambda value: datum.text(iso(value)), b"P0Y0M0DT0H0M0S")
    return plain(named("long", "io.debezium.time.MicroDuration"), lambda value: datum.zigzag(micros(value)))


def _parts(value: bytes) -> tuple[dict[bytes, int], int]:
    """Return years, mons and days as written, and the clock's microseconds with its sign."""
    named_parts = {name: int(number) for number, name in _PART.findall(value)}
    match = _CLOCK.search(value)
    if match is None:
        if not named_parts:
            raise ValueError("not an interval")
        return named_parts, 0
    sign, hours, minutes, seconds, fraction = match.groups()
    size = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    size = size * 1_000_000 + int((fraction or b"").ljust(6, b"0"))
    return named_parts, -size if sign == b"-" else size


def micros(value: bytes) -> int:
    """Return an interval's microseconds; infinities are the ends of 64 bits."""
    if value in _INFINITE:
        return _INFINITE[value]
    parts, clock = _parts(value)
    months = parts.get(b"year", 0) * 12 + parts.get(b"mon", 0)
    return max(_LEAST, min(_MOST, months * _MONTH + parts.get(b"day", 0) * _DAY + clock))


def iso(value: bytes) -> bytes:
    """Return ``P1Y2M3DT4H5M6.789S``, each part with its own sign; infinities as PostgreSQL prints them."""
    if value in _INFINITE:
        return value
    parts, clock = _parts(value)
    sign = b"-" if clock < 0 else b""
    hours, rest = divmod(abs(clock), _HOUR)
    minutes, rest = divmod(rest, 60_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    years, months, days = (parts.get(name, 0) for name in (b"year", b"mon", b"day"))
    ending = (b".%06d" % fraction).rstrip(b"0") if fraction else b""
    hour, minute = ((sign if number else b"") + b"%d" % number for number in (hours, minutes))
    second = (sign if seconds or fraction else b"") + b"%d" % seconds + ending
    return b"P%dY%dM%dDT%bH%bM%bS" % (years, months, days, hour, minute, second)
