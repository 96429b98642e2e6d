"""The source block around the changes of one transaction, in pieces that are made once.

Made by ``capture`` at each transaction's begin; used on every record.
"""

from __future__ import annotations

import numpy as np

from sync.schema import datum
from sync.source.postgresql import vector
from sync.source.postgresql.envelope import Origin, SourceBlock

_FEW = 32
"""Changes that are not worth doing together."""

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

    def sources(self, names: bytes, lsns: list[int], after: bytes) -> list[bytes]:
        """Return the blocks of many changes, each with ``after`` behind it."""
        digits = len(b"%d" % lsns[0])
        if len(lsns) < _FEW or digits != len(b"%d" % max(lsns)) or digits != len(b"%d" % min(lsns)):
            return [b"".join((*self.source(names, lsn), after)) for lsn in lsns]
        numbers = np.array(lsns, np.int64)
        encoded = vector.varints(numbers)
        size = len(encoded.content)
        if np.any(encoded.sizes != size):
            return [b"".join((*self.source(names, lsn), after)) for lsn in lsns]
        pieces = self._pieces(bytes(digits), names, bytes(size))
        template = np.frombuffer(b"".join((*pieces, after)), np.uint8)
        blocks = np.repeat(template[None], len(lsns), axis=0)
        first = len(pieces[0])
        for place in range(first + digits - 1, first - 1, -1):
            numbers, digit = np.divmod(numbers, 10)
            blocks[:, place] = digit + ord("0")
        first = sum(map(len, pieces[:_LSN]))
        for place, part in enumerate(encoded.content):
            blocks[:, first + place] = part
        joined, width = blocks.tobytes(), len(template)
        return [joined[start : start + width] for start in range(0, len(joined), width)]
