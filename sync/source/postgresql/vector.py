"""A column's text forms → Avro datums, those of many rows at once.

Called by ``block``. ``data`` are the bytes of many messages, ``starts`` and ``sizes`` (in bytes) where the column's
values stand in them; ``data`` goes on for some bytes after the last of them. A function returns None where one value
has not the plain form that it reads (infinity, BC, a year over 9999, damage): the column's own encoder then takes them
one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Numbers = NDArray[np.int64]


class Datums(NamedTuple):
    """N datums: the first ``sizes[n]`` bytes of ``content[:, n]``."""

    content: Bytes
    sizes: Places

    def each(self, before: bytes) -> list[bytes]:
        """Return them one by one, ``before`` put first."""
        width, joined = len(self.content), np.ascontiguousarray(self.content.T).tobytes()
        starts = range(0, len(joined), width)
        return [before + joined[at : at + size] for at, size in zip(starts, self.sizes.tolist(), strict=True)]


Vector = Callable[[Bytes, Places, Places], Datums | None]
"""``(data, starts, sizes) -> datums``."""

_DAY_MICROS = 86_400_000_000
_DAY_SIZE = 10
_SECOND_SIZE = 19
_MOST_DIGITS = 18
"""Of a number that surely has a place in 64 bits."""

_SHORT = 63
_ZERO, _MINUS = ord("0"), ord("-")
_SEVEN, _SEVEN_BITS = np.uint64(7), np.uint64(0x7F)


def some(marks: NDArray[np.bool_]) -> bool:
    """Return whether one is true: as ``marks.any()``, which takes several times as long."""
    return bool(np.count_nonzero(marks))


def booleans(data: Bytes, starts: Places, sizes: Places) -> Datums | None:
    """Return Avro's ``boolean`` of ``t``, ``f`` and what begins so."""
    return Datums((data[starts] == ord("t")).astype(np.uint8)[None], np.ones_like(sizes))


def integers(data: Bytes, starts: Places, sizes: Places) -> Datums | None:
    """Return varints of decimal numbers of up to 18 digits."""
    numbers = _numbers(data, starts, sizes)
    return None if numbers is None else varints(numbers)


def decimals(scale: int) -> Vector:
    """Return what reads numbers with ``scale`` digits after the point: Avro ``bytes`` of the unscaled number."""

    def read(data: Bytes, starts: Places, sizes: Places) -> Datums | None:
        if not scale:
            numbers = _numbers(data, starts, sizes)
            return None if numbers is None else _unscaled(numbers)
        ends = starts + sizes
        points = ends - scale - 1
        plain = (points > starts) & (sizes <= _MOST_DIGITS) & (data[points] == ord(".")) & (data[points + 1] != _MINUS)
        if some(~plain):
            return None
        whole = _numbers(data, starts, sizes - scale - 1)
        fraction = _numbers(data, points + 1, np.full_like(sizes, scale))
        if whole is None or fraction is None:
            return None
        negative = data[starts] == _MINUS
        return _unscaled(whole * 10**scale + np.where(negative, -fraction, fraction))

    return read


def digits(data: Bytes, starts: Places, sizes: Places) -> Datums | None:
    """Return strings of numbers as they are, of at most 63 bytes and with a digit in front."""
    first = data[starts + (data[starts] == _MINUS)] - _ZERO
    width = int(sizes.max(initial=0))
    if width > _SHORT or some(first > 9):
        return None
    found = np.empty((width + 1, len(starts)), np.uint8)
    found[0] = sizes << 1
    for place in range(width):
        found[place + 1] = data[starts + place]
    return Datums(found, sizes + 1)


def days(data: Bytes, starts: Places, sizes: Places) -> Datums | None:
    """Return varints of the days since 1970-01-01 of ``YYYY-MM-DD``."""
    numbers = _days(data, starts) if not some(sizes != _DAY_SIZE) else None
    return None if numbers is None else varints(numbers)


def micros(data: Bytes, starts: Places, sizes: Places) -> Datums | None:
    """Return varints of the microseconds since 1970 of ``YYYY-MM-DD HH:MM:SS[.ffffff]``."""
    numbers = _micros(data, starts, sizes)
    return None if numbers is None else varints(numbers)


