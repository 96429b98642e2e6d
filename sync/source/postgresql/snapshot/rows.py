"""Rows of COPY's text format → records, a block of rows at a time.

Used by ``reader`` in its threads. PostgreSQL prints a value here as it does in the log, so the encoders are the
transcoder's. COPY's format: PostgreSQL documentation, "COPY", "Text Format".
"""

from __future__ import annotations

import re

import numpy as np

from sync.source.postgresql.kernel import copy
from sync.source.postgresql.kernel.encoded import Encoded, described, room
from sync.source.postgresql.kernel.field import Around
from sync.source.postgresql.kernel.value import MARGIN
from sync.source.postgresql.route import Route
from sync.source.postgresql.transcoder import UnexpectedNullError

NULL = b"\\N"

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_UNEVEN = "a row of COPY does not have the table's number of columns"


def unescaped(value: bytes) -> bytes:
    """Return a field's value; the field is not NULL."""
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), value)


class Rows:
    """Encodes the rows of one route, of its captured columns. Not thread safe: each reader has its own."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._captured = captured = route.rows.places
        self._cells = [route.rows.cells[place] for place in captured]
        self._columns = described(self._cells)
        key = [captured.index(place - 1) for place in route.key_places if place - 1 in captured]
        self._key = np.array(key, np.int64)

    def fields(self, block: bytes) -> list[bytes]:
        """Return the fields of all rows, one after another. ValueError where they aren't this table's columns."""
        fields = block[:-1].replace(b"\n", b"\t").split(b"\t")
        if len(fields) % len(self._cells):
            raise ValueError(_UNEVEN)
        return fields

    def records(self, block: bytes, ending: bytes) -> list[tuple[bytes | None, bytes]]:
        """Return ``(key, value)`` of each row of ``block``: whole lines; ``ending`` is what follows the row.

        Raises UnexpectedNullError where a column that the catalogs call NOT NULL holds one, ValueError where a row
        has not the table's columns.
        """
        count = block.count(b"\n")
        before, after = self._route.created, bytearray(ending + MARGIN)
        ends = np.zeros((2, count), np.int64)
        ends[1] = len(ending)
        around = Around(np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint8), ends)
        size = len(block) + count * (len(before) + len(ending))
        space = room(count, size, count * len(self._cells), len(self._key))
        data = np.frombuffer(block + MARGIN, np.uint8)
        notes, wrong = copy.rows(data, len(block), self._columns, self._key, around, space)
        if wrong == copy.UNEVEN:
            raise ValueError(_UNEVEN)
        if wrong != copy.NONE:
            raise UnexpectedNullError(self._captured[wrong])
        encoded = Encoded(
            space, notes, self._key, self._cells, lambda start, size: unescaped(block[start : start + size])
        )
        return list(zip(self._route.keys(encoded.keys), encoded.rows, strict=False))
