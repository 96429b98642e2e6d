"""A column's text → its Avro form, written into an array.

Called by ``log`` and ``copy`` for each field. The texts are PostgreSQL's output under the settings that ``column``
tells; the forms are those of ``form``. What has not the plain form gives -1, and what was written of it counts for
nothing: a field's Avro form takes at most ``MOST_MORE`` bytes more than its text.
"""

from __future__ import annotations

import numpy as np

from sync.compiled import PIECE, Bytes, compiled, move_piece
from sync.source.postgresql import form

MOST_MORE = 12
"""A branch of a union, a length of up to 9 bytes, what ISO 8601 has more than PostgreSQL."""

MARGIN = bytes(PIECE)
"""What must follow ``data``, so that bytes behind its end can be read."""

_BOOLEAN, _INTEGER, _DIGITS = form.BOOLEAN.code, form.INTEGER.code, form.DIGITS.code
_DAYS, _MICROS, _MILLIS = form.DAYS.code, form.MICROS.code, form.MILLIS.code
_DECIMAL, _ZONED, _TEXT = form.decimal(0).code, form.zoned(0).code, form.TEXT.code

_MOST_DIGITS = 18
"""Of a number that surely has a place in 64 bits."""

_NO_NUMBER = -(2**62)
_DAY_MICROS = 86_400_000_000
_DAY_SIZE, _SECOND_SIZE = 10, 19
_MOMENT_SIZE = len("YYYY-MM-DD HH:MM:SS+00")
_FRACTION = 6
_ZERO, _MINUS, _POINT, _SPACE, _COLON, _PLUS = 48, 45, 46, 32, 58, 43
_TRUE, _T, _Z = 116, 84, 90


@compiled
def varint(number: int, out: Bytes, at: int) -> int:
    """Write Avro's ``int`` or ``long``, of less than 62 bits; return the place after it."""
    code = (number << 1) ^ (number >> 63)
    while code > 127:
        out[at] = (code & 127) | 128
        code >>= 7
        at += 1
    out[at] = code
    return at + 1


@compiled
def move(data: Bytes, start: int, size: int, out: Bytes, at: int) -> None:
    """Copy bytes, and up to ``PIECE`` more from behind them to behind them."""
    move_piece(data, start, out, at)
    for done in range(PIECE, size, PIECE):
        move_piece(data, start + done, out, at + done)


@compiled
def value(data: Bytes, start: int, size: int, code: int, argument: int, out: Bytes, at: int) -> int:
    """Write the text of ``size`` bytes at ``start``; return the place after it, or -1."""
    if code == _TEXT:
        return _text(data, start, size, out, at)
    if code == _DAYS:
        number = _days(data, start) if size == _DAY_SIZE else _NO_NUMBER
    elif code == _INTEGER:
        number = _number(data, start, size)
    elif code == _DECIMAL:
        return _decimal(data, start, size, argument, out, at)
    elif code == _MICROS:
        number = _micros(data, start, size)
    elif code == _MILLIS:
        number = _micros(data, start, size)
        if number != _NO_NUMBER:
            number //= 1000
    elif code == _BOOLEAN:
        out[at] = 1 if size > 0 and data[start] == _TRUE else 0
        return at + 1
    elif code == _DIGITS:
        first = start + 1 if size > 1 and data[start] == _MINUS else start
        return _text(data, start, size, out, at) if size > 0 and _digit(data, first) >= 0 else -1
    elif code == _ZONED:
        return _zoned(data, start, size, argument, out, at)
    else:
        return -1
    return -1 if number == _NO_NUMBER else varint(number, out, at)


@compiled
def _text(data: Bytes, start: int, size: int, out: Bytes, at: int) -> int:
    at = varint(size, out, at)
    move(data, start, size, out, at)
    return at + size


@compiled
def _digit(data: Bytes, at: int) -> int:
    digit = int(np.int64(data[at])) - _ZERO
    return digit if 0 <= digit <= 9 else -1


@compiled
def _pair(data: Bytes, at: int) -> int:
    """Return the number of two digits; below zero where they are none."""
    tens, ones = _digit(data, at), _digit(data, at + 1)
    return -1 if tens < 0 or ones < 0 else tens * 10 + ones


