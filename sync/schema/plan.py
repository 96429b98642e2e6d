"""How an Avro record schema becomes columns, and columns the record: the translation of types behind ``columns``.

Pure. ``reading`` rewrites a schema into one that Polars decodes from the same bytes (named types inlined under fresh
names, an enum as its index, a map as an array of entries, logical types that Polars doesn't know as their base type)
and says what to do with the columns afterwards. ``writing`` says how a frame's columns are checked and brought to
types that Polars writes with the same bytes as the schema asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl
from polars.datatypes import DataTypeClass

from sync.errors import Unreadable

DType = pl.DataType | DataTypeClass
Restore = Callable[[pl.Expr], pl.Expr]

PRIMITIVES: dict[str, DType] = {
    "string": pl.String,
    "int": pl.Int32,
    "long": pl.Int64,
    "boolean": pl.Boolean,
    "float": pl.Float32,
    "double": pl.Float64,
    "bytes": pl.Binary,
}
LOGICAL: dict[tuple[str, str], DType] = {
    ("int", "date"): pl.Date,
    ("int", "time-millis"): pl.Time,
    ("long", "time-micros"): pl.Time,
    ("long", "timestamp-millis"): pl.Datetime("ms", "UTC"),
    ("long", "timestamp-micros"): pl.Datetime("us", "UTC"),
    ("long", "local-timestamp-millis"): pl.Datetime("ms"),
    ("long", "local-timestamp-micros"): pl.Datetime("us"),
}
MOST_DIGITS = 38
"""Digits of the widest decimal that a column holds; wider ones stay bytes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``schema`` for ``polars.read_avro``; ``restore`` then makes ``dtypes`` of what it gives."""

    schema: dict[str, Any]
    dtypes: pl.Schema
    restore: tuple[pl.Expr, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The translation of one type: what Polars is told, the dtype in the end, and the way there if one is needed."""

    wire: Any
    dtype: DType
    restore: Restore | None = None


def reading(schema: Mapping[str, Any]) -> Reading:
    """Translate a record schema. Raises Unreadable for a type that has no column (see ``Columns``)."""
    translator = _Translator()
    part = translator.translate(schema, "")
    if not isinstance(part.dtype, pl.Struct):
        raise Unreadable(f"The Avro schema is of type {schema.get('type')}; only records become columns.")
    fields: list[tuple[str, Part]] = translator.fields[part.wire["name"]]
    return Reading(
        part.wire,
        pl.Schema({name: field.dtype for name, field in fields}),
        tuple(field.restore(pl.col(name)).alias(name) for name, field in fields if field.restore is not None),
    )


