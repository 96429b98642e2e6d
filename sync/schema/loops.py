"""Loops over every field of many records, compiled to machine code.

Called by ``cells``, which makes room for what they write. Binary encoding: Avro 1.12, "Binary Encoding".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sync.compiled import PIECE, Bytes, compiled, move_piece

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

SIZED, VARINT, BYTE = range(3)
"""How a value tells where it ends: by its size in front, by its own last byte, at once."""

_SOME = 2
_MOST_BITS = 63


@compiled
def find(data: Bytes, bounds: Places, kinds: Bytes, nullable: Flags, places: NDArray[Any], there: Flags) -> bool:
    """Write where each of F fields of N datums begins, and whether it is there; false where one is no such datum.

    ``bounds``: 2 × N, begin and end of each datum in ``data``. ``places``: N × (F + 1). ``there``: F × N.
    """
    fields, count = there.shape
    for one in range(count):
        at, end = bounds[0, one], bounds[1, one]
        for field in range(fields):
            places[one, field] = at
            if nullable[field]:
                if at >= end or (data[at] != 0 and data[at] != _SOME):
                    return False
                at += 1
                there[field, one] = data[at - 1] == _SOME
                if not there[field, one]:
                    continue
            else:
                there[field, one] = True
            if kinds[field] == BYTE:
                at += 1
                continue
            number = shift = 0
            while True:
                if at >= end or shift > _MOST_BITS:
                    return False
                byte = int(data[at])
                at += 1
                number |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            if kinds[field] == SIZED:
                # Odd are the negative ones, in zigzag.
                if number < 0 or number & 1 or number >> 1 > end - at:
                    return False
                at += number >> 1
        if at != end:
            return False
        places[one, fields] = at
    return True


class Scanned(NamedTuple):
    """N datums as ``find`` has left them.

    ``data`` has PIECE bytes more than are told of. ``fields``: for each of F fields its number among those of
    ``places``; negative where the datums have no such field.
    """

    data: Bytes
    places: NDArray[Any]
    fields: Places


@compiled
def choose(first: Scanned, second: Scanned, limit: int, numbers: Places, chosen: Places, bounds: Places) -> Bytes:
    """Return E datums one after the other, followed by PIECE bytes of room; ``bounds`` (E + 1) tells where they begin.

    Field f of datum e is that of record ``numbers[chosen[f, e]]``, null where ``chosen`` is negative. Records from
    ``limit`` on are those of ``second``.
    """
    fields, count = chosen.shape
    size = 0
    for one in range(count):
        bounds[one] = size
        for field in range(fields):
            record = numbers[chosen[field, one]] if chosen[field, one] >= 0 else -1
            if record < limit:
                size += _size(first, field, record)
            else:
                size += _size(second, field, record - limit)
    bounds[count] = size
    out = np.empty(size + PIECE, np.uint8)
    at = 0
    for one in range(count):
        for field in range(fields):
            record = numbers[chosen[field, one]] if chosen[field, one] >= 0 else -1
            if record < limit:
                at = _taken(first, field, record, out, at)
            else:
                at = _taken(second, field, record - limit, out, at)
    return out


@compiled
def _size(scanned: Scanned, field: int, record: int) -> int:
    """How many bytes a field takes; one where it is null."""
    number = scanned.fields[field]
    if record < 0 or number < 0:
        return 1
    return int(scanned.places[record, number + 1]) - int(scanned.places[record, number])


@compiled
def _taken(scanned: Scanned, field: int, record: int, out: Bytes, at: int) -> int:
    """Copy a field, or write null; return where it ends in ``out``."""
    number = scanned.fields[field]
    if record < 0 or number < 0:
        out[at] = 0
        return at + 1
    return _moved(scanned.data, scanned.places[record, number], scanned.places[record, number + 1], out, at)


@compiled
def project(data: Bytes, places: NDArray[Any], runs: Places, separator: Bytes) -> Bytes:
    """Return some fields of N records, the separator behind each record's, followed by PIECE bytes of room.

    ``places``: N × (F + 1). ``runs``: R × 2, the first field of each run and the one behind it.
    ``data`` has PIECE bytes more than are told of.
    """
    count, parts = len(places), len(runs)
    size = len(separator) * count
    for one in range(count):
        for run in range(parts):
            start, stop = runs[run, 0], runs[run, 1]
            size += places[one, stop] - places[one, start]
    out = np.empty(size + PIECE, np.uint8)
    at = 0
    for one in range(count):
        for run in range(parts):
            at = _moved(data, places[one, runs[run, 0]], places[one, runs[run, 1]], out, at)
        for number in range(len(separator)):
            out[at] = separator[number]
            at += 1
    return out


@compiled
def _moved(data: Bytes, start: int, stop: int, out: Bytes, at: int) -> int:
    """Copy bytes, some more than asked for; return where they end in ``out``."""
    for step in range(0, stop - start, PIECE):
        move_piece(data, start + step, out, at + step)
    return at + stop - start


def prepare() -> None:
    """Load or compile the machine code now, so that no record waits for it: a second, or some on a new machine."""
    data, none, places = np.frombuffer(bytes(PIECE), np.uint8), np.empty(0, np.int64), np.empty((0, 1), np.int32)
    there, bounds = np.empty((0, 0), np.bool_), np.empty(1, np.int64)
    find(data, np.empty((2, 0), np.int64), np.empty(0, np.uint8), np.empty(0, np.bool_), places, there)
    scanned = Scanned(data, places, none)
    choose(scanned, scanned, 0, none, np.empty((0, 0), np.int64), bounds)
    project(data, places, np.empty((0, 2), np.int64), data[:0])
