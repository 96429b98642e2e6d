"""Avro schemas as transforms change them: references by name resolved, a type's Connect properties told apart.

``Schema`` wraps one schema; it compares by identity, so a plan made for it can be kept in a dictionary. Types are Avro
JSON values in which a named type stands whole wherever it is used (``expanded``); ``Schema.text`` gives the form for
the registry, where its second use is its name. Connect's properties are those of Confluent's Avro converter
(``connect.name``, ``connect.type``, ``connect.default`` …). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from sync.errors import Unreadable

Avro = Any
Field = Mapping[str, Any]

NULL, FIRST, SECOND = b"", b"\x00", b"\x02"
"""The bytes of null, and of the number of a union's first and second branch."""

_NAMED = ("record", "error", "enum", "fixed")
_KINDS = {"int": "INT32", "long": "INT64", "float": "FLOAT32", "double": "FLOAT64", "record": "STRUCT"}
_LOGICAL = {
    "timestamp-millis": "org.apache.kafka.connect.data.Timestamp",
    "date": "org.apache.kafka.connect.data.Date",
    "time-millis": "org.apache.kafka.connect.data.Time",
    "decimal": "org.apache.kafka.connect.data.Decimal",
}
TIMESTAMP, DATE, TIME, DECIMAL = _LOGICAL.values()
_UNNAMED = {"name": "ConnectDefault", "namespace": "io.confluent.connect.avro"}


class Schema:
    """A key's or a value's schema. ``type`` is expanded; ``known`` is the registry's form, where it came from there."""

    def __init__(self, type_: Avro, known: Mapping[str, Any] | None = None) -> None:
        self.type = type_
        self.known = known
        self.cut: Callable[[bytes], tuple[bytes, ...]] | None = None
        """What cuts a datum into fields; ``record.Column`` makes it when it is first needed."""

    @classmethod
    def read(cls, schema: Mapping[str, Any]) -> Schema:
        """Wrap what the registry holds. Raises Unreadable for a reference to a type that isn't defined."""
        return cls(expanded(schema), schema)

    @cached_property
    def text(self) -> Mapping[str, Any]:
        """The schema as the registry takes it."""
        if self.known is not None:
            return self.known
        found = collapsed(self.type)
        return found if isinstance(found, dict) else {"type": found}

    @cached_property
    def fields(self) -> Sequence[Field]:
        """A record's fields; none of another type."""
        return tuple(self.type["fields"]) if is_record(self.type) else ()

    @cached_property
    def places(self) -> Mapping[str, int]:
        """A field's name → its place."""
        return {field["name"]: place for place, field in enumerate(self.fields)}

    @property
    def is_record(self) -> bool:
        return is_record(self.type)

    def of(self, fields: Sequence[Field]) -> Schema:
        """The record with other fields; its name and properties stay, as with Connect's ``copySchemaBasics``."""
        return Schema({**self.type, "fields": list(fields)})


def unnamed(fields: Sequence[Field]) -> Schema:
    """A record without a name of Connect's, under the name that Confluent's converter gives such."""
    return Schema({"type": "record", **_UNNAMED, "fields": list(fields)})


def is_record(type_: Avro) -> bool:
    """Tell whether a type is a record."""
    return isinstance(type_, dict) and type_.get("type") == "record"


def required(type_: Avro) -> Avro:
    """The type beside null; the type itself where it isn't a union. Raises Unreadable for a union of several."""
    if not isinstance(type_, list):
        return type_
    others = [branch for branch in type_ if branch != "null"]
    if len(others) != 1 or len(type_) > 2:
        raise Unreadable("A field is a union of several types, which Connect's schemas have no word for.")
    return others[0]


def is_optional(type_: Avro) -> bool:
    """Tell whether a type is a union with null."""
    return isinstance(type_, list) and "null" in type_


def some(type_: Avro) -> bytes:
    """What stands before a value that isn't null: the number of its branch, nothing where there is no union."""
    if not isinstance(type_, list):
        return NULL
    return FIRST if type_[0] != "null" else SECOND


def none(type_: Avro) -> bytes:
    """The bytes of null in a union with it."""
    return FIRST if type_[0] == "null" else SECOND


