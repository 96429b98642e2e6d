"""Changes of one table in a row of the same shape: encoded together.

Used by ``capture``. The layout of a tuple: PostgreSQL documentation, 54.9 "Logical Replication Message Formats".
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, groupby, repeat

import numpy as np
from numpy.typing import NDArray

from sync.errors import Refused
from sync.source.postgresql.batch import Record
from sync.source.postgresql.block import MARK, PADDING, Block, Fields
from sync.source.postgresql.frame import Frame
from sync.source.postgresql.pgoutput import DAMAGED, HEADER
from sync.source.postgresql.route import Route
from sync.source.postgresql.vector import Bytes, Places

Message = bytes | memoryview

_TEXT, _NULL = b"tn"
_COLUMNS = HEADER + 5 + 3
"""Where the first tuple's columns begin: after the table's oid, the tuple's mark and its column count."""

_VALUE = 5
"""Bytes before a text: its mark and its length."""


class Run:
    """Changes of one table and one shape, as they came, with their frames and LSNs.

    A shape is a message's kind, and the mark and column count of its first tuple. ``pairs`` tells that a whole old
    row comes first.
    """

    def __init__(self, route: Route, kind: int, mark: bytes) -> None:
        self.route = route
        self.kind, self.mark = kind, mark
        self.pairs = mark[:1] == b"O"
        self.messages: list[Message] = []
        self.lsns: list[int] = []
        self.frames: list[Frame] = []

    def add(self, message: Message, lsn: int, frame: Frame) -> None:
        """Add a change."""
        self.messages.append(message)
        self.lsns.append(lsn)
        self.frames.append(frame)

    def records(self, ending: bytes) -> list[Record | None]:
        """Return the changes' records, ``ending`` the end of each; None for one that must be encoded by itself."""
        rows, count = self.route.rows, len(self.messages)
        ends = np.cumsum(np.fromiter(map(len, self.messages), np.int64, count))
        data = bytearray(b"".join(chain(self.messages, (PADDING,))))
        scan = _Scan(np.frombuffer(data, np.uint8), len(rows.cells), ends)
        at = scan.row(np.concatenate((np.zeros(1, np.int64), ends[:-1])) + _COLUMNS)
        cells = rows.cells
        if self.pairs:
            at = scan.row(scan.mark(at, rows.new))
            cells = [*cells, MARK, *cells]
        good = np.flatnonzero(scan.fits & (at == ends))
        found: list[Record | None] = [None] * count
        if not len(good):
            return found
        fields = scan.fields if len(good) == count else scan.fields.of(good)
        try:
            block = Block(data, fields, cells)
        except (*DAMAGED, Refused):
            # Which of them it is, and what to say of it, tells each by itself.
            return found
        sources = self._sources(ending)
        if len(good) == count:
            return self._wire(block, sources)
        for place, record in zip(good.tolist(), self._wire(block, [sources[place] for place in good]), strict=True):
            found[place] = record
        return found

    def _sources(self, ending: bytes) -> list[bytes]:
        found: list[bytes] = []
        for frame, same in groupby(self.frames):
            start = len(found)
            lsns = self.lsns[start : start + sum(1 for _ in same)]
            found += frame.sources(self.route.names, lsns, ending)
        return found

    def _wire(self, block: Block, sources: list[bytes]) -> list[Record | None]:
        route = self.route
        opening = route.updated if self.pairs else route.created
        values = block.rows(repeat(opening), sources)
        if not self.pairs:
            records: list[Record | None] = list(zip(self._keys(block, 0), values, strict=False))
        else:
            # A new key is a new row.
            both = zip(self._keys(block, 0), self._keys(block, len(route.rows.cells) + 1), values, strict=False)
            records = [(key, value) if key == old else None for old, key, value in both]
        for nulls in block.refused.values():
            for place in np.flatnonzero(nulls).tolist():
                records[place] = None
        return records

    def _keys(self, block: Block, first: int) -> Iterable[bytes | None]:
        """Return the keys of the tuples whose columns are those of the block from ``first`` on."""
        return self.route.keys([block.column(first + place - 1) for place in self.route.key_places])


class _Scan:
    """Finds the fields of tuples, a column at a time. ``fits`` is false for a row that must be looked at by itself:
    one with an unchanged TOASTed value, or a damaged one.
    """

    def __init__(self, data: Bytes, columns: int, ends: Places) -> None:
        self._data = data
        self._columns = columns
        # Each four bytes of the messages as a number.
        self._lengths: NDArray[np.uint32] = np.ndarray((len(data) - 3,), ">u4", data, strides=(1,))
        self._last = int(ends[-1])
        self.fits = np.ones(len(ends), np.bool_)
        self.fields = Fields([], [], [])

    def row(self, at: Places) -> Places:
        """Find the columns of the tuples that begin at ``at``; return where they end."""
        data, lengths, fields = self._data, self._lengths, self.fields
        for _ in range(self._columns):
            kind = data[at]
            text, null = kind == _TEXT, kind == _NULL
            self.fits &= text | null
            end = at + np.where(text, lengths[at + 1].astype(np.int64) + _VALUE, 1)
            # Not beyond the data; such a row does not end where it should.
            np.minimum(end, self._last, out=end)
            fields.begins.append(at)
            fields.ends.append(end)
            fields.nulls.append(null)
            at = end
        return at

    def mark(self, at: Places, mark: bytes) -> Places:
        """Pass over what stands before the second tuple, which is ``mark`` or the row does not fit."""
        for place, byte in enumerate(mark):
            self.fits &= self._data[at + place] == byte
        end = at + len(mark)
        self.fields.begins.append(at)
        self.fields.ends.append(end)
        self.fields.nulls.append(np.ones(len(at), np.bool_))
        return np.minimum(end, self._last)