class Names:
    """The named types seen so far, for references by name; refuses a type inside itself."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Mapping[str, Any], str]] = {}
        self._open: list[str] = []

    def resolve(self, name: str, namespace: str) -> tuple[Mapping[str, Any], str]:
        """Return the definition that ``name`` means in ``namespace`` and the namespace it was defined in."""
        full = name if "." in name else f"{namespace}.{name}" if namespace else name
        found = self._known.get(full) or self._known.get(name)
        if found is None:
            raise Unreadable(f"The Avro schema refers to the type {name}, which it doesn't define.")
        return found

    @contextmanager
    def entering(self, schema: Mapping[str, Any], namespace: str) -> Iterator[str]:
        """Remember a named type and yield the namespace for what is inside it."""
        name = str(schema["name"])
        inner = str(schema.get("namespace", namespace) or "")
        full = name if "." in name else f"{inner}.{name}" if inner else name
        inner = full.rpartition(".")[0]
        if full in self._open:
            raise Unreadable(f"The Avro record {full} contains itself; such records don't become columns.")
        self._known[full] = (schema, namespace)
        self._open.append(full)
        try:
            yield inner
        finally:
            self._open.pop()


class _Translator:
    def __init__(self) -> None:
        self.fields: dict[str, list[tuple[str, Part]]] = {}
        self._names = Names()
        self._count = 0

    def translate(self, schema: Any, namespace: str) -> Part:
        if isinstance(schema, str):
            if schema in PRIMITIVES:
                return Part(schema, PRIMITIVES[schema])
            if schema == "null":
                raise Unreadable("The Avro schema has a field that is always null; it doesn't become a column.")
            return self.translate(*self._names.resolve(schema, namespace))
        if isinstance(schema, list):
            return self._union(schema, namespace)
        kind = schema["type"]
        if kind in ("record", "error", "enum", "fixed"):
            with self._names.entering(schema, namespace) as inner:
                return self._named(kind, schema, inner)
        if kind == "array":
            return self._array(self.translate(schema["items"], namespace))
        if kind == "map":
            return self._map(self.translate(schema["values"], namespace))
        if kind in PRIMITIVES:
            return _logical(kind, schema)
        return self.translate(kind, namespace)

    def _union(self, schema: list[Any], namespace: str) -> Part:
        if len(schema) == 2 and "null" in schema:
            inner = self.translate(next(branch for branch in schema if branch != "null"), namespace)
            union = ["null", inner.wire] if schema[0] == "null" else [inner.wire, "null"]
            return Part(union, inner.dtype, inner.restore)
        if len(schema) == 1 and schema != ["null"]:
            # The only branch's number stands in front of each value: a record of the two has the same bytes.
            inner = self.translate(schema[0], namespace)
            fields = [{"name": "branch", "type": "int"}, {"name": "value", "type": inner.wire}]
            wire = {"type": "record", "name": self._fresh(), "fields": fields}
            return Part(wire, inner.dtype, lambda expr: _restored(expr.struct.field("value"), inner))
        raise Unreadable("The Avro schema has a union of several types; such a field doesn't become a column.")

    def _named(self, kind: str, schema: Mapping[str, Any], namespace: str) -> Part:
        if kind == "enum":
            return Part("int", pl.String, _symbols(list(schema["symbols"])))
        if kind == "fixed":
            wire = {"type": "fixed", "name": self._fresh(), "size": schema["size"]}
            return Part(wire, pl.Binary) if schema.get("logicalType") != "decimal" else _decimal(wire, schema)
        fields = [(str(field["name"]), self.translate(field["type"], namespace)) for field in schema["fields"]]
        name = self._fresh()
        self.fields[name] = fields
        wire = {
            "type": "record",
            "name": name,
            "fields": [{"name": field, "type": part.wire} for field, part in fields],
        }
        return _record(wire, fields)

    def _array(self, item: Part) -> Part:
        restore = item.restore
        return Part(
            {"type": "array", "items": item.wire},
            pl.List(item.dtype),
            None if restore is None else lambda expr: expr.list.eval(restore(pl.element())),
        )

    def _map(self, value: Part) -> Part:
        # Blocks of (key, value) pairs: the bytes of an array of such records.
        fields = [("key", Part("string", pl.String)), ("value", value)]
        wire = {
            "type": "record",
            "name": self._fresh(),
            "fields": [{"name": name, "type": part.wire} for name, part in fields],
        }
        return self._array(_record(wire, fields))

    def _fresh(self) -> str:
        self._count += 1
        return f"r{self._count}"


def _record(wire: Any, fields: list[tuple[str, Part]]) -> Part:
    changed = [(name, part.restore) for name, part in fields if part.restore is not None]

    def restore(expr: pl.Expr) -> pl.Expr:
        # Fields by their path: ``pl.field`` doesn't find the fields of a record two levels down.
        return expr.struct.with_fields(*(change(expr.struct.field(name)).alias(name) for name, change in changed))

    dtype = pl.Struct({name: part.dtype for name, part in fields})
    return Part(wire, dtype, restore if changed else None)


def _restored(expr: pl.Expr, part: Part) -> pl.Expr:
    return expr if part.restore is None else part.restore(expr)


def _symbols(symbols: list[str]) -> Restore:
    def restore(expr: pl.Expr) -> pl.Expr:
        return expr.replace_strict(list(range(len(symbols))), symbols, return_dtype=pl.String)

    return restore


def _logical(kind: str, schema: Mapping[str, Any]) -> Part:
    logical = schema.get("logicalType")
    if kind == "bytes" and logical == "decimal":
        return _decimal({"type": "bytes"}, schema)
    dtype = LOGICAL.get((kind, str(logical)))
    return Part(kind, PRIMITIVES[kind]) if dtype is None else Part({"type": kind, "logicalType": logical}, dtype)


def _decimal(wire: dict[str, Any], schema: Mapping[str, Any]) -> Part:
    precision, scale = int(schema["precision"]), int(schema.get("scale", 0))
    if not 0 < precision <= MOST_DIGITS or wire.get("size", 0) > 16:
        return Part(wire if "size" in wire else wire["type"], pl.Binary)
    logical = {**wire, "logicalType": "decimal", "precision": precision, "scale": scale}
    return Part(logical, pl.Decimal(precision, scale))
