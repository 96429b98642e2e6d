"""point, hstore and pgvector's types: values with parts.

Called by ``column``. Debezium 3.4's documentation, "PostGIS types" (``Point``), ``hstore.handling.mode`` and "pgvector
types"; Avro forms are those of Confluent's converter (a map whose keys are not strings is an array of entries).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from sync.schema import datum
from sync.source.postgresql.kind import ColumnType, Options, named, plain, record, textual

_WKB_POINT = b"\x01\x01\x00\x00\x00"
_SHORT = {"type": "int", "connect.type": "int16"}
_MAX_SHORT = 2**15 - 1

_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:"((?:[^"\\]|\\.)*)"|NULL)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def point_type() -> ColumnType:
    """Return how a point is written: x, y and its well-known binary."""
    fields: list[dict[str, Any]] = [
        {"name": "x", "type": "double"},
        {"name": "y", "type": "double"},
        {"name": "wkb", "type": ["null", "bytes"], "default": None},
        {"name": "srid", "type": ["null", "int"], "default": None},
    ]
    schema = record("io.debezium.data.geometry.Point", fields, doc="Geometry (POINT)")
    return plain(schema, _point, _point(b"(0,0)"))


def _point(value: bytes) -> bytes:
    x, y = value.strip(b"()").split(b",")
    pair = struct.pack("<dd", float(x), float(y))
    return pair + datum.SOME + datum.text(_WKB_POINT + pair) + datum.NULL


def hstore_type(options: Options) -> ColumnType:
    """Return how an hstore is written: a JSON object's text, or a map."""
    placeholder = options.placeholder.decode()
    unavailable = {placeholder: placeholder}
    if options.hstores == "map":
        schema = {"type": "map", "values": ["null", "string"]}
        return ColumnType(schema, lambda value: _map(_pairs(value)), b"\x00", _map(unavailable))
    name = "io.debezium.data.Json"
    json_type = textual(options, name, lambda value: datum.text(_object(_pairs(value))), b"{}")
    return ColumnType(json_type.schema, json_type.encode, json_type.filler, datum.text(_object(unavailable)))


def _pairs(value: bytes) -> dict[str, str | None]:
    text = value.decode()
    found: dict[str, str | None] = {}
    place = 0
    while place < len(text):
        match = _PAIR.match(text, place)
        if match is None:
            raise ValueError("not an hstore")
        key, item = match.groups()
        found[_ESCAPED.sub(r"\1", key)] = None if item is None else _ESCAPED.sub(r"\1", item)
        place = match.end() + len(", ")
    return found


def _object(pairs: Mapping[str, str | None]) -> bytes:
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":")).encode()


def _map(pairs: Mapping[str, str | None]) -> bytes:
    def item(text: str | None) -> bytes:
        return datum.NULL if text is None else datum.SOME + datum.text(text.encode())

    return datum.block([datum.text(key.encode()) + item(value) for key, value in pairs.items()])


def vector_type(name: str) -> ColumnType:
    """Return how pgvector's ``vector``, ``halfvec`` or ``sparsevec`` is written."""
    if name == "sparsevec":
        return _sparse()
    short, base, write = ("FloatVector", "float", datum.single) if name == "halfvec" else (
        "DoubleVector", "double", datum.double)  # fmt: skip
    return plain(named("array", f"io.debezium.data.{short}", items=base), lambda value: _vector(value, write))


def _vector(value: bytes, write: Callable[[float], bytes]) -> bytes:
    return datum.block([write(float(item)) for item in value.strip(b"[]").split(b",")])


def _sparse() -> ColumnType:
    entry = {
        "type": "record",
        "name": "MapEntry",
        "namespace": "io.confluent.connect.avro",
        "fields": [{"name": "key", "type": _SHORT}, {"name": "value", "type": "double"}],
    }
    fields = [{"name": "dimensions", "type": _SHORT}, {"name": "vector", "type": {"type": "array", "items": entry}}]
    return plain(
        record("io.debezium.data.SparseDoubleVector", fields, doc="Sparse double vector"), _sparse_vector, b"\x00\x00"
    )


def _sparse_vector(value: bytes) -> bytes:
    listed, _, size = value.partition(b"/")
    pairs = [item.split(b":") for item in listed.strip(b"{}").split(b",") if item]
    entries = [datum.zigzag(int(index)) + datum.double(float(number)) for index, number in pairs]
    if int(size) > _MAX_SHORT:
        raise ValueError("a sparse vector with more dimensions than 16 bits count")
    return datum.zigzag(int(size)) + datum.block(entries)
