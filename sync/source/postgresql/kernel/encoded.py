"""Rows that the kernel wrote, with the fields that it left to the columns' encoders.

Made by ``run`` (rows of the log) and by ``snapshot.rows`` (rows of COPY).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from sync.compiled import PIECE
from sync.source.postgresql.kernel.field import NOTE, NOTED, NOTHING, Places, Room
from sync.source.postgresql.kernel.value import MOST_MORE
from sync.source.postgresql.transcoder import Cell

Text = Callable[[int, int], bytes]
"""``(start, size) -> the text that stands there``."""


def described(cells: Sequence[Cell]) -> Places:
    """Return what the kernel knows of each column (C, 4)."""
    found = []
    for cell in cells:
        null = NOTHING if cell.null is None else cell.null[0] if len(cell.null) == 1 else NOTED
        found.append((*cell.form, cell.union[0] if cell.union else NOTHING, null))
    return np.array(found, np.int64).reshape(-1, 4)


def room(count: int, size: int, fields: int, key: int) -> Room:
    """Return room for N records, surely enough of it.

    ``size`` is of all texts and of what stands around the rows, in bytes; ``fields`` is how many there are, ``key``
    the columns of the key.
    """
    return Room(
        np.empty(size + fields * MOST_MORE + count + PIECE, np.uint8),
        np.empty(count + 1, np.int64),
        np.empty((key, 2, count), np.int64),
        np.empty((fields, NOTE), np.int64),
    )


class Encoded:
    """N records: ``rows`` are their bytes (none where the kernel wrote none), ``keys`` those of the key's columns."""

    def __init__(self, room: Room, notes: int, key: Places, cells: Sequence[Cell], text: Text) -> None:
        """Encode the fields that were noted. Raises as ``transcoder.Memory`` does on a value without a form."""
        bounds = room.bounds.tolist()
        data = room.out[: bounds[-1]].tobytes()
        self.rows = [data[start:end] for start, end in pairwise(bounds)]
        self.keys: list[list[bytes]] = [
            [data[start:end] for start, end in zip(*room.keys[number].tolist(), strict=True)]
            for number in range(len(key))
        ]
        if notes:
            fields = _encoded(room.notes[:notes], cells, text)
            self._insert(room.notes[:notes], fields, bounds)
            self._insert_keys(room.notes[:notes], fields, key.tolist())

    def _insert(self, notes: Places, fields: list[bytes], bounds: list[int]) -> None:
        """Put the noted fields into their rows."""
        pieces: defaultdict[int, list[bytes]] = defaultdict(list)
        last: dict[int, int] = {}
        for (row, at), field in zip(notes[:, (0, 2)].tolist(), fields, strict=True):
            at -= bounds[row]
            pieces[row] += self.rows[row][last.get(row, 0) : at], field
            last[row] = at
        for row, found in pieces.items():
            self.rows[row] = b"".join((*found, self.rows[row][last[row] :]))

    def _insert_keys(self, notes: Places, fields: list[bytes], key: list[int]) -> None:
        """Put those of the key's columns into the keys: of a row with two tuples the first, which is noted first."""
        for number in np.flatnonzero(np.isin(notes[:, 1], key))[::-1].tolist():
            row, place = notes[number, :2].tolist()
            self.keys[key.index(place)][row] = fields[number]


def _encoded(notes: Places, cells: Sequence[Cell], text: Text) -> list[bytes]:
    """Return the noted fields, encoded a column at a time."""
    fields = [b""] * len(notes)
    for place in np.unique(notes[:, 1]).tolist():
        numbers = np.flatnonzero(notes[:, 1] == place)
        texts = [None if size < 0 else text(start, size) for start, size in notes[numbers, 3:].tolist()]
        for number, field in zip(numbers.tolist(), cells[place].encoded(texts), strict=True):
            fields[number] = field
    return fields
