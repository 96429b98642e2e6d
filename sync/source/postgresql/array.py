"""Arrays: PostgreSQL's text form, ``{a,"b c",NULL}``, taken apart, and the Avro array of its elements.

Called by ``column``. Grammar: PostgreSQL documentation, 8.15.6 "Array Input and Output Syntax". The Avro type has one
dimension, as Debezium's: of more dimensions the elements come row by row, lower bounds are dropped.
"""

from __future__ import annotations

import hashlib
import re
import uuid

from sync.schema import datum
from sync.source.postgresql.kind import LEFT_OUT, ColumnType, Encode, Options
from sync.source.postgresql.table import PgType

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_ITEM = {
    delimiter: re.compile(rb'"((?:[^"\\]|\\.)*)"|([^' + delimiter + rb'{}"]+)', re.DOTALL) for delimiter in (b",", b";")
}

_UNMAPPED = frozenset({"money", "name", "interval", "varbit", "xml", "point", "refcursor"})
"""Types whose arrays Debezium leaves out, though it maps the types."""

_SHORT = {"type": "int", "connect.type": "int16"}
_VECTORS = {"int2vector": _SHORT, "oidvector": "long"}


def elements(value: bytes, delimiter: bytes = b",") -> list[bytes | None]:
    """Return the elements in the order in which they are printed, None for NULL. ValueError for anything else."""
    start = value.find(b"{")
    if start < 0 or not value.endswith(b"}"):
        raise ValueError("not an array")
    between = delimiter + b"{}"
    item = _ITEM[delimiter]
    items: list[bytes | None] = []
    place = start + 1
    while place < len(value):
        if value[place] in between:
            place += 1
            continue
        match = item.match(value, place)
        if match is None:
            raise ValueError("not an array")
        quoted, bare = match.groups()
        if bare is not None:
            items.append(None if bare == b"NULL" else bare)
        else:
            items.append(_ESCAPED.sub(rb"\1", quoted))
        place = match.end()
    return items


def array_type(kind: PgType, element: ColumnType, options: Options) -> ColumnType:
    """Return how an array is written, whose elements are written as ``element``; each of them may be null.

    As Debezium, arrays of some types and of domains are left out unless ``include.unknown.datatypes`` is set.
    """
    inner = kind.element
    if inner is None or element.schema is None:
        return LEFT_OUT
    if (inner.domain or inner.name in _UNMAPPED) and not options.unknown:
        return LEFT_OUT
    encode = element.encode or datum.text
    delimiter = b";" if inner.name == "box" else b","

    def encode_array(value: bytes) -> bytes:
        items = elements(value, delimiter)
        return datum.block([datum.NULL if item is None else datum.SOME + encode(item) for item in items])

    schema = {"type": "array", "items": ["null", element.schema]}
    return ColumnType(schema, encode_array, b"\x00", _unavailable(inner, element, encode, options))


def _unavailable(inner: PgType, element: ColumnType, encode: Encode, options: Options) -> bytes | None:
    """Debezium's forms: its placeholder, its bytes as numbers, or a UUID made of it; None where there is no form."""
    placeholder = options.placeholder
    if inner.name in ("int4", "int8") or (inner.name == "date" and options.times not in ("connect", "isostring")):
        return datum.block([datum.SOME + datum.zigzag(byte) for byte in placeholder])
    if inner.name == "uuid":
        digest = hashlib.md5(placeholder, usedforsecurity=False).digest()
        return datum.block([datum.SOME + encode(str(uuid.UUID(bytes=digest, version=3)).encode())])
    return None if element.unavailable is None else datum.block([datum.SOME + element.unavailable])


def numbers_type(kind: PgType) -> ColumnType:
    """Return how int2vector and oidvector are written, which print as ``1 2 3``."""

    def encode(value: bytes) -> bytes:
        return datum.block([datum.SOME + datum.zigzag(int(item)) for item in value.split()])

    return ColumnType({"type": "array", "items": ["null", _VECTORS[kind.name]]}, encode, b"\x00")
