"""Changes of one table in a row of the same shape: encoded together.

Used by ``capture``. The layout of a tuple: PostgreSQL documentation, 54.9 "Logical Replication Message Formats".
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, groupby, repeat

import numpy as np
from numpy.typing import NDArray

from sync.errors import Refused
from sync.source.postgresql import likeness, vector
from sync.source.postgresql.batch import Record
from sync.source.postgresql.block import MARK, Block, Fields
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

_MARGIN = bytes(likeness.MOST)
"""What stands around the messages, so that one can be read past its ends."""


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
        sizes = np.fromiter(map(len, self.messages), np.int64, count)
        ends = np.cumsum(sizes) + likeness.MOST
        data = bytearray(b"".join(chain((_MARGIN,), self.messages, (_MARGIN,))))
        scan = _Scan(np.frombuffer(data, np.uint8), ends)
        starts = ends - sizes + _COLUMNS
        at = scan.row(starts, len(rows.cells))
        cells, between = rows.cells, range(0)
        if self.pairs:
            new = scan.mark(at, rows.new)
            between, at = scan.other(starts, at, new)
            cells = [*cells, MARK, *cells[between.start : between.stop]]
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
            return self._wire(block, sources, between)
        some = self._wire(block, [sources[place] for place in good], between)
        for place, record in zip(good.tolist(), some, strict=True):
            found[place] = record
        return found

    def _sources(self, ending: bytes) -> list[bytes]:
        found: list[bytes] = []
        for frame, same in groupby(self.frames):
            start = len(found)
            lsns = self.lsns[start : start + sum(1 for _ in same)]
            found += frame.sources(self.route.names, lsns, ending)
        return found

    def _wire(self, block: Block, sources: list[bytes], between: range) -> list[Record | None]:
        """Return the records; of new rows the block has the columns ``between``, the others are as in the old ones."""
        route = self.route
        if not self.pairs:
            values = block.rows(repeat(route.created), sources)
            records: list[Record | None] = list(zip(self._keys(block, range(0)), values, strict=False))
        else:
            width = len(route.rows.cells)
            mark = width + 1
            news = (0, between.start), (mark, mark + len(between)), (between.stop, width)
            values = block.rows(repeat(route.updated), sources, ((0, mark), *news))
            # A new key is a new row.
            both = zip(self._keys(block, range(0)), self._keys(block, between), values, strict=False)
            records = [(key, value) if key == old else None for old, key, value in both]
        for nulls in block.refused.values():
            for place in np.flatnonzero(nulls).tolist():
                records[place] = None
        return records

    def _keys(self, block: Block, new: range) -> Iterable[bytes | None]:
        """Return the rows' keys, where the columns ``new`` are taken from the new rows."""
        places = [place - 1 for place in self.route.key_places]
        first = len(self.route.rows.cells) + 1 - new.start
        return self.route.keys([block.column(first + place if place in new else place) for place in places])


class _Scan:
    """Finds the fields of tuples, a column at a time. ``fits`` is false for a row that must be looked at by itself:
    one with an unchanged TOASTed value, or a damaged one.
    """

    def __init__(self, data: Bytes, ends: Places) -> None:
        self._data = data
        # Each four bytes of the messages as a number.
        self._lengths: NDArray[np.uint32] = np.ndarray((len(data) - 3,), ">u4", data, strides=(1,))
        self._ends = ends
        self._last = int(ends[-1])
        self.fits = np.ones(len(ends), np.bool_)
        self.fields = Fields([], [], [])

    def row(self, at: Places, columns: int) -> Places:
        """Find so many columns of the tuples from ``at`` on; return where they end."""
        data, lengths, fields = self._data, self._lengths, self.fields
        for _ in range(columns):
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

    def other(self, olds: Places, marks: Places, news: Places) -> tuple[range, Places]:
        """Find the columns of the second tuples that may differ from the first; return which, and the tuples' ends.

        The first tuples, which were found, begin at ``olds`` and end at ``marks``, the second ones begin at ``news``.
        """
        fields, fits = self.fields, self.fits
        begins, ends = fields.begins[:-1], fields.ends[:-1]
        alike = likeness.alike(self._data, likeness.Tuples(olds, marks), likeness.Tuples(news, self._ends))
        first, width = 0, len(begins)
        head, tail = olds + alike.head, marks - alike.tail
        while first < width and not vector.some((ends[first] > head) & fits):
            first += 1
        past = width
        while past > first and not vector.some((begins[past - 1] < tail) & fits):
            past -= 1
        before = begins[first] if first < width else marks
        after = begins[past] if past < width else marks
        at = self.row(np.minimum(news + (before - olds), self._last), past - first)
        return range(first, past), at + (marks - after)