def millis(data: Bytes, starts: Places, sizes: Places) -> Datums | None:
    """Return varints of milliseconds since 1970, rounded down."""
    numbers = _micros(data, starts, sizes)
    return None if numbers is None else varints(numbers // 1000)


def zoned(fraction: int) -> Vector:
    """Return what reads ``YYYY-MM-DD HH:MM:SS[.ffffff]+00``: ISO 8601 text with ``fraction`` digits after the point."""

    def read(data: Bytes, starts: Places, sizes: Places) -> Datums | None:
        ends = starts + sizes
        known = sizes - len("YYYY-MM-DD HH:MM:SS.+00")
        plain = (sizes >= len("YYYY-MM-DD HH:MM:SS+00")) & (known != 0) & (known <= 6) & (data[starts + 10] == ord(" "))
        for place, mark in enumerate(b"+00"):
            plain &= data[ends - 3 + place] == mark
        if some(~plain):
            return None
        width = _SECOND_SIZE + (fraction + 1 if fraction else 0) + 1
        found = np.empty((width + 1, len(starts)), np.uint8)
        found[0] = width << 1
        for place in range(_SECOND_SIZE):
            found[place + 1] = data[starts + place]
        found[11] = ord("T")
        found[-1] = ord("Z")
        if fraction:
            found[_SECOND_SIZE + 1] = ord(".")
        for place in range(fraction):
            at = _SECOND_SIZE + 1 + place
            found[at + 1] = np.where(known > place, data[starts + at], _ZERO)
        return Datums(found, np.full_like(sizes, width + 1))

    return read


def _numbers(data: Bytes, starts: Places, sizes: Places) -> Numbers | None:
    negative = data[starts] == _MINUS
    first, count = starts + negative, sizes - negative
    most = int(count.max(initial=0))
    if most > _MOST_DIGITS or int(count.min(initial=1)) < 1:
        return None
    found = np.zeros(len(starts), np.int64)
    for place in range(most):
        # A shorter number's digits are read past its end, and not used.
        live = count > place
        digit = data[first + place] - _ZERO
        if some(live & (digit > 9)):
            return None
        np.copyto(found, found * 10 + digit, where=live)
    found[negative] *= -1
    return found


def _micros(data: Bytes, starts: Places, sizes: Places) -> Numbers | None:
    known = sizes - len("YYYY-MM-DD HH:MM:SS.")
    plain = (sizes >= _SECOND_SIZE) & (known != 0) & (known <= 6) & (data[starts + 10] == ord(" "))
    plain &= (data[starts + 13] == ord(":")) & (data[starts + 16] == ord(":"))
    plain &= (known < 0) | (data[starts + _SECOND_SIZE] == ord("."))
    if some(~plain):
        return None
    day, hour, minute, second = _days(data, starts), *(_pair(data, starts + place) for place in (11, 14, 17))
    if day is None or hour is None or minute is None or second is None:
        return None
    fraction = np.zeros(len(starts), np.int64)
    for place in range(6):
        digit = np.where(known > place, data[starts + _SECOND_SIZE + 1 + place] - _ZERO, 0)
        if some(digit > 9):
            return None
        fraction = fraction * 10 + digit
    return day * _DAY_MICROS + (hour * 3600 + minute * 60 + second) * 1_000_000 + fraction


def _days(data: Bytes, starts: Places) -> Numbers | None:
    century, rest = _pair(data, starts), _pair(data, starts + 2)
    month, day = _pair(data, starts + 5), _pair(data, starts + 8)
    if century is None or rest is None or month is None or day is None:
        return None
    if some((data[starts + 4] != _MINUS) | (data[starts + 7] != _MINUS)):
        return None
    # H. Hinnant, "days_from_civil": as temporal._civil.
    early = month <= 2
    year = century * 100 + rest - early
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + np.where(early, 9, -3)) + 2) // 5 + day - 1
    found: Numbers = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
    return found


def _pair(data: Bytes, at: Places) -> Numbers | None:
    tens, ones = data[at] - _ZERO, data[at + 1] - _ZERO
    if some((tens > 9) | (ones > 9)):
        return None
    return tens.astype(np.int64) * 10 + ones


def varints(numbers: Numbers) -> Datums:
    """Return Avro's ``int`` or ``long``."""
    return _continued(((numbers << 1) ^ (numbers >> 63)).view(np.uint64))


def _continued(codes: NDArray[np.uint64]) -> Datums:
    sizes = np.ones(len(codes), np.int64)
    parts: list[Bytes] = []
    while True:
        low = (codes & _SEVEN_BITS).astype(np.uint8)
        codes = codes >> _SEVEN
        more = codes != 0
        if not some(more):
            return Datums(np.array([*parts, low]), sizes)
        parts.append(low | (more.astype(np.uint8) << 7))
        sizes += more


def _unscaled(numbers: Numbers) -> Datums:
    """Return Avro ``bytes`` in the shortest two's complement form, as ``datum.decimal``."""
    magnitude = numbers ^ (numbers >> 63)
    sizes = np.ones(len(numbers), np.int64)
    for count in range(1, 8):
        sizes += magnitude >= 1 << 8 * count - 1
    width = int(sizes.max(initial=1))
    found = np.empty((width + 1, len(numbers)), np.uint8)
    found[0] = sizes << 1
    for place in range(width):
        found[place + 1] = (numbers >> np.maximum(8 * (sizes - 1 - place), 0)).astype(np.uint8)
    return Datums(found, sizes + 1)


def write_before(data: Bytes, ends: Places, datums: Datums) -> None:
    """Write each datum so that it ends before its place in ``ends``."""
    sizes = datums.sizes
    firsts = ends - sizes
    least = int(sizes.min(initial=len(datums.content)))
    for place, part in enumerate(datums.content):
        if place < least:
            data[firsts + place] = part
        else:
            on = np.flatnonzero(sizes > place)
            data[firsts[on] + place] = part[on]


def write_lengths(data: Bytes, ends: Places, sizes: Places) -> Places | int:
    """Write what stands before strings of these sizes in bytes, as ``write_before``; return how many bytes it takes."""
    if not some(sizes > _SHORT):
        data[ends - 1] = sizes << 1
        return 1
    heads = _continued((sizes << 1).view(np.uint64))
    write_before(data, ends, heads)
    return heads.sizes
