from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Unreadable
from sync.schema.datum import read_long, zigzag
from sync.transform.piece import reader, splitter, text, writer
from sync.transform.schema import Schema, collapsed, expanded

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Row",
    "namespace": "tinh",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "ten", "type": ["null", "string"]},
        {"name": "anh", "type": ["bytes", "null"]},
        {"name": "he_so", "type": "double"},
        {"name": "diem", "type": ["null", "float"]},
        {"name": "dang", "type": "boolean"},
        {"name": "loai", "type": {"type": "enum", "name": "Loai", "symbols": ["a", "b"]}},
        {"name": "ma", "type": {"type": "fixed", "name": "Ma", "size": 3}},
        {"name": "the", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "khoa", "type": {"type": "map", "values": {"type": "array", "items": "int"}}},
        {
            "name": "trong",
            "type": ["null", {"type": "record", "name": "Trong", "fields": [{"name": "n", "type": "int"}]}],
        },
        {"name": "ngoai", "type": ["null", "Trong", "string"]},
        {"name": "loai_2", "type": "Loai"},
    ],
}
LONGS = st.integers(-(2**63), 2**63 - 1)
INTS = st.integers(-(2**31), 2**31 - 1)
INNER = st.fixed_dictionaries({"n": INTS})
ROWS = st.fixed_dictionaries(
    {
        "id": LONGS,
        "ten": st.none() | st.text(),
        "anh": st.none() | st.binary(max_size=300),
        "he_so": st.floats(allow_nan=False),
        "diem": st.none() | st.floats(width=32, allow_nan=False),
        "dang": st.booleans(),
        "loai": st.sampled_from("ab"),
        "ma": st.binary(min_size=3, max_size=3),
        "the": st.lists(st.none() | st.text(max_size=5), max_size=4),
        "khoa": st.dictionaries(st.text(max_size=3), st.lists(INTS, max_size=3), max_size=3),
        "trong": st.none() | INNER,
        "ngoai": st.none() | INNER | st.text(max_size=80),
        "loai_2": st.sampled_from("ab"),
    }
)


def datum(row: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), row)
    return out.getvalue()


@given(ROWS)
def test_a_datum_is_cut_where_its_fields_end_and_each_reads_and_writes_as_it_was(row: dict[str, Any]) -> None:
    schema = Schema.read(SCHEMA)

    pieces = splitter(schema)(datum(row))

    assert b"".join(pieces) == datum(row)
    for field, piece in zip(schema.fields, pieces, strict=True):
        assert reader(field["type"])(piece) == row[field["name"]] if field["name"] != "ngoai" else True
        if field["name"] != "ngoai":
            assert writer(field["type"])(row[field["name"]]) == piece


@given(ROWS, st.integers(1, 20))
def test_a_datum_that_is_cut_off_or_followed_by_something_is_unreadable(row: dict[str, Any], count: int) -> None:
    split = splitter(Schema.read(SCHEMA))
    whole = datum(row)

    for damaged in (whole[:-count], whole + b"\x00" * count):
        with pytest.raises(Unreadable):
            split(damaged)


@given(LONGS)
def test_a_long_is_read_back(number: int) -> None:
    data = zigzag(number)

    assert read_long(data + b"\xff") == (number, len(data))


def test_a_text_has_its_length_in_bytes() -> None:
    assert text("ô") == b"\x04\xc3\xb4"


def test_an_expanded_schema_collapses_to_one_that_means_the_same() -> None:
    whole = expanded(SCHEMA)

    assert whole["fields"][-1]["type"]["symbols"] == ["a", "b"]
    again = collapsed(whole)
    assert again["fields"][-1]["type"] == "tinh.Loai"
    assert fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(again), "CRC-64-AVRO") == (
        fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(SCHEMA), "CRC-64-AVRO")
    )


def test_a_record_within_itself_is_unreadable_and_does_not_hang() -> None:
    schema = Schema.read({"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]})

    with pytest.raises(Unreadable):
        splitter(schema)
