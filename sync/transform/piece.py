"""A record's datum cut into its fields' bytes, and single values read and written: transforms move bytes, not objects.

``splitter`` compiles a function for a record schema; what a transform doesn't look at is never decoded, so it stays
what it was to the bit. ``reader`` and ``writer`` are for the few fields that a transform does look at.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from typing import Any

import fastavro

from sync.errors import Unreadable
from sync.schema import datum
from sync.schema.avro import canonical
from sync.transform.schema import FIRST, Avro, Field, Schema, collapsed, is_optional, none, required, some

Row = tuple[bytes, ...]
"""The bytes of each field, union branches included."""

_DAMAGED = (IndexError, struct.error)
_FIXED = {"boolean": 1, "float": 4, "double": 8}


def text(value: str) -> bytes:
    """Avro's string."""
    return datum.text(value.encode())


def splitter(schema: Schema) -> Callable[[bytes], Row]:
    """A function that cuts a datum of a record schema into its fields. Raises Unreadable where it isn't one."""
    code = _Code()
    code.add("def split(b):", "    p = 0", indent=0)
    names = []
    for place, field in enumerate(schema.fields):
        names.append(f"b[p{place}:p{place + 1}]")
        code.add(f"p{place} = p")
        code.skip(field["type"])
    code.add(
        f"p{len(names)} = p", "if p != len(b): raise damaged()", f"return ({''.join(f'{name}, ' for name in names)})"
    )
    cut: Callable[[bytes], Row] = code.compiled("split")

    def split(datum: bytes) -> Row:
        try:
            return cut(datum)
        except _DAMAGED:
            raise _damaged() from None

    return split


def _damaged() -> Unreadable:
    return Unreadable("The bytes aren't a record of their schema.")


class _Code:
    """Lines of a function that moves ``p`` over a datum ``b``. What repeats is a function of its own."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 1
        self._names: dict[str, Any] = {"damaged": _damaged, "read_long": datum.read_long}

    def add(self, *lines: str, indent: int | None = None) -> None:
        depth = self._depth if indent is None else indent
        self._lines += ["    " * depth + line for line in lines]

    def compiled(self, name: str) -> Any:
        exec("\n".join(self._lines), self._names)
        return self._names[name]

    def skip(self, type_: Avro) -> None:
        """Add what moves ``p`` behind a value of the type."""
        if isinstance(type_, list):
            self._skip_union(type_)
            return
        name = type_["type"] if isinstance(type_, dict) else type_
        if isinstance(name, (dict, list)):
            self.skip(name)
        elif name in ("int", "long", "enum"):
            self.add("while b[p] > 127: p += 1", "p += 1")
        elif name in ("string", "bytes"):
            # A length under 64 is one byte: twice the number.
            self.add("n = b[p]", "if n < 128: p += 1 + (n >> 1)", "else:", "    n, p = read_long(b, p)", "    p += n")
        elif name in _FIXED:
            self.add(f"p += {_FIXED[name]}")
        elif name == "fixed":
            self.add(f"p += {int(type_['size'])}")
        elif name == "record":
            for field in type_["fields"]:
                self.skip(field["type"])
        elif name in ("array", "map"):
            self._skip_blocks(type_)
        elif name != "null":
            raise Unreadable(f"The Avro schema refers to the type {name}, which can't be read here.")
        if name in ("record", "null"):
            self.add("pass")

    def _skip_union(self, branches: Sequence[Avro]) -> None:
        self.add("n = b[p]", "p += 1")
        for number, branch in enumerate(branches):
            self.add(f"{'el' if number else ''}if n == {number * 2}:")
            self._depth += 1
            self.skip(branch)
            self._depth -= 1
        self.add("else: raise damaged()")

    def _skip_blocks(self, type_: Avro) -> None:
        inner = _Code()
        inner._names = self._names
        function = f"skip_{len(self._names)}"
        self._names[function] = None
        inner.add(f"def {function}(b, p):", indent=0)
        inner.add("while True:", "    count, p = read_long(b, p)", "    if not count: return p")
        inner.add("    if count < 0:", "        size, p = read_long(b, p)", "        p += size", "        continue")
        inner.add("    for _ in range(count):")
        inner._depth = 3
        if type_["type"] == "map":
            inner.skip("string")
        inner.skip(type_["items" if type_["type"] == "array" else "values"])
        inner.compiled(function)
        self.add(f"p = {function}(b, p)")


def reader(type_: Avro) -> Callable[[bytes], Any]:
    """A function from a field's bytes to its value, None for null: as it is on the wire, without logical types."""
    if is_optional(type_):
        inner, branch = reader(required(type_)), some(type_)
        return lambda piece: inner(piece[1:]) if piece[:1] == branch else None
    name = type_["type"] if isinstance(type_, dict) else type_
    if isinstance(name, (dict, list)):
        return reader(name)
    if name in ("int", "long"):
        return lambda piece: datum.read_long(piece)[0]
    if name == "string":
        return lambda piece: str(piece[datum.read_long(piece)[1] :], "utf-8")
    if name == "bytes":
        return lambda piece: piece[datum.read_long(piece)[1] :]
    if name == "boolean":
        return lambda piece: piece == b"\x01"
    parsed = fastavro.parse_schema(collapsed(_bare(type_)))
    return lambda piece: fastavro.schemaless_reader(io.BytesIO(piece), parsed)


def writer(type_: Avro) -> Callable[[Any], bytes]:
    """The opposite of ``reader``."""
    if is_optional(type_):
        inner, branch, nothing = writer(required(type_)), some(type_), none(type_)
        return lambda value: nothing if value is None else branch + inner(value)
    name = type_["type"] if isinstance(type_, dict) else type_
    if name in ("int", "long"):
        return datum.zigzag
    if name == "string":
        return text
    if name == "boolean":
        return lambda value: b"\x01" if value else FIRST
    parsed = fastavro.parse_schema(collapsed(_bare(type_)))

    def write(value: Any) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, value)
        return out.getvalue()

    return write


def default_piece(field: Field, value: Any) -> bytes:
    """The bytes of a field's default ``value`` (Avro's JSON: bytes are the characters of their numbers)."""
    base = required(field["type"])
    name = base["type"] if isinstance(base, dict) else base
    if name in ("bytes", "fixed") and isinstance(value, str):
        value = value.encode("latin-1")
    return writer(field["type"])(value)


def _bare(type_: Avro) -> Avro:
    """Without logical types: values as they are on the wire."""
    if isinstance(type_, list):
        return [_bare(branch) for branch in type_]
    if not isinstance(type_, dict):
        return type_
    found = {name: part for name, part in type_.items() if name != "logicalType"}
    for name in ("type", "items", "values"):
        if name in found:
            found[name] = _bare(found[name])
    if "fields" in found:
        found["fields"] = [{**one, "type": _bare(one["type"])} for one in found["fields"]]
    return found


def same(one: Avro, other: Avro) -> bool:
    """Tell whether two types are written alike."""
    return canonical(collapsed(one)) == canonical(collapsed(other))
