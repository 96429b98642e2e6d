"""The source block around the changes of one transaction, in pieces that are made once.

Made by ``capture`` at each transaction's begin; used on every record.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sync.compiled import Bytes
from sync.schema import datum
from sync.source.postgresql.envelope import Origin, SourceBlock
from sync.source.postgresql.kernel.field import Places
from sync.source.postgresql.kernel.stamp import stamped
from sync.source.postgresql.kernel.value import MARGIN, MOST_MORE

_FEW = 32
"""Changes that are not worth doing together."""

_LARGE = 2**61
_AFTER_LSN = b'"]'
_LSN = 6
"""Pieces of the block before the field ``lsn``."""


class Frame:
    """What stands between a row and the envelope's ``transaction``.

    ``sequence`` is the block's field of that name up to the change's own LSN.
    """

    def __init__(self, block: SourceBlock, origin: Origin, sequence: bytes) -> None:
        self.origin = origin
        self.sequence = sequence
        self._block = block
        self._times = block.times(origin)
        self._xid = block.transaction(origin)
        self._closing = block.closing(origin)
        self._opening = b""
        self._digits = 0

    def source(self, names: bytes, lsn: int) -> tuple[bytes, ...]:
        """Return the block of one change in pieces; ``names`` are those of ``envelope.table_names``."""
        return self._pieces(b"%d" % lsn, names, datum.zigzag(lsn))

    def _pieces(self, number: bytes, names: bytes, lsn: bytes) -> tuple[bytes, ...]:
        if len(number) != self._digits:
            self._digits = len(number)
            more = len(number) + len(_AFTER_LSN)
            self._opening = self._block.opening(self.origin.ts_us, self.sequence, more)
        return self._opening, number, _AFTER_LSN, self._times, names, self._xid, lsn, self._closing

    def sources(self, names: bytes, lsns: list[int], after: bytes) -> tuple[Bytes, Places]:
        """Return the blocks of N changes, each with ``after`` behind it: their bytes, and where each is in them (2, N).

        The bytes have a ``MARGIN``.
        """
        digits, largest = len(b"%d" % lsns[0]), max(lsns)
        if len(lsns) < _FEW or digits != len(b"%d" % largest) or digits != len(b"%d" % min(lsns)) or largest > _LARGE:
            return joined([b"".join((*self.source(names, lsn), after)) for lsn in lsns])
        pieces = self._pieces(bytes(digits), names, b"")
        template = b"".join((*pieces, after, MARGIN))
        first, varied = len(pieces[0]), sum(map(len, pieces[:_LSN]))
        out = np.empty(len(lsns) * (len(template) + MOST_MORE), np.uint8)
        ends = np.empty((2, len(lsns)), np.int64)
        numbers = np.array(lsns, np.int64)
        stamped(numbers, np.frombuffer(template, np.uint8), digits, first + digits, varied, out, ends)
        return out, ends


def joined(blocks: Sequence[bytes]) -> tuple[Bytes, Places]:
    """Return N blocks as ``Frame.sources`` does."""
    ends = np.zeros((2, len(blocks)), np.int64)
    np.cumsum(np.fromiter(map(len, blocks), np.int64, len(blocks)), out=ends[1])
    ends[0, 1:] = ends[1, :-1]
    # As an array that can be written, as the stamped ones are.
    return np.frombuffer(bytearray(b"".join((*blocks, MARGIN))), np.uint8), ends
