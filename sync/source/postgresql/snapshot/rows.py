"""Rows of COPY's text format → records, a column of a block at a time.

Used by ``reader`` in its threads. PostgreSQL prints a value here as it does in the log, so the encoders are the
transcoder's. Splitting, looking up and joining run in C over whole columns; that is several times faster than a loop
over a row's fields. COPY's format: PostgreSQL documentation, "COPY", "Text Format".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import repeat

from sync.source.postgresql import datum
from sync.source.postgresql.route import Route
from sync.source.postgresql.transcoder import Memory, UnexpectedNullError

NULL = b"\\N"

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}

_MOSTLY_NEW = 0.6
"""Above this share of values not met before, a column's memory costs more than it saves."""

_BLOCKS_WITHOUT_MEMORY = 20


def unescaped(value: bytes) -> bytes:
    """Return a field's value; the field is not NULL."""
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), value)


class Cells(dict[bytes, bytes]):
    """A column's field → Avro bytes, for values that are no plain text. Bounded in number and size."""

    _LIMIT = 16384
    _LONGEST = 64

    def __init__(self, memory: Memory, null: bytes | None, place: int) -> None:
        super().__init__()
        self._memory = memory
        self._null = null
        self._place = place
        self.missed = 0

    def __missing__(self, field: bytes) -> bytes:
        self.missed += 1
        if field == NULL:
            if self._null is None:
                raise UnexpectedNullError(self._place)
            encoded = self._null
        else:
            encoded = self._memory.fresh(unescaped(field) if b"\\" in field else field)
        if len(field) <= self._LONGEST:
            if len(self) >= self._LIMIT:
                self.clear()
            self[field] = encoded
        return encoded


class _Coded:
    """A column that is encoded; remembers values while they repeat."""

    def __init__(self, memory: Memory, null: bytes | None, place: int) -> None:
        self._cells = Cells(memory, null, place)
        self._memory = memory
        self._null = null
        self._blocks_without = 0

    def __call__(self, fields: list[bytes], escaped: bool) -> list[bytes]:
        if self._blocks_without and not escaped:
            self._blocks_without -= 1
            union, encode, null = self._memory.union, self._memory.encode, self._null
            try:
                if NULL not in fields:
                    return [union + encode(field) for field in fields]
                if null is not None:
                    return [null if field == NULL else union + encode(field) for field in fields]
            except (ValueError, OverflowError):
                # Which value it was, and what is written for it, the memory knows.
                pass
        before = self._cells.missed
        encoded = list(map(self._cells.__getitem__, fields))
        if self._cells.missed - before > _MOSTLY_NEW * len(fields):
            self._blocks_without = _BLOCKS_WITHOUT_MEMORY
        return encoded


class _Text:
    """A column whose bytes are the string's."""

    def __init__(self, heads: datum.Heads, null: bytes | None, place: int) -> None:
        self._heads = heads
        self._null = null
        self._place = place

    def __call__(self, fields: list[bytes], escaped: bool) -> list[bytes]:
        heads, null = self._heads, self._null
        if null is None:
            if NULL in fields:
                raise UnexpectedNullError(self._place)
            null = b""
        if not escaped:
            return [null if field == NULL else heads[len(field)] + field for field in fields]
        return [
            null if field == NULL else heads[len(value)] + value
            for field in fields
            for value in (unescaped(field) if b"\\" in field else field,)
        ]


class Rows:
    """Encodes the rows of one route, of its captured columns. Not thread safe: each reader has its own."""

    def __init__(self, route: Route) -> None:
        self._opening = route.created
        self._key = route.key_header
        captured = route.rows.places
        self._key_places = tuple(captured.index(place - 1) for place in route.key_places if place - 1 in captured)
        self._columns: list[Callable[[list[bytes], bool], list[bytes]]] = [
            _Text(heads, null, place) if memory is None else _Coded(memory, null, place)
            for place, (memory, heads, null) in enumerate(route.rows.rows)
            if place in captured
        ]

    def fields(self, block: bytes) -> list[bytes]:
        """Return the fields of all rows, one after another. ValueError where they aren't this table's columns."""
        fields = block[:-1].replace(b"\n", b"\t").split(b"\t")
        if len(fields) % len(self._columns):
            raise ValueError("a row of COPY does not have the table's number of columns")
        return fields

    def records(self, block: bytes, ending: bytes) -> list[tuple[bytes | None, bytes]]:
        """Return ``(key, value)`` of each row of ``block``: whole lines; ``ending`` is what follows the row.

        Raises UnexpectedNullError where a column that the catalogs call NOT NULL holds one.
        """
        fields = self.fields(block)
        width = len(self._columns)
        # Each backslash begins the mark of NULL, or there are values with escapes.
        escaped = block.count(b"\\") != block.count(NULL)
        encoded = [column(fields[place::width], escaped) for place, column in enumerate(self._columns)]
        values = map(b"".join, zip(repeat(self._opening), *encoded, repeat(ending)))
        return list(zip(self._keys(encoded, len(fields) // width), values, strict=True))

    def _keys(self, encoded: list[list[bytes]], count: int) -> list[bytes | None]:
        header, places = self._key, self._key_places
        if len(places) == 1:
            return [header + value for value in encoded[places[0]]]
        if not places:
            return [None] * count
        return list(map(b"".join, zip(repeat(header), *(encoded[place] for place in places))))
