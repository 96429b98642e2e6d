"""Lines of COPY's text format → rows of Avro.

Called by ``snapshot.rows``. Format: PostgreSQL documentation, "COPY", "Text Format".
"""

from __future__ import annotations

import numpy as np

from sync.compiled import Bytes, compiled
from sync.source.postgresql.kernel.field import NOTED, NULL, REFUSED, Around, Places, Room, begun, ended, field, note

NONE = -1
UNEVEN = -2

_BACKSLASH, _TAB, _END, _N = b"\\\t\nN"
_ESCAPES, _MEANT = b"bfnrtv", b"\b\f\n\r\t\v"


@compiled
def rows(data: Bytes, size: int, columns: Places, key: Places, around: Around, room: Room) -> tuple[int, int]:
    """Write records of N lines of C fields; return how many notes there are, and what is wrong with the lines.

    That is ``NONE``; the first column that has a NULL and no form for it; or ``UNEVEN``, where a line has not C fields.
    The lines are the first ``size`` bytes of ``data``. A noted text is told as it stands there, with its escapes.
    """
    at = count = place = 0
    width, refused = len(columns), len(columns)
    out, notes, bounds = room.out, room.notes, room.bounds
    plain = np.empty(len(data), np.uint8)
    found = np.empty((width, 2), np.int64)
    bounds[0] = 0
    for row in range(len(bounds) - 1):
        at = begun(around, out, at)
        for column in range(width):
            start, escaped = place, False
            while place < size and data[place] != _TAB and data[place] != _END:
                escaped = escaped or data[place] == _BACKSLASH
                place += 1
            if place == size or data[place] != (_TAB if column < width - 1 else _END):
                return count, UNEVEN
            length = place - start
            place += 1
            code, argument, union, null = columns[column, 0], columns[column, 1], columns[column, 2], columns[column, 3]
            if escaped and length == 2 and data[start + 1] == _N:
                escaped, length = False, NULL
            if escaped:
                shorter = _unescaped(data, start, length, plain)
                to = field(plain, 0, shorter, code, argument, union, null, out, at)
            else:
                to = field(data, start, length, code, argument, union, null, out, at)
            found[column, 0], found[column, 1] = at, to
            if to == NOTED:
                count = note(notes, count, row, column, at, start, length)
            elif to == REFUSED:
                refused = min(refused, column)
            else:
                at = to
        for number in range(len(key)):
            room.keys[number, 0, row] = found[key[number], 0]
            room.keys[number, 1, row] = max(found[key[number], 0], found[key[number], 1])
        at = ended(around, row, out, at)
        bounds[row + 1] = at
    if place != size:
        return count, UNEVEN
    return count, refused if refused < width else NONE


@compiled
def _unescaped(data: Bytes, start: int, size: int, plain: Bytes) -> int:
    """Write a text without its escapes; return its size."""
    at, place, end = 0, start, start + size
    while place < end:
        byte = data[place]
        place += 1
        if byte == _BACKSLASH and place < end:
            byte = data[place]
            place += 1
            for number in range(len(_ESCAPES)):
                if byte == _ESCAPES[number]:
                    byte = _MEANT[number]
        plain[at] = byte
        at += 1
    return at
