"""Cells against fastavro, the oracle: fields found, chosen and copied as bytes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.errors import Unreadable
from sync.schema import avro, loops
from sync.schema.cells import Layout

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    ("string", TEXTS),
    ("bytes", st.binary(max_size=150)),
    ("int", st.integers(-(2**31), 2**31 - 1)),
    ("long", st.integers(-(2**63), 2**63 - 1)),
    ("boolean", st.booleans()),
    ({"type": "int", "logicalType": "date"}, st.dates(date(1600, 1, 1))),
    (
        {"type": "long", "logicalType": "timestamp-micros"},
        st.integers(-(10**15), 10**15).map(lambda n: EPOCH + timedelta(microseconds=n)),
    ),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        st.integers(-(10**9) + 1, 10**9 - 1).map(lambda n: Decimal(n) / 100),
    ),
]


def schema(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}


@st.composite
def records(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A schema of plain fields, some nullable, and records of it."""
    chosen = draw(st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), min_size=1, max_size=8))
    fields = [(f"f{n}", ["null", kind] if nullable else kind) for n, ((kind, _), nullable) in enumerate(chosen)]
    values = {
        f"f{number}": st.none() | value if nullable else value for number, ((_, value), nullable) in enumerate(chosen)
    }
    return schema(fields), draw(st.lists(st.fixed_dictionaries(values), max_size=6))


def layout(written: dict[str, Any]) -> Layout:
    found = Layout.of(written)
    assert found is not None
    return found


@settings(max_examples=150, deadline=None)
@given(records(), st.data())
def test_chosen_fields_are_those_of_a_record_written_with_the_chosen_values(
    given_: tuple[dict[str, Any], list[dict[str, Any]]], data: st.DataObject
) -> None:
    written, rows = given_
    names = [field["name"] for field in written["fields"]]
    nullable = [isinstance(field["type"], list) for field in written["fields"]]
    cells = layout(written).scan([avro.encode_one(written, row) for row in rows]).cells(names)
    assert [[row[name] is not None for row in rows] for name in names] == cells.there.tolist()
    there = st.integers(0, len(rows) - 1) if rows else st.nothing()
    one = st.tuples(*((there | st.just(-1)) if null else there for null in nullable))
    chosen = data.draw(st.lists(one, max_size=5)) if rows or all(nullable) else []
    expected = [
        avro.encode_one(
            written, {name: None if n < 0 else rows[n][name] for name, n in zip(names, numbers, strict=True)}
        )
        for numbers in chosen
    ]
    rows = np.array(chosen, dtype=np.int64).reshape(-1, len(names))
    before = rows.copy()
    assert cells.gathered(rows) == expected
    assert np.array_equal(rows, before)


@settings(max_examples=80, deadline=None)
@given(records(), st.data())
def test_projected_records_are_those_of_the_smaller_schema(
    given_: tuple[dict[str, Any], list[dict[str, Any]]], data: st.DataObject
) -> None:
    written, rows = given_
    fields = [field for field in written["fields"] if data.draw(st.booleans())] or written["fields"][:1]
    smaller = {**written, "fields": fields}
    scan = layout(written).scan([b"head" + avro.encode_one(written, row) for row in rows], skip=4)
    expected = [avro.encode_one(smaller, {field["name"]: row[field["name"]] for field in fields}) for row in rows]
    assert scan.projected([field["name"] for field in fields], b"|") == b"".join(one + b"|" for one in expected)


def test_records_of_two_schemas_go_together_and_what_one_lacks_is_null() -> None:
    text = ["null", "string"]
    target = layout(schema([("id", "string"), ("name", text), ("phone", text)]))
    other = schema([("id", "string"), ("grade", ["null", "int"]), ("phone", text)])
    assert layout(other).gives(target)
    first = target.scan([b"\x02a\x02\x06Lan\x00"]).cells(target.names)
    second = layout(other).scan([avro.encode_one(other, {"id": "b", "grade": 4, "phone": "09"})]).cells(target.names)
    both = first.followed(second).rows([1, 0])
    assert both.there.tolist() == [[True, True], [False, True], [True, False]]
    assert both.gathered(np.array([[1, 1, 0], [0, 0, 0], [0, -1, -1]])) == [
        b"\x02a\x02\x06Lan\x02\x0409",
        b"\x02b\x00\x02\x0409",
        b"\x02b\x00\x00",
    ]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("string", "nullable in one only"),
        (["null", "bytes"], "another type"),
        (["null", {"type": "int", "logicalType": "date"}], "another meaning"),
    ],
)
def test_fields_of_another_type_are_not_copied(kind: Any, reason: str) -> None:
    target = layout(schema([("f", ["null", "string"])]))
    assert not layout(schema([("f", kind)])).gives(target), reason
    assert not layout(schema([("g", "string")])).gives(layout(schema([("f", "string")])))


@pytest.mark.parametrize(
    "kind", [["string", "null"], ["null", "int", "string"], {"type": "array", "items": "int"}, "double"]
)
def test_a_field_that_is_not_plain_has_no_layout(kind: Any) -> None:
    assert Layout.of(schema([("f", kind)])) is None


@pytest.mark.parametrize(
    "datum",
    [b"", b"\x02\x06Lan\x00", b"\x02\x08Lan", b"\x04\x06Lan", b"\x02" + b"\xff" * 12, b"\x02\xff\xff\xff\xff\x0fLan"],
)
def test_what_is_no_record_of_the_schema_is_unreadable(datum: bytes) -> None:
    written = schema([("f", ["null", "string"])])
    good = avro.encode_one(written, {"f": "Ánh"})
    with pytest.raises(Unreadable):
        layout(written).scan([good, datum, good])


@settings(max_examples=300, deadline=None)
@given(records(), st.data())
def test_what_is_taken_for_a_record_is_read_within_its_own_bytes(
    given_: tuple[dict[str, Any], list[dict[str, Any]]], data: st.DataObject
) -> None:
    written, rows = given_
    damaged = []
    for row in rows:
        datum = bytearray(avro.encode_one(written, row))
        for place in data.draw(st.lists(st.integers(0, max(0, len(datum) - 1)), max_size=3)):
            datum[place : place + 1] = data.draw(st.binary(max_size=2))
        damaged.append(bytes(datum))
    try:
        scan = layout(written).scan(damaged)
    except Unreadable:
        return
    ends = np.cumsum([len(datum) for datum in damaged], dtype=np.int64)
    assert scan.places[:, -1].tolist() == ends.tolist()
    assert (np.diff(scan.places, axis=1) > 0).all()
    assert scan.places[:, 0].tolist() == (ends - [len(datum) for datum in damaged]).tolist()


def test_no_batch_waits_for_a_loop_that_was_not_prepared() -> None:
    loops.prepare()
    known = [len(loop.signatures) for loop in (loops.find, loops.choose, loops.project)]  # type: ignore[attr-defined]
    written = schema([("id", "string"), ("name", ["null", "string"])])
    scan = layout(written).scan([b"\x02a\x00"])
    assert scan.projected(["id"], b"|") == b"\x02a|"
    cells = scan.cells(["id", "name"]).followed(scan.cells(["id", "name"])).rows([1])
    assert cells.gathered(np.array([[0, -1]])) == [b"\x02a\x00"]
    assert [len(loop.signatures) for loop in (loops.find, loops.choose, loops.project)] == known  # type: ignore[attr-defined]
