"""Tuples of pgoutput → rows of Avro.

Called by ``run``. Layout: PostgreSQL documentation, 54.9 "Logical Replication Message Formats", TupleData.
"""

from __future__ import annotations

import numpy as np

from sync.compiled import Bytes, compiled
from sync.source.postgresql.kernel.field import NOTED, NULL, Around, Places, Room, begun, ended, field, note

_ROOM = 5
"""Bytes before a text: its mark and its length."""

_TEXT, _NULL, _UNCHANGED = b"tnu"
_SOME = 2
"""The branch of a union that has the new row."""


@compiled
def rows(
    data: Bytes,
    starts: Places,
    ends: Places,
    columns: Places,
    second: Bytes,
    key: Places,
    around: Around,
    room: Room,
) -> int:
    """Write records of N messages of a table with C columns; return how many notes there are.

    A message's tuple begins at ``starts``, with its first column; if ``second`` is not empty it and the new row
    follow, and ``room.keys`` are those of the old row. Nothing is written of a message that must be looked at by
    itself, as it is damaged, or has another key than before.
    """
    at = count = 0
    out, notes, bounds = room.out, room.notes, room.bounds
    # By tuple and column: the text's place and size, its place in ``out`` from, to (or NOTED).
    found = np.empty((2, len(columns), 4), np.int64)
    bounds[0] = 0
    for row in range(len(starts)):
        first, before, end = at, count, ends[row]
        at = begun(around, out, at)
        place, at, count = _tuple(data, starts[row], end, columns, out, at, found, 0, notes, count, row)
        if len(second) and place >= 0:
            place = _passed(data, place, end, second)
            if place >= 0:
                out[at] = _SOME
                place, at, count = _tuple(data, place, end, columns, out, at + 1, found, 1, notes, count, row)
        if place == end and (not len(second) or _same(data, found, key)):
            at = ended(around, row, out, at)
        else:
            at, count = first, before
        for number in range(len(key)):
            room.keys[number, 0, row] = found[0, key[number], 2]
            room.keys[number, 1, row] = max(found[0, key[number], 2], found[0, key[number], 3])
        bounds[row + 1] = at
    return count


@compiled
def _tuple(
    data: Bytes,
    place: int,
    end: int,
    columns: Places,
    out: Bytes,
    at: int,
    found: Places,
    which: int,
    notes: Places,
    count: int,
    row: int,
) -> tuple[int, int, int]:
    """Write one tuple; return the place after it (-1: it must be looked at by itself), that in ``out``, the notes."""
    for column in range(len(columns)):
        if place >= end:
            return -1, at, count
        mark, start, size = data[place], place, NULL
        place += 1
        if mark == _TEXT:
            start, size = place + _ROOM - 1, _size(data, place) if place + _ROOM - 1 <= end else end
            place = start + size
            if place > end:
                return -1, at, count
        elif mark == _UNCHANGED and which and found[0, column, 3] != NOTED:
            start, size = found[0, column, 0], found[0, column, 1]
        elif mark != _NULL:
            return -1, at, count
        code, argument, union, null = columns[column, 0], columns[column, 1], columns[column, 2], columns[column, 3]
        to = field(data, start, size, code, argument, union, null, out, at)
        found[which, column, 0], found[which, column, 1] = start, size
        found[which, column, 2], found[which, column, 3] = at, to
        if to == NOTED:
            count = note(notes, count, row, column, at, start, size)
        elif to < 0:
            return -1, at, count
        else:
            at = to
    return place, at, count


@compiled
def _size(data: Bytes, at: int) -> int:
    size = 0
    for place in range(4):
        size = size << 8 | int(np.int64(data[at + place]))
    return size


@compiled
def _passed(data: Bytes, place: int, end: int, second: Bytes) -> int:
    """Return the place after ``second``, or -1 where something else stands."""
    if place + len(second) > end:
        return -1
    for number in range(len(second)):
        if data[place + number] != second[number]:
            return -1
    return place + len(second)


@compiled
def _same(data: Bytes, found: Places, key: Places) -> bool:
    """Tell whether the columns ``key`` have the same texts in both tuples."""
    for number in range(len(key)):
        column = key[number]
        if found[0, column, 1] != found[1, column, 1]:
            return False
        for place in range(found[0, column, 1]):
            if data[found[0, column, 0] + place] != data[found[1, column, 0] + place]:
                return False
    return True
