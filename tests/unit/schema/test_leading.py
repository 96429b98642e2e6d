"""The first fields of records, written one by one, are the bytes that fastavro writes."""

from typing import Any

import polars as pl
import pytest

from sync.schema import avro
from sync.schema.leading import leading

PREFIX = b"\0\0\0\0\x07"


@pytest.mark.parametrize(
    ("kind", "dtype", "values"),
    [
        ("string", pl.String, ["a", "b", "ạ" * 200]),
        ("string", pl.String, ["the same", "the same", "the same"]),
        ("string", pl.String, ["the same at both ends", "", "the same at both ends"]),
        (["null", "string"], pl.String, [None, None, None]),
        (["null", "string"], pl.String, [None, "x", None]),
        (["null", "string"], pl.String, ["x", None, "x"]),
        ("int", pl.Int32, [-(2**31), 0, 2**31 - 1]),
        ("long", pl.Int64, [-(2**63), 64, 2**63 - 1]),
        (["null", "long"], pl.Int64, [7, 7, 7]),
        ("boolean", pl.Boolean, [True, False, True]),
        ("float", pl.Float32, [0.0, -0.0, 1.5]),
        ("double", pl.Float64, [0.0, -0.0, 0.0]),
        ("bytes", pl.Binary, [b"", b"\xff", b"\0" * 300]),
    ],
)
def test_a_field_between_two_constant_ones(kind: Any, dtype: Any, values: list[Any]) -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "first", "type": "string"},
            {"name": "value", "type": kind},
            {"name": "last", "type": ["null", "int"]},
        ],
    }
    columns = [pl.Series(["source"] * 3), pl.Series(values, dtype=dtype), pl.Series([None] * 3, dtype=pl.Int32)]

    written = leading(columns, [False, isinstance(kind, list), True], PREFIX)

    assert written == [
        PREFIX + avro.encode_one(schema, {"first": "source", "value": value, "last": None}) for value in values
    ]


def test_records_that_are_all_the_same() -> None:
    assert leading([pl.Series(["x", "x"])], [False], b"") == [b"\x02x", b"\x02x"]
