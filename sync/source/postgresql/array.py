"""PostgreSQL's text form of an array, ``{a,"b c",NULL}``, taken apart.

Called by the column encoder of array types. Grammar: PostgreSQL documentation, 8.15.6 "Array Input and Output
Syntax". One dimension only: Avro arrays of a nullable scalar, as Debezium's, hold no more.
"""

from __future__ import annotations

import re

_ITEM = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def elements(value: bytes) -> list[bytes | None]:
    """Return the elements of a one-dimensional array, None for NULL; ValueError for more dimensions."""
    start = value.find(b"{")
    if start < 0 or not value.endswith(b"}"):
        raise ValueError("not an array")
    items: list[bytes | None] = []
    place = start + 1
    while place < len(value) - 1:
        match = _ITEM.match(value, place)
        if match is None:
            raise ValueError("an array of more than one dimension")
        quoted, plain = match.groups()
        if plain is not None:
            items.append(None if plain.upper() == b"NULL" else plain)
        else:
            items.append(_ESCAPED.sub(rb"\1", quoted))
        place = match.end() + 1
    return items
