"""How the texts of a column are read many at a time: a code for ``kernel``, and what it needs to know.

Chosen where a column's type is (``numeric``, ``moment``, ``column``). A text that has not the plain form which the
code stands for (infinity, BC, a year over 9999, a number over 18 digits) is left to the column's own encoder.
"""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """``argument`` is the digits after the point, for ``DECIMAL`` and ``ZONED``."""

    code: int
    argument: int = 0


TEXT = Form(0)
"""The bytes are the string."""

BOOLEAN = Form(1)
"""``t``, ``f`` and what begins so → Avro's ``boolean``."""

INTEGER = Form(2)
"""A decimal number of up to 18 digits → Avro's ``int`` or ``long``."""

DIGITS = Form(3)
"""A number's text with a digit in front → the string itself."""

DAYS = Form(4)
"""``YYYY-MM-DD`` → days since 1970-01-01."""

MICROS = Form(5)
"""``YYYY-MM-DD HH:MM:SS[.ffffff]`` → microseconds since 1970."""

MILLIS = Form(6)
"""As ``MICROS`` → milliseconds, rounded down."""

ENCODED = Form(7)
"""No form: each text is left to the column's encoder."""

ABSENT = Form(8)
"""A column that is not part of the records."""


def decimal(scale: int) -> Form:
    """Return what reads a number with ``scale`` digits after the point: Avro ``bytes`` of the unscaled number."""
    return Form(9, scale)


def zoned(fraction: int) -> Form:
    """Return what reads ``YYYY-MM-DD HH:MM:SS[.ffffff]+00``: ISO 8601 text with ``fraction`` digits after the point."""
    return Form(10, fraction)
