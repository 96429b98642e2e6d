"""Rows of COPY's text format → records, a column of a block at a time.

Used by ``reader`` in its threads. PostgreSQL prints a value here as it does in the log, so the encoders are the
transcoder's. COPY's format: PostgreSQL documentation, "COPY", "Text Format".
"""

from __future__ import annotations

import re
from itertools import repeat
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sync.source.postgresql.block import PADDING, ROOM, Block, Fields
from sync.source.postgresql.route import Route
from sync.source.postgresql.transcoder import UnexpectedNullError
from sync.source.postgresql.vector import Places

_T = TypeVar("_T", bound=np.generic)

NULL = b"\\N"

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_BACKSLASH, _TAB, _N = b"\\\tN"
_UNEVEN = "a row of COPY does not have the table's number of columns"

_SEPARATOR = b"\t" * ROOM
"""A separator with the room before a field."""


def unescaped(value: bytes) -> bytes:
    """Return a field's value; the field is not NULL."""
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), value)


class Rows:
    """Encodes the rows of one route, of its captured columns. Not thread safe: each reader has its own."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._captured = captured = route.rows.places
        self._cells = [route.rows.cells[place] for place in captured]
        self._key = tuple(captured.index(place - 1) for place in route.key_places if place - 1 in captured)

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
        encoded = self._encoded(block)
        if encoded.refused:
            raise UnexpectedNullError(self._captured[min(encoded.refused)])
        values = encoded.rows(repeat(self._route.created), repeat(ending))
        keys = self._route.keys([encoded.column(place) for place in self._key])
        return list(zip(keys, values, strict=False))

    def _encoded(self, block: bytes) -> Block:
        # A tab or a line's end within a value is escaped: each of these bytes ends a field.
        block = block.replace(b"\n", b"\t")
        marks = np.flatnonzero(np.frombuffer(block, np.uint8) == _TAB)
        width, count = len(self._cells), len(marks)
        if count % width:
            raise ValueError(_UNEVEN)
        data = bytearray(_SEPARATOR + block.replace(b"\t", _SEPARATOR) + PADDING)
        view = np.frombuffer(data, np.uint8)
        # Each separator before a field's end has become longer.
        ends = marks + np.arange(ROOM, ROOM + count * (ROOM - 1), ROOM - 1)
        begins = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        nulls = np.zeros(count, np.bool_)
        if b"\\" in block:
            short = np.flatnonzero(ends - begins == ROOM + len(NULL))
            starts = begins[short] + ROOM
            nulls[short] = (view[starts] == _BACKSLASH) & (view[starts + 1] == _N)
        if block.count(b"\\") != np.count_nonzero(nulls):
            _unescape(data, begins, ends, nulls)
        fields = Fields(_columns(begins, width), _columns(ends, width), _columns(nulls, width))
        return Block(data, fields, self._cells)


def _columns(fields: NDArray[_T], width: int) -> list[NDArray[_T]]:
    return list(np.ascontiguousarray(fields.reshape(-1, width).T))


def _unescape(data: bytearray, begins: Places, ends: Places, nulls: NDArray[np.bool_]) -> None:
    """Take the escapes out of the fields that have some; such a field begins later then."""
    marks = np.flatnonzero(np.frombuffer(data, np.uint8) == _BACKSLASH)
    fields = np.unique(np.searchsorted(begins, marks, side="right") - 1)
    for field in fields[~nulls[fields]].tolist():
        end = int(ends[field])
        value = unescaped(bytes(data[int(begins[field]) + ROOM : end]))
        data[end - len(value) : end] = value
        begins[field] = end - len(value) - ROOM
