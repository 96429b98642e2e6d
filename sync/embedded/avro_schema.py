"""Avro schemas as the registry needs them: parsed with every rule of the specification, and printed in one form.

``parse`` accepts what Avro 1.12's Java parser accepts (the registry that we stand in for is written in Java) and
``Schema.text`` prints as that library does: the attributes in its order, no white space, namespaces only where they
change. Two texts that differ in nothing else become one text, hence one id. Called by the registry's store and its
compatibility check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "enum", "fixed"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Mapping[str, frozenset[str]] = {
    "record": frozenset({"type", "name", "namespace", "doc", "fields", "aliases"}),
    "enum": frozenset({"type", "name", "namespace", "doc", "symbols", "default", "aliases"}),
    "fixed": frozenset({"type", "name", "namespace", "doc", "size", "aliases"}),
    "array": frozenset({"type", "items"}),
    "map": frozenset({"type", "values"}),
    "field": frozenset({"name", "type", "doc", "default", "order", "aliases"}),
}
_NO_DEFAULT = object()


class InvalidSchema(ValueError):
    """A text that is not an Avro schema; the message says why, in the specification's words."""


@dataclass(eq=False, slots=True)
class Field:
    """A record's field."""

    name: str
    schema: Node
    doc: str | None = None
    default: Any = _NO_DEFAULT
    order: str | None = None
    aliases: tuple[str, ...] = ()
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def has_default(self) -> bool:
        return self.default is not _NO_DEFAULT


@dataclass(eq=False, slots=True)
class Node:
    """One schema. ``kind`` is a primitive's name, record, enum, fixed, array, map or union; names are full names."""

    kind: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    doc: str | None = None
    fields: tuple[Field, ...] = ()
    symbols: tuple[str, ...] = ()
    default: str | None = None
    size: int = 0
    items: Node | None = None
    branches: tuple[Node, ...] = ()
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Schema:
    """A parsed schema: its root, its one text, and all named types in it (those of its references included)."""

    root: Node
    text: str
    names: Mapping[str, Node]


def parse(text: str, known: Mapping[str, Node] | None = None) -> Schema:
    """Parse an Avro schema; ``known`` are the named types of the schemas that it refers to.

    Raises InvalidSchema.
    """
    try:
        raw = json.loads(text)
    except ValueError:
        # Avro's parser takes a bare primitive name without quotes.
        raw = text.strip()
        if raw not in PRIMITIVES:
            raise InvalidSchema("the text is not JSON") from None
    reader = _Reader(dict(known or {}))
    root = reader.node(raw, "")
    printed = json.dumps(_print(root, "", set(known or ())), ensure_ascii=False, separators=(",", ":"))
    return Schema(root, printed, reader.names)


class _Reader:
    """Builds nodes from JSON; ``names`` grows as definitions are met, in the order of the text."""

    def __init__(self, names: dict[str, Node]) -> None:
        self.names = names
        self._own: set[str] = set()

    def node(self, raw: Any, space: str) -> Node:
        if isinstance(raw, str):
            return self._reference(raw, space)
        if isinstance(raw, list):
            return self._union(raw, space)
        if not isinstance(raw, dict):
            raise InvalidSchema(f"a schema is a string, a list or an object, not {type(raw).__name__}")
        kind = raw.get("type")
        if not isinstance(kind, str):
            if kind is None:
                raise InvalidSchema("an object has no type")
            return self.node(kind, space)
        if kind in ("record", "error"):
            return self._record(raw, space)
        if kind == "enum":
            return self._enum(raw, space)
        if kind == "fixed":
            return self._fixed(raw, space)
        if kind in ("array", "map"):
            inner = "items" if kind == "array" else "values"
            if inner not in raw:
                raise InvalidSchema(f"a schema of type {kind} has no {inner}")
            return Node(kind, items=self.node(raw[inner], space), properties=_rest(raw, kind))
        if kind in PRIMITIVES:
            return Node(kind, properties={key: value for key, value in raw.items() if key != "type"})
        return self._reference(kind, space)

    def _reference(self, name: str, space: str) -> Node:
        if name in PRIMITIVES:
            return Node(name)
        full = name if "." in name or not space else f"{space}.{name}"
        found = self.names.get(full) or self.names.get(name)
        if found is None:
            raise InvalidSchema(f'the type "{name}" is not defined')
        return found

    def _union(self, raw: list[Any], space: str) -> Node:
        branches = tuple(self.node(item, space) for item in raw)
        seen: set[str] = set()
        for branch in branches:
            if branch.kind == "union":
                raise InvalidSchema("a union is directly inside a union")
            label = branch.name or branch.kind
            if label in seen:
                raise InvalidSchema(f"a union has {label} twice")
            seen.add(label)
        return Node("union", branches=branches)

    def _named(self, raw: dict[str, Any], kind: str, space: str) -> tuple[Node, str]:
        name = raw.get("name")
        if not isinstance(name, str):
            raise InvalidSchema(f"a schema of type {kind} has no name")
        given = raw.get("namespace")
        if "." in name:
            full = name
        else:
            space = given if isinstance(given, str) else space
            full = f"{space}.{name}" if space else name
        for piece in full.split("."):
            if not _NAME.fullmatch(piece):
                raise InvalidSchema(f'"{full}" is not a name')
        if full in PRIMITIVES or full in self._own:
            raise InvalidSchema(f'the type "{full}" is defined twice')
        inner = full.rpartition(".")[0]
        node = Node(kind, name=full, doc=_text(raw, "doc"), properties=_rest(raw, kind))
        node.aliases = tuple(alias if "." in alias or not inner else f"{inner}.{alias}" for alias in _names(raw))
        self.names[full] = node
        self._own.add(full)
        return node, inner

    def _record(self, raw: dict[str, Any], space: str) -> Node:
        node, inner = self._named(raw, "record", space)
        given = raw.get("fields")
        if not isinstance(given, list):
            raise InvalidSchema(f'the record "{node.name}" has no fields')
        fields: list[Field] = []
        for item in given:
            one = self._field(item, node, inner)
            if any(one.name == other.name for other in fields):
                raise InvalidSchema(f'the record "{node.name}" has the field "{one.name}" twice')
            fields.append(one)
        node.fields = tuple(fields)
        for one in fields:
            if one.has_default and not accepts(one.schema, one.default):
                raise InvalidSchema(f'the default of the field "{one.name}" of "{node.name}" is not of its type')
        return node

    def _field(self, raw: Any, record: Node, space: str) -> Field:
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or "type" not in raw:
            raise InvalidSchema(f'a field of the record "{record.name}" has no name or no type')
        name = raw["name"]
        if not _NAME.fullmatch(name):
            raise InvalidSchema(f'"{name}" is not a name')
        order = raw.get("order")
        if order not in (None, "ascending", "descending", "ignore"):
            raise InvalidSchema(f'the order of the field "{name}" is not one')
        return Field(
            name,
            self.node(raw["type"], space),
            _text(raw, "doc"),
            raw.get("default", _NO_DEFAULT),
            None if order == "ascending" else order,
            _names(raw),
            _rest(raw, "field"),
        )

    def _enum(self, raw: dict[str, Any], space: str) -> Node:
        node, _ = self._named(raw, "enum", space)
        symbols = raw.get("symbols")
        if not isinstance(symbols, list) or not all(isinstance(s, str) and _NAME.fullmatch(s) for s in symbols):
            raise InvalidSchema(f'the symbols of the enum "{node.name}" are not names')
        if len(set(symbols)) != len(symbols):
            raise InvalidSchema(f'the enum "{node.name}" has a symbol twice')
        node.symbols = tuple(symbols)
        default = raw.get("default")
        if default is not None and default not in symbols:
            raise InvalidSchema(f'the default of the enum "{node.name}" is not one of its symbols')
        node.default = default
        return node

    def _fixed(self, raw: dict[str, Any], space: str) -> Node:
        node, _ = self._named(raw, "fixed", space)
        size = raw.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InvalidSchema(f'the fixed "{node.name}" has no size')
        node.size = size
        return node


