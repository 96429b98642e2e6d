"""The JSON converter's form as Avro, and back: so that the transforms' cases are the peer's, word by word."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import fastavro

from sync.schema.avro import wire
from tests.differential.form import Side, bare, connect_schema, plain, single

_PRIMITIVES = {
    "int8": "int", "int16": "int", "int32": "int", "int64": "long", "float": "float", "double": "double",
    "boolean": "boolean", "string": "string", "bytes": "bytes",
}  # fmt: skip
_LOGICAL = {"Timestamp": "timestamp-millis", "Date": "date", "Time": "time-millis", "Decimal": "decimal"}


class Registry:
    """Schemas by id, as long as the test runs."""

    def __init__(self) -> None:
        self.schemas: dict[int, Any] = {}

    def register(self, schema: Any) -> int:
        """The id of a schema."""
        for number, known in self.schemas.items():
            if known == schema:
                return number
        self.schemas[len(self.schemas) + 1] = schema
        return len(self.schemas)

    def wire(self, side: Any) -> bytes | None:
        """A side in the JSON converter's form as wire bytes."""
        if side is None:
            return None
        schema = avro(side["schema"], set())
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(bare(schema)), _value(side["schema"], side["payload"]))
        return wire(self.register(schema), out.getvalue())

    def told(self, data: bytes | None) -> Side | None:
        """Wire bytes in the JSON converter's form."""
        if data is None:
            return None
        schema = self.schemas[int.from_bytes(data[1:5], "big")]
        source = io.BytesIO(data[5:])
        value = fastavro.schemaless_reader(source, fastavro.parse_schema(bare(schema)))
        assert source.tell() == len(data) - 5
        told = connect_schema(schema)
        return Side(told, single(told, plain(value)))


def side(given: Any) -> Side | None:
    """A side of the golden file: without what a key or value as a whole has no place for in Avro."""
    if given is None or given["payload"] is None:
        return None
    told = {**given["schema"], "optional": False}
    return Side(sorted_schema(told), single(given["schema"], given["payload"]))


def sorted_schema(schema: Any) -> Any:
    """A schema such that two are equal when they say the same."""
    if isinstance(schema, dict):
        kept = {name: sorted_schema(part) for name, part in schema.items() if part is not None}
        return {**kept, "default": json.dumps(kept["default"])} if "default" in kept else kept
    return [sorted_schema(part) for part in schema] if isinstance(schema, list) else schema


def avro(schema: Any, known: set[str]) -> Any:
    """Confluent's Avro form of a schema of the JSON converter's."""
    kind = schema["type"]
    properties = {
        f"connect.{name}": schema[name] for name in ("name", "version", "parameters") if schema.get(name) is not None
    }
    if kind == "struct":
        full = schema.get("name") or "io.confluent.connect.avro.ConnectDefault"
        if full in known:
            return full
        known.add(full)
        space, _, name = full.rpartition(".")
        fields = [_field(field, known) for field in schema["fields"]]
        return {"type": "record", "name": name, "namespace": space, "fields": fields, **properties}
    if kind == "array":
        return {"type": "array", "items": _union(schema["items"], avro(schema["items"], known)), **properties}
    name = _PRIMITIVES[kind]
    if kind in ("int8", "int16"):
        properties["connect.type"] = kind
    meaning = _LOGICAL.get(str(schema.get("name", "")).rpartition(".")[2])
    if meaning:
        properties["logicalType"] = meaning
    if meaning == "decimal":
        properties |= {"precision": 64, "scale": int(schema["parameters"]["scale"])}
    if schema.get("default") is not None:
        properties["connect.default"] = schema["default"]
    return {"type": name, **properties} if properties else name


def _field(field: Any, known: set[str]) -> Any:
    made = {"name": field["field"], "type": _union(field, avro(field, known))}
    if field["optional"] or field.get("default") is not None:
        made["default"] = field.get("default")
    return made


def _union(schema: Any, type_: Any) -> Any:
    if not schema["optional"]:
        return type_
    return ["null", type_] if schema.get("default") is None else [type_, "null"]


def _value(schema: Any, value: Any) -> Any:
    if value is None:
        return None
    if schema["type"] == "bytes":
        return base64.b64decode(value)
    if schema["type"] == "struct":
        return {field["field"]: _value(field, value[field["field"]]) for field in schema["fields"]}
    return [_value(schema["items"], item) for item in value] if schema["type"] == "array" else value
