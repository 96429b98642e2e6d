"""Single Avro records and Confluent's wire format; batches are in ``sync.schema.columns``.

Called wherever one record is read or written: keys, ledger entries, tails, tests. The wire format is a zero byte, the
schema id as 4 bytes big endian, and the datum.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException

from sync.errors import Incompatible, Unreadable

_HEADER = struct.Struct(">bI")


def header(schema_id: int) -> bytes:
    """Return the 5 bytes in front of a datum."""
    return _HEADER.pack(0, schema_id)


def wire(schema_id: int, datum: bytes) -> bytes:
    """Return ``datum`` in the wire format."""
    return _HEADER.pack(0, schema_id) + datum


def split(value: bytes | None) -> tuple[int, memoryview]:
    """Return ``(schema id, datum)`` of a key or value. Raises Unreadable where it isn't in the wire format."""
    if value is None or len(value) < _HEADER.size or value[0] != 0:
        raise Unreadable(
            "The bytes aren't Avro in Confluent's wire format (a zero byte, 4 bytes of schema id, the datum).",
            hint="let the producer write with an Avro serializer and the schema registry",
        )
    return int(_HEADER.unpack_from(value)[1]), memoryview(value)[_HEADER.size :]


def canonical(schema: Any) -> str:
    """Return the schema as JSON without blanks, keys sorted: equal for schemas that are equal as JSON values."""
    return json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def encode_one(schema: Any, record: Mapping[str, Any]) -> bytes:
    """Return the datum of ``record``. Raises Incompatible where the record doesn't fit; it names no value."""
    out = io.BytesIO()
    try:
        fastavro.schemaless_writer(out, _parsed(canonical(schema)), record, strict_allow_default=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, struct.error) as error:
        # The driver's message may quote the value, so it isn't passed on (invariant 7).
        raise Incompatible(
            f"A record doesn't fit the Avro schema {name(schema)} ({type(error).__name__}).",
            hint="compare the record's fields with the schema's",
        ) from None
    return out.getvalue()


def decode_one(writer: Any, data: bytes | memoryview, reader: Any = None) -> dict[str, Any]:
    """Return the record in ``data``, resolved to ``reader``'s schema if given.

    Raises Unreadable where the bytes aren't exactly one datum of ``writer``, a record's schema; it names no value.
    """
    record = decode_value(writer, data, reader)
    if not isinstance(record, dict):
        raise Unreadable(f"The schema {name(writer)} isn't a record's.")
    return record


def decode_value(writer: Any, data: bytes | memoryview, reader: Any = None) -> Any:
    """As ``decode_one``, of any type: keys may be single values."""
    source = io.BytesIO(data)
    try:
        record = fastavro.schemaless_reader(
            source, _parsed(canonical(writer)), None if reader is None else _parsed(canonical(reader))
        )
    except Exception as error:  # noqa: BLE001 - whatever garbage makes the decoder stumble over
        raise Unreadable(f"The bytes aren't a record of {name(writer)} ({type(error).__name__}).") from None
    if source.tell() != len(data):
        raise Unreadable(f"The bytes aren't a record of {name(writer)}: some are left over.")
    return record


@lru_cache(maxsize=1024)
def _parsed(schema: str) -> Any:
    try:
        return fastavro.parse_schema(json.loads(schema))
    except (SchemaParseException, ValueError, KeyError) as error:
        raise Incompatible(f"An Avro schema isn't valid: {error}", hint="correct the schema") from error


def name(schema: Any) -> str:
    """Return the full name of a named schema, otherwise its type."""
    if isinstance(schema, list):
        return "union"
    if not isinstance(schema, Mapping):
        return str(schema)
    if "name" not in schema:
        return str(schema.get("type"))
    namespace = schema.get("namespace")
    return f"{namespace}.{schema['name']}" if namespace and "." not in schema["name"] else str(schema["name"])


def nullable(field_type: Any) -> bool:
    """Tell whether a field's type is a union with null."""
    return isinstance(field_type, list) and "null" in field_type


def branch(field_type: Any) -> Any:
    """Return the type beside null of a union of two, otherwise the type itself."""
    if isinstance(field_type, list):
        others = [branch for branch in field_type if branch != "null"]
        if len(others) == 1:
            return others[0]
    return field_type