def _text(raw: dict[str, Any], key: str) -> str | None:
    value = raw.get(key)
    return value if isinstance(value, str) else None


def _names(raw: dict[str, Any]) -> tuple[str, ...]:
    aliases = raw.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise InvalidSchema("aliases are not a list of names")
    return tuple(aliases)


def _rest(raw: dict[str, Any], kind: str) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key not in _RESERVED[kind]}


def accepts(node: Node, value: Any) -> bool:
    """Whether ``value`` is the JSON of a default of this schema (Avro 1.12: any branch of a union)."""
    kind = node.kind
    if kind == "union":
        return any(accepts(branch, value) for branch in node.branches)
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("int", "long"):
        bits = 31 if kind == "int" else 63
        return isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < 1 << bits
    if kind in ("float", "double"):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "enum":
        return isinstance(value, str) and value in node.symbols
    if kind in ("string", "bytes", "fixed"):
        return isinstance(value, str)
    if kind == "array":
        return isinstance(value, list) and all(accepts(_inner(node), item) for item in value)
    if not isinstance(value, dict):
        return False
    if kind == "map":
        return all(accepts(_inner(node), item) for item in value.values())
    return all(accepts(one.schema, value[one.name]) if one.name in value else one.has_default for one in node.fields)


def _inner(node: Node) -> Node:
    assert node.items is not None, "an array or a map has items"
    return node.items


def _print(node: Node, space: str, printed: set[str]) -> Any:
    """The JSON of a schema inside namespace ``space``; a type in ``printed`` is printed by name."""
    if node.kind == "union":
        return [_print(branch, space, printed) for branch in node.branches]
    if node.kind in ("array", "map"):
        inner = "items" if node.kind == "array" else "values"
        return {"type": node.kind, inner: _print(_inner(node), space, printed), **node.properties}
    if node.kind in PRIMITIVES:
        return {"type": node.kind, **node.properties} if node.properties else node.kind
    own = node.name.rpartition(".")[0]
    if node.name in printed:
        return node.short_name if own == space else node.name
    printed.add(node.name)
    result: dict[str, Any] = {"type": node.kind, "name": node.short_name}
    if own != space:
        result["namespace"] = own
    if node.doc is not None:
        result["doc"] = node.doc
    if node.kind == "record":
        result["fields"] = [_print_field(one, own, printed) for one in node.fields]
    elif node.kind == "enum":
        result["symbols"] = list(node.symbols)
        if node.default is not None:
            result["default"] = node.default
    else:
        result["size"] = node.size
    result.update(node.properties)
    if node.aliases:
        result["aliases"] = [_relative(alias, own) for alias in node.aliases]
    return result


def _print_field(one: Field, space: str, printed: set[str]) -> dict[str, Any]:
    result: dict[str, Any] = {"name": one.name, "type": _print(one.schema, space, printed)}
    if one.doc is not None:
        result["doc"] = one.doc
    if one.has_default:
        result["default"] = one.default
    if one.order is not None:
        result["order"] = one.order
    if one.aliases:
        result["aliases"] = list(one.aliases)
    result.update(one.properties)
    return result


def _relative(name: str, space: str) -> str:
    own, _, short = name.rpartition(".")
    return short if own == space else name


def dependencies(names: Sequence[Schema]) -> dict[str, Node]:
    """All named types of several schemas, for ``parse``."""
    return {name: node for schema in names for name, node in schema.names.items()}
