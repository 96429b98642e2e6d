"""numeric and money: exact, as text or as a double (``decimal.handling.mode``).

Called by ``column``. Debezium 3.4's documentation, "Decimal types" and "Money".
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from sync.schema import datum
from sync.source.postgresql import form
from sync.source.postgresql.kind import ColumnType, Options, plain, record, textual
from sync.source.postgresql.table import PgType

_CONNECT_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_MONEY_PRECISION = 64
"""What Confluent's converter writes as the precision of a Connect decimal that tells none."""

_SPECIAL = {b"NaN": b"NAN", b"Infinity": b"POSITIVE_INFINITY", b"-Infinity": b"NEGATIVE_INFINITY"}
"""What Debezium writes for these in the mode string."""

_DIGITS = re.compile(rb"\d+")


def numeric_type(kind: PgType, options: Options) -> ColumnType:
    """Return how a numeric is written; ``kind.modifier`` holds precision and scale."""
    if options.decimals == "double":
        return plain("double", lambda value: datum.double(float(value)), bytes(8))
    precision, scale = _declared(kind)
    if options.decimals == "string":
        return replace(textual(options, None, _words, _shown(0, scale)), form=form.DIGITS)
    if kind.modifier < 4:
        return _variable()

    def encode(value: bytes) -> bytes:
        return datum.decimal(unscaled(value, scale))

    return plain(_decimal(precision, scale, told=precision), encode, datum.decimal(0), form.decimal(scale))


def _declared(kind: PgType) -> tuple[int, int]:
    """Return digits and scale; zeros where none are declared."""
    if kind.modifier < 4:
        return 0, 0
    precision, scale = (kind.modifier - 4) >> 16 & 0xFFFF, (kind.modifier - 4) & 0x7FF
    # PostgreSQL 15: a negative scale, 11 bits signed. Such numbers are whole and may have more digits.
    return (precision + 2048 - scale, 0) if scale >= 1024 else (precision, scale)


def padded(kind: PgType, value: bytes) -> bytes:
    """Return a number's text as the server prints it in a column of the type; ValueError where it would round."""
    scale = _declared(kind)[1]
    return value if kind.modifier < 4 else _shown(unscaled(value, scale), scale)


def _decimal(precision: int, scale: int, *, told: int | None) -> dict[str, object]:
    parameters = {"scale": str(scale)}
    if told is not None:
        parameters["connect.decimal.precision"] = str(told)
    # Avro wants at least as many digits as the scale; PostgreSQL 15 allows numeric(2,5).
    return {
        "type": "bytes",
        "scale": scale,
        "precision": max(precision, scale),
        "connect.version": 1,
        "connect.parameters": parameters,
        "connect.name": _CONNECT_DECIMAL,
        "logicalType": "decimal",
    }


def unscaled(value: bytes, scale: int) -> int:
    """Return a decimal's text times ten to the scale. ValueError for NaN, infinities and more digits than that."""
    whole, _, fraction = value.partition(b".")
    if len(fraction) > scale:
        raise ValueError("a number with more digits than its scale")
    return _integer(whole + fraction.ljust(scale, b"0"))


def _integer(digits: bytes) -> int:
    # int() takes at most 4300 digits; a numeric has up to 147,455.
    return int(digits) if len(digits) < 4300 else int(Decimal(digits.decode()))


def _words(value: bytes) -> bytes:
    return datum.text(_SPECIAL.get(value, value))


def _variable() -> ColumnType:
    fields: list[dict[str, object]] = [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}]
    schema = record("io.debezium.data.VariableScaleDecimal", fields, doc="Variable scaled decimal")
    return plain(schema, variable, datum.zigzag(0) + datum.decimal(0))


def variable(value: bytes) -> bytes:
    """Return the record of scale and unscaled value, without zeros at the fraction's end."""
    whole, _, fraction = value.partition(b".")
    fraction = fraction.rstrip(b"0")
    return datum.zigzag(len(fraction)) + datum.decimal(_integer(whole + fraction))


def money_type(kind: PgType, options: Options) -> ColumnType:
    """Return how money is written; ``kind.modifier`` holds the fraction digits of the server's ``lc_monetary``."""
    digits = kind.modifier if kind.modifier >= 0 else 2
    if options.decimals == "string":
        zero = _shown(0, options.money_digits)
        return textual(options, None, lambda value: datum.text(_shown(_cents(value), digits)), zero)
    if options.decimals == "double":
        return plain("double", lambda value: datum.double(_cents(value) / 10**digits), bytes(8))

    def encode(value: bytes) -> bytes:
        return datum.decimal(_rounded(_cents(value), options.money_digits - digits))

    return plain(_decimal(_MONEY_PRECISION, options.money_digits, told=None), encode, datum.decimal(0))


def _cents(value: bytes) -> int:
    # '-$1,234.50' in most locales, '($1,234.50)' in some; signs and separators are the locale's.
    amount = int(b"".join(_DIGITS.findall(value)))
    return -amount if b"-" in value or b"(" in value else amount


def _shown(number: int, digits: int) -> bytes:
    """Return an unscaled number as a decimal with so many digits after the point."""
    sign = b"-" if number < 0 else b""
    shown = b"%0*d" % (digits + 1, abs(number))
    return sign + (shown[:-digits] + b"." + shown[-digits:] if digits else shown)


def _rounded(cents: int, more: int) -> int:
    """Return the amount with ``more`` digits (fewer: half away from zero, as Debezium)."""
    if more >= 0:
        return int(cents * 10**more)
    unit = 10**-more
    size = (abs(cents) + unit // 2) // unit
    return int(-size if cents < 0 else size)
