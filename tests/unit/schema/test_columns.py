"""Columns against fastavro, the oracle, for random schemas and values, and against garbage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.errors import Incompatible, Unreadable
from sync.schema import avro
from sync.schema.columns import Columns

Field = tuple[Any, st.SearchStrategy[Any]]

LONGS = st.integers(-(2**63), 2**63 - 1)
INTS = st.integers(-(2**31), 2**31 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["", "Nguyễn Thị Ánh", "\0", "\U0001f1fb"]
)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999))
MILLIS = TIMES.map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))


def logical(base: str, name: str) -> dict[str, Any]:
    return {"type": base, "logicalType": name}


@st.composite
def decimals(draw: st.DrawFn) -> Field:
    precision = draw(st.integers(1, 38))
    scale = draw(st.integers(0, precision))
    limit = 10**precision - 1
    values = st.integers(-limit, limit).map(lambda number: Decimal(f"{number}E-{scale}"))
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}, values


@st.composite
def enums(draw: st.DrawFn) -> Field:
    symbols = draw(st.lists(st.from_regex(r"[A-Z][a-z0-9_]{0,5}", fullmatch=True), min_size=1, max_size=5, unique=True))
    return {"type": "enum", "name": "E", "symbols": symbols}, st.sampled_from(symbols)


FLAT: st.SearchStrategy[Field] = st.one_of(
    st.sampled_from(
        [
            ("string", TEXTS),
            ("int", INTS),
            ("long", LONGS),
            ("boolean", st.booleans()),
            ("float", st.floats(width=32, allow_nan=False)),
            ("double", st.floats(allow_nan=False)),
            ("bytes", st.binary(max_size=30)),
            (logical("int", "date"), st.dates()),
            (logical("long", "timestamp-micros"), TIMES.map(lambda at: at.replace(tzinfo=UTC))),
            (logical("long", "timestamp-millis"), MILLIS.map(lambda at: at.replace(tzinfo=UTC))),
            (logical("long", "local-timestamp-micros"), TIMES),
            (logical("long", "time-micros"), st.times()),
            ({"type": "int", "connect.name": "io.debezium.time.Date", "connect.version": 1}, INTS),
            ({"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}, LONGS),
            ({"type": "string", "connect.name": "io.debezium.data.Json"}, TEXTS),
        ]
    ),
    decimals(),
    enums(),
)


def nullable(field: Field) -> Field:
    kind, values = field
    return ["null", kind], st.none() | values


@st.composite
def nested(draw: st.DrawFn, inner: st.SearchStrategy[Field]) -> Field:
    kind, values = draw(inner)
    shape = draw(st.sampled_from(["record", "array", "null last", "only branch"]))
    if shape == "array":
        return {"type": "array", "items": kind}, st.lists(values, max_size=3)
    if shape == "null last" and not isinstance(kind, list):
        return [kind, "null"], values | st.none()
    if shape == "only branch" and not isinstance(kind, list):
        return [kind], values
    other, others = draw(inner)
    fields = [{"name": "first", "type": kind}, {"name": "second", "type": other}]
    return (
        {"type": "record", "name": "Inner", "fields": fields},
        st.fixed_dictionaries({"first": values, "second": others}),
    )


def without_union_in_union(field: Field) -> Field:
    return field if isinstance(field[0], list) else nullable(field)


ANY = st.recursive(
    FLAT | FLAT.map(nullable), lambda inner: nested(inner) | nested(inner).map(without_union_in_union), max_leaves=5
)


def named_apart(kind: Any, numbers: Iterator[int]) -> Any:
    """The type with a name of its own for each named type in it."""
    if isinstance(kind, list):
        return [named_apart(branch, numbers) for branch in kind]
    if not isinstance(kind, dict):
        return kind
    changed = {key: named_apart(value, numbers) if key in ("type", "items") else value for key, value in kind.items()}
    if "name" in kind and kind["type"] in ("record", "enum"):
        changed["name"] = f"{kind['name']}{next(numbers)}"
    if "fields" in kind:
        changed["fields"] = [{**field, "type": named_apart(field["type"], numbers)} for field in kind["fields"]]
    return changed


@st.composite
def batches(draw: st.DrawFn, kinds: st.SearchStrategy[Field]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    fields = draw(st.lists(kinds, min_size=1, max_size=6))
    numbers = count()
    schema = {
        "type": "record",
        "name": "R",
        "namespace": "vn.dongbo",
        "fields": [{"name": f"f{index}", "type": named_apart(kind, numbers)} for index, (kind, _) in enumerate(fields)],
    }
    record = st.fixed_dictionaries({f"f{index}": values for index, (_, values) in enumerate(fields)})
    return schema, draw(st.lists(record, max_size=8))


@settings(max_examples=300, deadline=None)
@given(batches(ANY))
def test_decoding_gives_what_fastavro_gives(batch: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    schema, records = batch
    datums = [avro.encode_one(schema, record) for record in records]
    columns = Columns(schema)

    frame = columns.decode(datums)

    assert frame.schema == columns.dtypes
    assert frame.to_dicts() == [avro.decode_one(schema, datum) for datum in datums] == records


@settings(max_examples=200, deadline=None)
@given(batches(ANY), st.lists(st.binary(max_size=40), max_size=3), st.data())
def test_fields_that_nobody_looks_at_are_passed_over_and_the_others_read_as_ever(
    batch: tuple[dict[str, Any], list[dict[str, Any]]], garbage: list[bytes], data: st.DataObject
) -> None:
    schema, records = batch
    datums = [avro.encode_one(schema, record) for record in records]
    only = data.draw(st.sets(st.sampled_from([field["name"] for field in schema["fields"]]), min_size=1))
    columns = Columns(schema, only=only)

    frame = columns.decode(datums)
    good, _, bad = columns.decode_each([*garbage, *datums])

    assert frame.schema == columns.dtypes
    assert frame.equals(Columns(schema).decode(datums).select(name for name in columns.dtypes))
    assert sorted(good + [index for index, _ in bad]) == list(range(len(garbage) + len(datums)))
    assert set(range(len(garbage), len(garbage) + len(datums))) <= set(good)


@settings(max_examples=500, deadline=None)
@given(batches(FLAT | FLAT.map(nullable)), st.integers(0, 6))
def test_flat_frames_are_encoded_to_the_bytes_that_fastavro_writes(
    batch: tuple[dict[str, Any], list[dict[str, Any]]], head: int
) -> None:
    schema, records = batch
    columns = Columns(schema)
    # However many of the fields are written one by one, and however few by Polars.
    columns._writing = replace(columns._writing, head=min(head, len(schema["fields"])))
    frame = pl.DataFrame(records, schema=columns.dtypes, orient="row")

    written = columns.encode(frame)

    assert [avro.decode_one(schema, datum) for datum in written] == records
    # Of -128, -32768 and the like fastavro writes a byte more than the shortest form has.
    expected = [avro.encode_one(schema, record) for record in records]
    assert all(ours == other or len(ours) < len(other) for ours, other in zip(written, expected, strict=True))


@pytest.mark.parametrize(
    ("value", "datum"), [("-1.28", b"\x02\x80"), ("1.28", b"\x04\x00\x80"), ("-1.29", b"\x04\xff\x7f")]
)
def test_a_decimal_is_written_in_its_shortest_form_as_java_does(value: str, datum: bytes) -> None:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    columns = Columns({"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]})

    assert columns.encode(pl.DataFrame({"f": [Decimal(value)]}, schema=columns.dtypes)) == [datum]


@settings(max_examples=100, deadline=None)
@given(batches(ANY))
def test_whatever_was_decoded_is_encoded_to_the_same_bytes(batch: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    schema, records = batch
    datums = [avro.encode_one(schema, record) for record in records]
    columns = Columns(schema)

    assert columns.encode(columns.decode(datums), prefix=b"\0\0\0\0\7") == [b"\0\0\0\0\7" + datum for datum in datums]


@settings(max_examples=150, deadline=None)
@given(batches(FLAT | FLAT.map(nullable)), st.data())
def test_garbage_among_records_is_told_apart_and_harms_no_neighbour(
    batch: tuple[dict[str, Any], list[dict[str, Any]]], data: st.DataObject
) -> None:
    schema, records = batch
    datums = [avro.encode_one(schema, record) for record in records]
    mixed: list[tuple[bytes, dict[str, Any] | None]] = list(zip(datums, records, strict=True))
    for _ in range(data.draw(st.integers(1, 3))):
        # One byte too many is never a record, nor are no bytes; other garbage may be one by chance.
        garbage = data.draw(st.sampled_from(datums)) + b"\xff" if datums else b""
        mixed.insert(data.draw(st.integers(0, len(mixed))), (garbage, None))

    good, frame, bad = Columns(schema).decode_each([datum for datum, _ in mixed])

    assert frame.to_dicts() == records
    assert [mixed[index][1] for index in good] == records
    assert [index for index, _ in bad] == [index for index, (_, record) in enumerate(mixed) if record is None]


@settings(max_examples=150, deadline=None)
@given(batches(FLAT | FLAT.map(nullable)), st.lists(st.binary(max_size=40), max_size=4))
def test_no_bytes_at_all_make_decoding_fail_in_an_unforeseen_way(
    batch: tuple[dict[str, Any], list[dict[str, Any]]], garbage: list[bytes]
) -> None:
    schema, records = batch
    datums = [avro.encode_one(schema, record) for record in records]

    good, frame, bad = Columns(schema).decode_each([*garbage, *datums])

    assert sorted(good + [index for index, _ in bad]) == list(range(len(garbage) + len(datums)))
    assert frame.height == len(good)
    assert set(range(len(garbage), len(garbage) + len(datums))) <= set(good)
    assert frame.tail(len(records)).to_dicts() == records


def record(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}


def test_an_empty_batch_has_the_schema_s_columns() -> None:
    columns = Columns(record(("id", "string"), ("on", ["null", logical("int", "date")])))

    assert columns.decode([]).schema == pl.Schema({"id": pl.String, "on": pl.Date})
    assert columns.encode(columns.decode([])) == []


def test_memoryviews_of_messages_are_decoded() -> None:
    schema = record(("id", "string"))
    value = avro.wire(7, avro.encode_one(schema, {"id": "x"}))

    assert Columns(schema).decode([avro.split(value)[1]] * 3).to_dicts() == [{"id": "x"}] * 3


def test_a_named_type_used_twice_is_read_by_name_and_by_namespace() -> None:
    inner = {"type": "record", "name": "Value", "fields": [{"name": "n", "type": ["null", "int"]}]}
    schema = {
        "type": "record",
        "name": "a.b.Envelope",
        "fields": [
            {"name": "before", "type": ["null", inner]},
            {"name": "after", "type": ["null", "Value"]},
            {"name": "again", "type": "a.b.Value"},
        ],
    }
    one = {"before": None, "after": {"n": 5}, "again": {"n": None}}

    frame = Columns(schema).decode([avro.encode_one(schema, one)])

    assert frame.to_dicts() == [one]


def test_a_map_becomes_a_list_of_entries_and_back() -> None:
    schema = record(("tags", {"type": "map", "values": ["null", "int"]}))
    datum = avro.encode_one(schema, {"tags": {"a": 1, "b": None}})
    columns = Columns(schema)

    frame = columns.decode([datum])

    assert frame.to_dicts() == [{"tags": [{"key": "a", "value": 1}, {"key": "b", "value": None}]}]
    assert columns.encode(frame) == [datum]


@pytest.mark.parametrize(
    "kind",
    [
        ["null", "int", "string"],
        "null",
        {"type": "record", "name": "R2", "fields": [{"name": "next", "type": ["null", "R2"]}]},
        "Missing",
    ],
)
def test_a_type_without_a_column_is_refused(kind: Any) -> None:
    with pytest.raises(Unreadable):
        Columns(record(("f", kind)))


def test_a_field_that_must_not_be_null_is_named_when_it_is() -> None:
    columns = Columns(record(("id", "string"), ("name", ["null", "string"])))

    with pytest.raises(Incompatible, match="Field id of R must not be null, and is in 1 rows"):
        columns.encode(pl.DataFrame({"id": ["a", None], "name": [None, None]}))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(Incompatible, match="no column name"):
        Columns(record(("id", "string"), ("name", ["null", "string"]))).encode(pl.DataFrame({"id": ["a"]}))


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("int", pl.Series([2**31])),
        ("string", pl.Series([1])),
        ("long", pl.Series(["1"])),
        (logical("int", "date"), pl.Series([datetime(2020, 1, 1)])),
        (logical("long", "local-timestamp-micros"), pl.Series([datetime(2020, 1, 1, tzinfo=UTC)])),
        ({"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1}, pl.Series([Decimal("100.0")])),
        ({"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1}, pl.Series([Decimal("1.25")])),
        ({"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1}, pl.Series([1.5])),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, pl.Series(["secret"])),
    ],
)
def test_a_column_that_does_not_fit_is_named_without_its_value(kind: Any, column: pl.Series) -> None:
    with pytest.raises(Incompatible, match="Field f of R") as caught:
        Columns(record(("f", kind))).encode(pl.DataFrame({"f": column}))

    assert "secret" not in str(caught.value)
    assert "100.0" not in str(caught.value)
    assert str(2**31) not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "column", "wanted"),
    [
        ("long", pl.Series([1], dtype=pl.Int32), 1),
        ("string", pl.Series(["a"], dtype=pl.Categorical), "a"),
        ("string", pl.Series(["a"], dtype=pl.Enum(["a"])), "a"),
        ("double", pl.Series([1], dtype=pl.Int32), 1.0),
        (["null", "string"], pl.Series([None]), None),
        (["null", {"type": "bytes", "logicalType": "decimal", "precision": 3}], pl.Series([None]), None),
        (
            ["null", {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}],
            pl.Series([3]),
            Decimal("3.00"),
        ),
        (logical("long", "timestamp-micros"), pl.Series([datetime(2020, 1, 1)]), datetime(2020, 1, 1, tzinfo=UTC)),
        (
            logical("long", "timestamp-millis"),
            pl.Series([datetime(2020, 1, 1)]).cast(pl.Datetime("ns", "Asia/Ho_Chi_Minh")),
            None,
        ),
    ],
)
def test_columns_that_cast_without_loss_are_accepted(kind: Any, column: pl.Series, wanted: Any) -> None:
    schema = record(("f", kind))

    written = avro.decode_one(schema, Columns(schema).encode(pl.DataFrame({"f": column}))[0])

    assert written["f"] == (
        column.dt.convert_time_zone("UTC")[0] if wanted is None and column[0] is not None else wanted
    )


def test_the_extremes_of_time_survive_both_ways() -> None:
    schema = record(("d", logical("int", "date")), ("t", logical("int", "time-millis")))
    one = {"d": date.min, "t": time(23, 59, 59, 999_000)}
    two = {"d": date.max, "t": time(0)}
    datums = [avro.encode_one(schema, record) for record in (one, two)]
    columns = Columns(schema)

    assert columns.decode(datums).to_dicts() == [one, two]
    assert columns.encode(columns.decode(datums)) == datums


def test_a_decimal_wider_than_any_column_stays_bytes() -> None:
    schema = record(("f", {"type": "bytes", "logicalType": "decimal", "precision": 50, "scale": 0}))
    columns = Columns(schema)
    datum = avro.encode_one(schema, {"f": Decimal(10**49)})

    frame = columns.decode([datum])

    assert frame.schema["f"] == pl.Binary
    assert int.from_bytes(frame["f"][0], "big", signed=True) == 10**49
    assert columns.encode(frame) == [datum]


def test_chunked_and_wider_frames_are_encoded_in_the_schema_s_order() -> None:
    schema = record(("a", "string"), ("b", ["null", "long"]))
    parts = [pl.DataFrame({"x": [0], "b": [index], "a": [str(index)]}) for index in range(3)]

    written = Columns(schema).encode(pl.concat(parts, rechunk=False))

    assert written == [avro.encode_one(schema, {"a": str(index), "b": index}) for index in range(3)]


def test_one_object_serves_several_threads() -> None:
    schema = record(("a", "string"), ("b", ["null", logical("long", "timestamp-micros")]))
    columns = Columns(schema)
    start = datetime(2025, 7, 1, tzinfo=UTC)
    datums = [avro.encode_one(schema, {"a": str(n), "b": start + timedelta(seconds=n)}) for n in range(500)]
    results: list[bool] = []

    def work() -> None:
        results.extend(columns.encode(columns.decode(datums)) == datums for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [True] * 80
