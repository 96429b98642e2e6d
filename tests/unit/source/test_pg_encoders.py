"""Each family of types: any value that PostgreSQL may print is what fastavro reads back."""

from __future__ import annotations

import json
import math
import re
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.schema.avro import decode_one
from sync.source.postgresql.array import elements
from sync.source.postgresql.column import Options, column_type
from sync.source.postgresql.interval import iso, micros
from sync.source.postgresql.table import PgType

# PostgreSQL's text never holds a zero byte, nor half of a surrogate pair.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def decoded(kind: PgType, text: str, options: Options | None = None) -> Any:
    """A value, encoded as a column of the type writes it and read by fastavro."""
    found = column_type(kind, options or Options())
    assert found.encode is not None
    schema = {"type": "record", "name": "r", "fields": [{"name": "v", "type": found.schema}]}
    return decode_one(schema, found.encode(text.encode()))["v"]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.integers(-(10**60), 10**60), st.integers(0, 60))
def test_a_numeric_without_precision_keeps_its_value(unscaled: int, scale: int) -> None:
    found = decoded(PgType("numeric"), _plain(unscaled, scale))
    value = int.from_bytes(found["value"], "big", signed=True)
    assert value * 10 ** (60 - found["scale"]) == unscaled * 10 ** (60 - scale)
    assert found["scale"] == 0 or value % 10


def _plain(unscaled: int, scale: int) -> str:
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    sign = "-" if unscaled < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else sign + digits


@given(st.integers(-(10**9) + 1, 10**9 - 1), st.sampled_from(["string", "double", "precise"]))
def test_a_numeric_with_precision_keeps_its_value_in_every_mode(cents: int, mode: str) -> None:
    text = _plain(cents, 2)
    found = decoded(PgType("numeric", (9 << 16 | 2) + 4), text, Options(decimals=mode))
    assert found == {"string": text, "double": cents / 100, "precise": Decimal(cents) / 100}[mode]


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 4))
def test_money_is_rounded_half_up_to_the_wanted_digits(cents: int, digits: int) -> None:
    sign = "-" if cents < 0 else ""
    text = f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02}"
    found = decoded(PgType("money", 2), text, Options(money_digits=digits))
    exact = Decimal(cents) / 100
    assert abs(found - exact) <= Decimal(1).scaleb(-digits) / 2
    assert decoded(PgType("money", 2), text, Options(decimals="string")) == _plain(cents, 2)


@given(st.integers(-100, 100), st.integers(-11, 11), st.integers(-1000, 1000), st.integers(-(10**13), 10**13))
def test_an_interval_has_its_parts_in_both_forms(years: int, months: int, days: int, clock: int) -> None:
    sign, size = ("-" if clock < 0 else ""), abs(clock)
    shown = f"{sign}{size // 3_600_000_000:02}:{size // 60_000_000 % 60:02}:{size // 1_000_000 % 60:02}"
    fraction = f".{size % 1_000_000:06}".rstrip("0") if size % 1_000_000 else ""
    text = f"{years} years {months} mons {days:+} days {shown}{fraction}".encode()
    day = 86_400_000_000
    assert micros(text) == (years * 12 + months) * day * 487 // 16 + days * day + clock
    found = re.fullmatch(r"P(-?\d+)Y(-?\d+)M(-?\d+)DT(-?\d+)H(-?\d+)M(-?[\d.]+)S", iso(text).decode())
    assert found is not None
    assert [int(part) for part in found.groups()[:3]] == [years, months, days]
    hours, minutes, seconds = (Decimal(part) for part in found.groups()[3:])
    assert (hours * 60 + minutes) * 60 + seconds == Decimal(clock) / 1_000_000


