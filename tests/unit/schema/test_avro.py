"""Single records and the wire format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Incompatible, Unreadable
from sync.schema import avro

SCHEMA = {
    "type": "record",
    "name": "Person",
    "namespace": "vn",
    "fields": [{"name": "id", "type": "string"}, {"name": "age", "type": ["null", "int"], "default": None}],
}


@given(st.integers(0, 2**32 - 1), st.binary())
def test_the_wire_format_is_undone(schema_id: int, datum: bytes) -> None:
    found, rest = avro.split(avro.wire(schema_id, datum))

    assert (found, bytes(rest)) == (schema_id, datum)


@pytest.mark.parametrize("value", [None, b"", b"\0\0\0\0", b"\1\0\0\0\1x", b'{"a": 1}'])
def test_what_is_not_in_the_wire_format_is_unreadable(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        avro.split(value)


@given(st.fixed_dictionaries({"id": st.text(), "age": st.none() | st.integers(-(2**31), 2**31 - 1)}))
def test_a_record_is_read_as_it_was_written(record: dict[str, object]) -> None:
    assert avro.decode_one(SCHEMA, avro.encode_one(SCHEMA, record)) == record


@given(st.binary())
def test_garbage_is_unreadable_or_a_record_and_nothing_else(data: bytes) -> None:
    try:
        avro.decode_one(SCHEMA, data)
    except Unreadable:
        pass


def test_bytes_left_over_are_unreadable() -> None:
    with pytest.raises(Unreadable, match=r"vn\.Person: some are left over"):
        avro.decode_one(SCHEMA, avro.encode_one(SCHEMA, {"id": "x"}) + b"\0")


def test_a_record_that_does_not_fit_is_refused_without_its_values() -> None:
    for record in ({"id": 12345}, {}, {"id": "x", "age": "secret"}):
        with pytest.raises(Incompatible) as caught:
            avro.encode_one(SCHEMA, record)
        assert "secret" not in str(caught.value)
        assert "12345" not in str(caught.value)


def test_a_reader_s_schema_fills_in_defaults() -> None:
    newer = {**SCHEMA, "fields": [*SCHEMA["fields"], {"name": "on", "type": "boolean", "default": True}]}

    assert avro.decode_one(SCHEMA, avro.encode_one(SCHEMA, {"id": "x"}), newer) == {"id": "x", "age": None, "on": True}


def test_equal_schemas_have_one_canonical_form() -> None:
    assert avro.canonical(SCHEMA) == avro.canonical(dict(reversed(SCHEMA.items())))


def test_the_shape_of_a_type_is_told() -> None:
    assert avro.nullable(["null", "int"])
    assert not avro.nullable("int")
    assert avro.branch(["null", "int"]) == "int"
    assert avro.branch(["null", "int", "string"]) == ["null", "int", "string"]
    assert avro.name({"type": "record", "name": "a.B", "namespace": "c"}) == "a.B"


def test_a_single_value_is_read_by_its_own_function_only() -> None:
    assert avro.decode_value({"type": "string"}, b"\x04ab") == "ab"
    with pytest.raises(Unreadable, match="isn't a record's"):
        avro.decode_one({"type": "string"}, b"\x04ab")
    with pytest.raises(Unreadable, match="left over"):
        avro.decode_value({"type": "int"}, b"\x02\x02")
