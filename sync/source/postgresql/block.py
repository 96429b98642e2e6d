"""Rows of one table → Avro datums, a column of many rows at a time.

Used by ``run`` (rows of the log) and by ``snapshot.rows`` (rows of COPY). Both bring the rows as bytes in which every
field has five bytes of room before its text, or is a NULL. A field's Avro form takes no more than that in most types:
it is written where the field stands, at its end, and what is left of the field is cut out, for all rows at once.
A column of another type is *apart*: its fields are encoded one by one, from the column's memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sync.schema import datum
from sync.source.postgresql import vector
from sync.source.postgresql.transcoder import Cell
from sync.source.postgresql.vector import Places

ROOM = 5
"""Bytes before a field's text that belong to the field: pgoutput's mark and length."""

PADDING = bytes(32)
"""What follows the last row, so that a field can be read past its end."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Where the fields of N rows stand: a row of C arrays of N offsets each.

    A field is ``data[begin:end]``: ``ROOM`` bytes and its text, or anything where ``null``.
    """

    begins: list[Places]
    ends: list[Places]
    nulls: list[NDArray[np.bool_]]

    def of(self, rows: Places) -> Fields:
        """Return the fields of some of the rows."""
        return Fields(
            [begin[rows] for begin in self.begins],
            [end[rows] for end in self.ends],
            [null[rows] for null in self.nulls],
        )


MARK = Cell(union=b"", null=datum.SOME, text=True)
"""A field that is always NULL: what stands between the two rows of an update."""


class Block:
    """N encoded rows. ``refused`` are the places of columns that have a NULL and no form for it, with those rows."""

    def __init__(self, data: bytearray, fields: Fields, cells: Sequence[Cell]) -> None:
        """Encode ``data`` where it stands. Raises as ``transcoder.Memory`` does on a value without a form."""
        self._cells = cells
        self._bytes = np.frombuffer(data, np.uint8)
        self._source = data
        self._copy = b""
        self._fields = fields
        self._count = len(fields.begins[0])
        self._apart: dict[int, list[bytes]] = {}
        self._sizes = np.empty((len(cells), self._count), np.int64)
        self.refused: dict[int, NDArray[np.bool_]] = {}
        for place, cell in enumerate(cells):
            self._sizes[place] = self._encode(place, cell)
        offsets = np.zeros((len(cells) + 1, self._count), np.int64)
        np.cumsum(self._sizes, axis=0, out=offsets[1:])
        starts = np.zeros(self._count + 1, np.int64)
        np.cumsum(offsets[-1], out=starts[1:])
        self._offsets = offsets + starts[:-1]
        self._starts = starts
        self._datums = self._cut()

    def _encode(self, place: int, cell: Cell) -> Places:
        """Write one column, or put it apart; return the sizes of its fields in bytes."""
        fields, count = self._fields, self._count
        if cell.left_out:
            return np.zeros(count, np.int64)
        nulls = fields.nulls[place]
        some = vector.some(nulls)
        if some and cell.null is None:
            self.refused[place] = nulls
        null = b"\0" if cell.null is None else cell.null
        if len(null) != 1 or not (cell.text or cell.vector):
            return self._put_apart(place, cell)
        if not some:
            return self._write(place, cell, slice(None))
        sizes = np.ones(count, np.int64)
        full = np.flatnonzero(~nulls)
        if len(full):
            sizes[full] = self._write(place, cell, full)
            if place in self._apart:
                return np.zeros(count, np.int64)
        self._bytes[fields.ends[place][nulls] - 1] = null[0]
        return sizes

    def _write(self, place: int, cell: Cell, rows: Places | slice) -> Places:
        """Write the fields of ``rows``, which are not NULL, or put the column apart; return their sizes."""
        data, begins, ends = self._bytes, self._fields.begins[place][rows], self._fields.ends[place][rows]
        lengths = ends - begins - ROOM
        if cell.vector is None:
            sizes = lengths + vector.write_lengths(data, begins + ROOM, lengths)
        else:
            datums = cell.vector(data, begins + ROOM, lengths)
            if datums is None:
                return self._put_apart(place, cell)[rows]
            if vector.some(datums.sizes + len(cell.union) > ends - begins):
                return self._put_apart(place, cell, datums.each(cell.union))[rows]
            vector.write_before(data, ends, datums)
            sizes = datums.sizes
        if cell.union:
            data[ends - sizes - 1] = cell.union[0]
            sizes = sizes + 1
        return sizes

    def _put_apart(self, place: int, cell: Cell, encoded: list[bytes] | None = None) -> Places:
        """Note a column's fields, ``encoded`` being those that are not NULL; return sizes of nothing."""
        if encoded is None:
            self._apart[place] = cell.encoded(self._texts(place))
        else:
            values, null = iter(encoded), cell.null or b""
            self._apart[place] = [null if is_null else next(values) for is_null in self._fields.nulls[place].tolist()]
        return np.zeros(self._count, np.int64)

    def _texts(self, place: int) -> list[bytes | None]:
        """Return a column's fields as they came; those of a column that was not written yet."""
        if not self._copy:
            self._copy = bytes(self._source)
        source, fields = self._copy, self._fields
        starts, ends = (fields.begins[place] + ROOM).tolist(), fields.ends[place].tolist()
        nulls = fields.nulls[place].tolist()
        return [None if null else source[start:end] for start, end, null in zip(starts, ends, nulls, strict=True)]

    def _cut(self) -> bytes:
        """Return the datums without what is between them."""
        fields, columns = self._fields, len(self._cells)
        lengths = np.empty((self._count, columns, 2), np.int64)
        ends = np.array(fields.ends)
        lengths[:, :, 1] = self._sizes.T
        lengths[:, 1:, 0] = (ends[1:] - ends[:-1] - self._sizes[1:]).T
        lengths[0, 0, 0] = ends[0, 0] - self._sizes[0, 0]
        lengths[1:, 0, 0] = ends[0, 1:] - ends[-1, :-1] - self._sizes[0, 1:]
        pattern = np.tile(np.array([False, True]), self._count * columns)
        mask = np.repeat(pattern, lengths.ravel())
        return bytes(self._bytes[: len(mask)][mask])

    def column(self, place: int) -> list[bytes]:
        """Return the encoded fields of a column."""
        if place in self._apart:
            return self._apart[place]
        return self._between(place, place + 1)

    def rows(
        self, before: Iterable[bytes], after: Iterable[bytes], spans: Sequence[tuple[int, int]] = ()
    ) -> Iterator[bytes]:
        """Return each row's datum, between its bytes of ``before`` and of ``after``.

        It has the columns of the ``spans`` (first, past the last), which may be given more than once; else all.
        """
        if not spans and not self._apart:
            datums, bounds = self._datums, self._starts.tolist()
            bodies = (datums[start:end] for start, end in pairwise(bounds))
            return map(b"".join, zip(before, bodies, after, strict=False))
        columns: list[Iterable[bytes]] = []
        apart = sorted(self._apart)
        for first, past in spans or ((0, len(self._cells)),):
            for place in apart:
                if first <= place < past:
                    columns += [self._between(first, place), self._apart[place]]
                    first = place + 1
            columns.append(self._between(first, past))
        return map(b"".join, zip(before, *columns, after, strict=False))

    def _between(self, first: int, past: int) -> list[bytes]:
        """Return the columns from ``first`` to before ``past`` of each row, none of them apart."""
        datums = self._datums
        starts, ends = self._offsets[first].tolist(), self._offsets[past].tolist()
        return [datums[start:end] for start, end in zip(starts, ends, strict=True)]
