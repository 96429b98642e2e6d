"""One field of a row: written, or noted to be encoded by itself.

Called by ``log`` and ``copy``. A column is four numbers: the code and argument of its form, the byte that
stands before a value (its branch of a union, or ``NOTHING``), and the byte of a NULL, ``NOTHING`` where a NULL has no
form, ``NOTED`` where its form is longer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sync.compiled import Bytes, compiled
from sync.source.postgresql import form
from sync.source.postgresql.kernel.value import move, value

Places = NDArray[np.int64]

NOTHING, NOTED = -1, -2

NULL = -1
"""The size of a NULL."""

NOTE = 5
"""Numbers of a note: row, column, place in the output, where the text begins, its size in bytes."""

REFUSED = -1
"""Told where a NULL has no form."""

_ABSENT = form.ABSENT.code


class Room(NamedTuple):
    """Where N records of a table with K key columns are written, and at most M notes.

    Record n becomes ``out[bounds[n]:bounds[n + 1]]`` (``bounds``: N + 1). ``keys`` (K, 2, N) are the places in ``out``
    of the columns of the key, ``notes`` (M, 5) the fields that are left to their columns' encoders.
    """

    out: Bytes
    bounds: Places
    keys: Places
    notes: Places


class Around(NamedTuple):
    """What stands around each row: ``before``, and ``after[ends[0, n]:ends[1, n]]``. ``after`` has a ``MARGIN``."""

    before: Bytes
    after: Bytes
    ends: Places


@compiled
def begun(around: Around, out: Bytes, at: int) -> int:
    """Write what stands before a row; return the place after it."""
    before = around.before
    for place in range(len(before)):
        out[at + place] = before[place]
    return at + len(before)


@compiled
def ended(around: Around, row: int, out: Bytes, at: int) -> int:
    """Write what stands after a row; return the place after it."""
    start: int = around.ends[0, row]
    size: int = around.ends[1, row] - start
    move(around.after, start, size, out, at)
    return at + size


@compiled
def field(
    data: Bytes, start: int, size: int, code: int, argument: int, union: int, null: int, out: Bytes, at: int
) -> int:
    """Write a text, or a NULL; return the place after it, ``REFUSED``, or ``NOTED`` where it must be noted."""
    if code == _ABSENT:
        return at
    if size == NULL:
        if null < 0:
            return NOTED if null == NOTED else REFUSED
        out[at] = null
        return at + 1
    first = at
    if union >= 0:
        out[at] = union
        first += 1
    end = value(data, start, size, code, argument, out, first)
    return NOTED if end < 0 else end


@compiled
def note(notes: Places, count: int, row: int, place: int, at: int, start: int, size: int) -> int:
    """Add a note; return how many there are."""
    notes[count, 0], notes[count, 1], notes[count, 2] = row, place, at
    notes[count, 3], notes[count, 4] = start, size
    return count + 1
