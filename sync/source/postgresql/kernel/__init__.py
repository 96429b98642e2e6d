"""The loops over fields of capture, compiled to machine code.

``value`` turns one text into its Avro form, ``log`` reads tuples of pgoutput and ``copy`` lines of COPY, many at a
time; ``stamp`` writes what is almost the same in many records. ``encoded`` is what they give to ``run`` and to
``snapshot.rows``.
"""

from __future__ import annotations

import numpy as np

from sync.source.postgresql.kernel import copy, log, stamp
from sync.source.postgresql.kernel.field import Around, Room
from sync.source.postgresql.kernel.value import MARGIN


def prepare() -> None:
    """Load or compile the machine code now, so that no record waits for it: a second, or some on a new machine."""
    none, out, places = np.frombuffer(b"", np.uint8), np.empty(0, np.uint8), np.empty(0, np.int64)
    columns, ends, bounds = np.empty((0, 4), np.int64), np.empty((2, 0), np.int64), np.empty(1, np.int64)
    room = Room(out, bounds, np.empty((0, 2, 0), np.int64), np.empty((0, 5), np.int64))
    around = Around(none, out, ends)
    log.rows(none, places, places, columns, none, places, around, room)
    copy.rows(none, 0, columns, places, around, room)
    stamp.stamped(places, np.frombuffer(MARGIN, np.uint8), 0, 0, 0, out, ends)
