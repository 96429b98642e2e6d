"""Numbers by Java's rules: narrowing casts, ``Double.toString``, ``Integer.parseInt``, ``Double.parseDouble``."""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal
from typing import Any

from sync.errors import Unreadable

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DOUBLE = re.compile(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?)", re.ASCII)


def to_integer(value: Any, bits: int) -> int:
    """An integer of so many bits. Raises Unreadable for a text that is none.

    A float saturates at 32 bits (64 for a long) and wraps beyond, an integer wraps: ``Number.byteValue`` and the like.
    """
    if isinstance(value, str):
        number = int(value) if _INTEGER.fullmatch(value) else 1 << bits
        if number != wrapped(number, bits):
            raise Unreadable("A text is no number of its new type.")
        return number
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        most = 1 << (max(bits, 32) - 1)
        value = most - 1 if value >= most else -most if value < -most else int(value)
    return wrapped(int(value), bits)


def wrapped(number: int, bits: int) -> int:
    """The lowest bits of a number, signed."""
    half = 1 << (bits - 1)
    return (number + half) % (2 * half) - half


def parsed_double(text: str) -> float:
    """``Double.parseDouble``. ValueError."""
    text = text.strip()
    if not _DOUBLE.fullmatch(text):
        raise ValueError("no number")
    return float(text.rstrip("fFdD") if text[-1] in "fFdD" else text)


def double_text(value: float) -> str:
    """``Double.toString``: the shortest digits, an exponent below 10⁻³ and from 10⁷ on."""
    return _shown(value, repr(value))


def float_text(value: float) -> str:
    """``Float.toString`` of a 32-bit value."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("f", float(text)) == struct.pack("f", value):
            return _shown(value, text)
    return _shown(value, repr(value))


def _shown(value: float, shortest: str) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if math.copysign(1, value) < 0 else ""
    if value == 0:
        return f"{sign}0.0"
    digits = "".join(map(str, (exact := Decimal(shortest).normalize().as_tuple()).digits))
    exponent = len(digits) - 1 + int(exact.exponent)
    if not -3 <= exponent < 7:
        return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, rest = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{rest or '0'}"