@compiled
def _digits(data: Bytes, start: int, size: int) -> int:
    """Return a number without a sign."""
    if size < 1 or size > _MOST_DIGITS:
        return _NO_NUMBER
    found = 0
    for place in range(start, start + size):
        digit = _digit(data, place)
        if digit < 0:
            return _NO_NUMBER
        found = found * 10 + digit
    return found


@compiled
def _number(data: Bytes, start: int, size: int) -> int:
    if size > 1 and data[start] == _MINUS:
        found = _digits(data, start + 1, size - 1)
        return found if found == _NO_NUMBER else -found
    return _digits(data, start, size)


@compiled
def _decimal(data: Bytes, start: int, size: int, scale: int, out: Bytes, at: int) -> int:
    """Write Avro ``bytes`` in the shortest two's complement form, as ``datum.decimal``."""
    if not scale:
        number = _number(data, start, size)
    else:
        negative = size > 0 and data[start] == _MINUS
        first, point = start + negative, start + size - scale - 1
        if size > _MOST_DIGITS or point <= first or data[point] != _POINT:
            return -1
        whole, fraction = _digits(data, first, point - first), _digits(data, point + 1, scale)
        if whole == _NO_NUMBER or fraction == _NO_NUMBER:
            return -1
        number = whole * 10**scale + fraction
        if negative:
            number = -number
    if number == _NO_NUMBER:
        return -1
    magnitude, length = number ^ (number >> 63), 1
    while length < 8 and magnitude >= 1 << (8 * length - 1):
        length += 1
    at = varint(length, out, at)
    for place in range(length):
        out[at + place] = (number >> (8 * (length - 1 - place))) & 255
    return at + length


@compiled
def _days(data: Bytes, start: int) -> int:
    century, rest = _pair(data, start), _pair(data, start + 2)
    month, day = _pair(data, start + 5), _pair(data, start + 8)
    if century < 0 or rest < 0 or data[start + 4] != _MINUS or data[start + 7] != _MINUS:
        return _NO_NUMBER
    if month < 1 or month > 12 or day < 1 or day > 31:
        return _NO_NUMBER
    # H. Hinnant, "days_from_civil": as temporal._civil.
    early = month <= 2
    year = century * 100 + rest - early
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (9 if early else -3)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


@compiled
def _micros(data: Bytes, start: int, size: int) -> int:
    known = size - _SECOND_SIZE - 1
    if size < _SECOND_SIZE or known == 0 or known > _FRACTION:
        return _NO_NUMBER
    if data[start + 10] != _SPACE or data[start + 13] != _COLON or data[start + 16] != _COLON:
        return _NO_NUMBER
    day, hour = _days(data, start), _pair(data, start + 11)
    minute, second = _pair(data, start + 14), _pair(data, start + 17)
    if day == _NO_NUMBER or hour < 0 or minute < 0 or second < 0:
        return _NO_NUMBER
    fraction = 0
    if known > 0:
        if data[start + _SECOND_SIZE] != _POINT:
            return _NO_NUMBER
        fraction = _digits(data, start + _SECOND_SIZE + 1, known)
        if fraction == _NO_NUMBER:
            return _NO_NUMBER
        fraction *= 10 ** (_FRACTION - known)
    return day * _DAY_MICROS + (hour * 3600 + minute * 60 + second) * 1_000_000 + fraction


@compiled
def _zoned(data: Bytes, start: int, size: int, fraction: int, out: Bytes, at: int) -> int:
    end, known = start + size, size - _MOMENT_SIZE - 1
    if size < _MOMENT_SIZE or known == 0 or known > _FRACTION or data[start + 10] != _SPACE:
        return -1
    if data[end - 3] != _PLUS or data[end - 2] != _ZERO or data[end - 1] != _ZERO:
        return -1
    if known > 0 and data[start + _SECOND_SIZE] != _POINT:
        return -1
    at = varint(_SECOND_SIZE + 1 + (fraction + 1 if fraction else 0), out, at)
    move(data, start, _SECOND_SIZE, out, at)
    out[at + 10] = _T
    at += _SECOND_SIZE
    if fraction:
        out[at] = _POINT
        for place in range(1, fraction + 1):
            out[at + place] = data[start + _SECOND_SIZE + place] if place <= known else _ZERO
        at += fraction + 1
    out[at] = _Z
    return at + 1