def kind(type_: Avro) -> str:
    """Connect's name of a type: INT8 to INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES, ARRAY, MAP or STRUCT."""
    base = required(type_)
    if isinstance(base, dict):
        told = base.get("connect.type")
        if told is not None:
            return str(told).upper()
        name = base["type"]
        return kind(name) if isinstance(name, (dict, list)) else _kind(str(name))
    return _kind(str(base))


def _kind(name: str) -> str:
    return {"enum": "STRING", "fixed": "BYTES"}.get(name) or _KINDS.get(name, name.upper())


def logical(type_: Avro) -> str:
    """Connect's name of a type's meaning (``org.apache.kafka.connect.data.Timestamp``); empty for none."""
    base = required(type_)
    if not isinstance(base, dict):
        return ""
    return str(base.get("connect.name") or _LOGICAL.get(base.get("logicalType", ""), ""))


def default(field: Field) -> Any:
    """A field's default as Avro's JSON has it; None for none."""
    base = required(field["type"])
    told = base.get("connect.default") if isinstance(base, dict) else None
    return field.get("default") if told is None else told


def optional_field(name: str, type_: Avro, value: Any = None) -> dict[str, Any]:
    """A field that may be null, with a default."""
    base = required(type_)
    return {"name": name, "type": ["null", base] if value is None else [base, "null"], "default": value}


def field(name: str, type_: Avro, *, optional: bool) -> dict[str, Any]:
    """A field of a type without a default."""
    return optional_field(name, type_) if optional else {"name": name, "type": required(type_)}


def full_name(type_: Mapping[str, Any], space: str = "") -> str:
    """The name of a named type with its namespace."""
    name = str(type_["name"])
    own = str(type_.get("namespace", space) or "")
    return name if "." in name or not own else f"{own}.{name}"


def expanded(schema: Avro, space: str = "", known: dict[str, Avro] | None = None) -> Avro:
    """Return the type with each reference replaced by what it refers to, and namespaces told. Raises Unreadable."""
    known = {} if known is None else known
    if isinstance(schema, list):
        return [expanded(branch, space, known) for branch in schema]
    if isinstance(schema, str):
        return known.get(f"{space}.{schema}") or known.get(schema, schema)
    if schema["type"] not in _NAMED:
        parts = ("items", "values", "type")
        found = {name: expanded(part, space, known) if name in parts else part for name, part in schema.items()}
        return found if len(found) > 1 else found["type"]
    full = full_name(schema, space)
    inner, _, name = full.rpartition(".")
    found = {**schema, "name": name, **({"namespace": inner} if inner else {})}
    if full in known:
        raise Unreadable(f"The Avro schema defines {full} twice.")
    if "fields" in schema:
        # A record within itself would be one without end: such a reference stays a name, which nothing can read.
        found["fields"] = [{**one, "type": expanded(one["type"], inner, known)} for one in schema["fields"]]
    known[full] = found
    return found


def collapsed(type_: Avro, known: set[str] | None = None) -> Avro:
    """The opposite of ``expanded``: a named type that was met before becomes its name."""
    known = set() if known is None else known
    if isinstance(type_, list):
        return [collapsed(branch, known) for branch in type_]
    if not isinstance(type_, dict):
        return type_
    if type_["type"] not in _NAMED:
        return {
            name: collapsed(part, known) if name in ("items", "values", "type") else part
            for name, part in type_.items()
        }
    full = full_name(type_)
    if full in known:
        return full
    known.add(full)
    if "fields" not in type_:
        return type_
    return {**type_, "fields": [{**one, "type": collapsed(one["type"], known)} for one in type_["fields"]]}


def called(type_: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A record under another name of Connect's, and under that as far as Avro allows it."""
    parts = [re.sub(r"[^A-Za-z0-9_]", "_", part) for part in name.split(".")]
    adjusted = ".".join(f"_{part}" if not part or part[0].isdigit() else part for part in parts)
    space, _, own = adjusted.rpartition(".")
    return {**type_, "name": own, "namespace": space, "connect.name": adjusted}


def connect_name(schema: Schema | None) -> str:
    """The name that Connect knows a record by; empty for what isn't a record."""
    if schema is None or not schema.is_record:
        return ""
    return str(schema.type.get("connect.name") or full_name(schema.type))


def is_envelope(schema: Schema | None) -> bool:
    """Tell whether it is the schema of Debezium's change events."""
    return connect_name(schema).endswith(".Envelope")
