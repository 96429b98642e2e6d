"""Copies of one piece of a record that differ in a number only.

Called by ``frame`` for the source blocks of a transaction's changes.
"""

from __future__ import annotations

from sync.compiled import PIECE, Bytes, compiled
from sync.source.postgresql.kernel.field import Places
from sync.source.postgresql.kernel.value import move, varint

_ZERO = 48


@compiled
def stamped(numbers: Places, template: Bytes, digits: int, last: int, varied: int, out: Bytes, ends: Places) -> int:
    """Write N times the template, with each number's digits up to before ``last``, and its varint put in at ``varied``.

    ``digits`` is how many there are. Copy n is ``out[ends[0, n]:ends[1, n]]``; returned is where the last ends. The
    template has a ``MARGIN`` that is not written.
    """
    at, size = 0, len(template) - PIECE
    for row in range(len(numbers)):
        number = numbers[row]
        ends[0, row] = at
        move(template, 0, varied, out, at)
        for place in range(digits):
            out[at + last - 1 - place] = number % 10 + _ZERO
            number //= 10
        at = varint(numbers[row], out, at + varied)
        move(template, varied, size - varied, out, at)
        at += size - varied
        ends[1, row] = at
    return at