@given(st.dictionaries(TEXT, st.none() | TEXT, max_size=5))
def test_an_hstore_is_a_map_or_a_json_object(pairs: dict[str, str | None]) -> None:
    text = ", ".join(f"{quoted(key)}=>{'NULL' if value is None else quoted(value)}" for key, value in pairs.items())
    assert decoded(PgType("hstore"), text, Options(hstores="map")) == pairs
    assert json.loads(decoded(PgType("hstore"), text)) == pairs


@given(st.text("01", max_size=80))
def test_bits_are_bytes_with_the_last_bit_first(bits: str) -> None:
    found = decoded(PgType("varbit"), bits)
    assert int.from_bytes(found, "little") == int(bits or "0", 2)
    assert not found.endswith(b"\0")


@given(st.binary(max_size=50))
def test_bytes_come_in_the_wanted_form(data: bytes) -> None:
    text = "\\x" + data.hex()
    assert decoded(PgType("bytea"), text) == data
    assert bytes.fromhex(decoded(PgType("bytea"), text, Options(binaries="hex"))) == data


@given(FLOATS, FLOATS)
def test_a_point_has_its_coordinates_twice(x: float, y: float) -> None:
    found = decoded(PgType("point"), f"({x!r},{y!r})")
    assert (found["x"], found["y"]) == (x, y)
    assert struct.unpack("<BIdd", found["wkb"]) == (1, 1, x, y)


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_a_vector_has_its_numbers(numbers: list[float]) -> None:
    assert decoded(PgType("vector"), f"[{','.join(map(repr, numbers))}]") == numbers
    indexed = ",".join(f"{place}:{number!r}" for place, number in enumerate(numbers, 1))
    found = decoded(PgType("sparsevec"), f"{{{indexed}}}/{len(numbers)}")
    assert found["dimensions"] == len(numbers)
    assert [(entry["key"], entry["value"]) for entry in found["vector"]] == list(enumerate(numbers, 1))


nested = st.recursive(st.none() | TEXT, lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=12).filter(
    lambda item: isinstance(item, list)
)


def _array_text(item: Any) -> str:
    if isinstance(item, list):
        return "{" + ",".join(map(_array_text, item)) + "}"
    return "NULL" if item is None else quoted(item)


def _flat(item: Any) -> list[str | None]:
    return [leaf for one in item for leaf in _flat(one)] if isinstance(item, list) else [item]


@given(nested)
def test_the_elements_of_any_array_come_row_by_row(item: list[Any]) -> None:
    kind = PgType("_text", element=PgType("text"))
    assert decoded(kind, _array_text(item)) == _flat(item)
    assert decoded(kind, "[3:4]=" + _array_text(item)) == _flat(item)


@given(st.binary(max_size=20))
def test_a_damaged_array_is_an_error_or_a_list(data: bytes) -> None:
    try:
        assert isinstance(elements(b"{" + data + b"}"), list)
    except ValueError:
        pass


@pytest.mark.parametrize("kind", ["numeric", "interval", "date", "timestamp", "timetz", "money", "hstore", "vector"])
@given(data=st.binary(max_size=20))
@example(data=b"0001-01-01 00:00:00Z")
def test_damaged_text_is_a_value_error(kind: str, data: bytes) -> None:
    encode = column_type(PgType(kind), Options()).encode
    assert encode is not None
    try:
        assert isinstance(encode(data), bytes)
    except (ValueError, OverflowError):
        pass


def test_a_float_is_kept_to_the_bit() -> None:
    assert math.isnan(decoded(PgType("float8"), "NaN"))
    assert decoded(PgType("float8"), "-0") == 0
    assert math.copysign(1, decoded(PgType("float8"), "-0")) == -1


def test_a_numeric_of_more_digits_than_python_reads_at_once_keeps_them_all() -> None:
    digits = "9" * 5000 + "." + "1" * 600
    found = decoded(PgType("numeric"), f"-{digits}")
    assert int.from_bytes(found["value"], "big", signed=True) == -(10**5000 - 1) * 10**600 - (10**600 - 1) // 9
    assert found["scale"] == 600
