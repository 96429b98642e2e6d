"""Records of both sides in one plain form: Connect's schema as the JSON converter writes it, and JSON values.

The peer writes JSON with schemas; we write Avro, whose ``connect.*`` properties tell the same schema. Bytes are Base64,
NaN and infinities are texts, a 32-bit float is one here too.
"""

from __future__ import annotations

import base64
import io
import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro

from sync.schema.avro import split

_TYPES = {"int": "int32", "long": "int64"}


@dataclass(frozen=True, slots=True)
class Side:
    """A key or a value: None for none. ``payload`` is JSON, ``schema`` as the JSON converter's."""

    schema: Any
    payload: Any


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic."""

    key: Side | None
    value: Side | None


def from_json(data: bytes | None) -> Side | None:
    """Take apart what the JSON converter wrote with ``schemas.enable=true``."""
    if data is None:
        return None
    whole = json.loads(data)
    if whole is None:
        return None
    if whole["payload"] is None:
        # Avro's converter has no bytes for a null, whatever its schema.
        return None
    return Side(whole["schema"], single(whole["schema"], whole["payload"]))


def single(schema: Mapping[str, Any], value: Any) -> Any:
    """Bring 32-bit floats to their value (JSON holds the shortest text of it), and JSON objects to theirs."""
    kind = schema["type"]
    if value is None:
        return None
    if kind == "float" and not isinstance(value, str):
        return struct.unpack("f", struct.pack("f", value))[0]
    if kind == "struct":
        return {field["field"]: single(field, value[field["field"]]) for field in schema["fields"]}
    if kind == "array":
        return [single(schema["items"], item) for item in value]
    if schema.get("name") == "io.debezium.data.Json" and value.startswith("{"):
        # The order of an hstore's keys is Java's.
        return json.loads(value)
    return value


def from_avro(data: bytes | None, schema_of: Callable[[int], Any]) -> Side | None:
    """Take apart Avro in Confluent's wire format; ``schema_of`` gives the schema by id."""
    if data is None:
        return None
    number, datum = split(data)
    schema = schema_of(number)
    source = io.BytesIO(datum)
    value = fastavro.schemaless_reader(source, fastavro.parse_schema(bare(schema)))
    assert source.tell() == len(datum)
    told = connect_schema(schema)
    return Side(told, single(told, plain(value)))


def bare(schema: Any) -> Any:
    """Without logical types: what is compared is what was written, not what it stands for."""
    if isinstance(schema, list):
        return [bare(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: [{**field, "type": bare(field["type"])} for field in value]
        if key == "fields"
        else bare(value)
        if key in ("type", "items", "values")
        else value
        for key, value in schema.items()
        if key != "logicalType"
    }


def plain(value: Any) -> Any:
    """Return a value that was read by a ``bare`` schema as JSON has it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        # A map whose keys are no strings: an array of entries in Avro, of pairs in JSON.
        return [[item["key"], item["value"]] if _is_entry(item) else plain(item) for item in value]
    return value


def _is_entry(item: Any) -> bool:
    return isinstance(item, dict) and item.keys() == {"key", "value"}


def connect_schema(schema: Any, named: dict[str, Any] | None = None) -> dict[str, Any]:
    """Connect's schema of an Avro schema, as the JSON converter tells it (Confluent's ``AvroData``, backwards)."""
    named = {} if named is None else named
    if isinstance(schema, list):
        other = next(branch for branch in schema if branch != "null")
        return {**connect_schema(other, named), "optional": True}
    if isinstance(schema, str):
        known = named.get(schema)
        return dict(known) if known else {"type": _TYPES.get(schema, schema), "optional": False}
    return _described(schema, named)


def _described(schema: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    kind = schema["type"]
    if isinstance(kind, (list, dict)):
        return connect_schema(kind, named)
    found: dict[str, Any] = {"type": schema.get("connect.type") or _TYPES.get(kind, kind), "optional": False}
    if kind == "record":
        found = {"type": "struct", "optional": False, "fields": [_field(one, named) for one in schema["fields"]]}
    elif kind == "array" and isinstance(schema["items"], dict) and schema["items"].get("name") == "MapEntry":
        key, value = (connect_schema(field["type"], named) for field in schema["items"]["fields"])
        found = {"type": "map", "optional": False, "keys": key, "values": value}
    elif kind == "array":
        found = {"type": "array", "optional": False, "items": connect_schema(schema["items"], named)}
    elif kind == "map":
        keys = {"type": "string", "optional": False}
        found = {"type": "map", "optional": False, "keys": keys, "values": connect_schema(schema["values"], named)}
    for name in ("name", "version", "parameters", "doc", "default"):
        if f"connect.{name}" in schema:
            found[name] = schema[f"connect.{name}"]
    if kind == "bytes" and "default" in found:
        # Avro has bytes in JSON as the characters of their numbers.
        found["default"] = base64.b64encode(found["default"].encode("latin-1")).decode()
    if kind == "record":
        full = f"{schema['namespace']}.{schema['name']}" if "namespace" in schema else schema["name"]
        named[full] = found
        named[schema["name"]] = found
    return found


def _field(field: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    found = {**connect_schema(field["type"], named), "field": field["name"]}
    if "default" in field and field["default"] is not None and "default" not in found:
        found["default"] = field["default"]
    return found
