"""Changes of one table in a row of the same shape: encoded together.

Used by ``capture``. The layout of a tuple: PostgreSQL documentation, 54.9 "Logical Replication Message Formats".
"""

from __future__ import annotations

import numpy as np

from sync.compiled import Bytes
from sync.errors import Refused
from sync.source.postgresql.batch import Record
from sync.source.postgresql.frame import Frame, joined
from sync.source.postgresql.kernel import log
from sync.source.postgresql.kernel.encoded import Encoded, room
from sync.source.postgresql.kernel.field import Around, Places
from sync.source.postgresql.kernel.value import MARGIN
from sync.source.postgresql.pgoutput import DAMAGED, HEADER
from sync.source.postgresql.route import Route

Message = bytes | memoryview

_COLUMNS = HEADER + 5 + 3
"""Where the first tuple's columns begin: after the table's oid, the tuple's mark and its column count."""


class Run:
    """Changes of one table and one shape, as they came, with their frames and LSNs.

    A shape is a message's kind, and the mark and column count of its first tuple. ``pairs`` tells that a whole old
    row comes first.
    """

    def __init__(self, route: Route, kind: int, mark: bytes) -> None:
        self.route = route
        self.kind, self.mark = kind, mark
        self.pairs = mark[:1] == b"O"
        self.messages: list[Message] = []
        self.lsns: list[int] = []
        self.frames: list[Frame] = []

    def add(self, message: Message, lsn: int, frame: Frame) -> None:
        """Add a change."""
        self.messages.append(message)
        self.lsns.append(lsn)
        self.frames.append(frame)

    def records(self, ending: bytes) -> list[Record | None]:
        """Return the changes' records, ``ending`` the end of each; None for one that must be encoded by itself."""
        route, count = self.route, len(self.messages)
        table = route.rows
        ends = np.cumsum(np.fromiter(map(len, self.messages), np.int64, count))
        starts = np.concatenate((np.zeros(1, np.int64), ends[:-1])) + _COLUMNS
        data = b"".join((*self.messages, MARGIN))
        before = route.updated if self.pairs else route.created
        after, places = self._sources(ending)
        around = Around(np.frombuffer(before, np.uint8), after, places)
        size = len(data) + count * len(before) + len(after)
        space = room(count, size, count * len(table.cells) * (1 + self.pairs), len(route.key_columns))
        second = np.frombuffer(table.new if self.pairs else b"", np.uint8)
        view = np.frombuffer(data, np.uint8)
        notes = log.rows(view, starts, ends, route.columns, second, route.key_columns, around, space)
        try:
            encoded = Encoded(
                space, notes, route.key_columns, table.cells, lambda start, size: data[start : start + size]
            )
        except (*DAMAGED, Refused):
            # Which of them it is, and what to say of it, tells each by itself.
            return [None] * count
        records = zip(route.keys(encoded.keys), encoded.rows, strict=False)
        if all(encoded.rows):
            return list(records)
        return [record if record[1] else None for record in records]

    def _sources(self, ending: bytes) -> tuple[Bytes, Places]:
        names = self.route.names
        if self.frames[0] is self.frames[-1]:
            return self.frames[0].sources(names, self.lsns, ending)
        return joined(
            [b"".join((*frame.source(names, lsn), ending)) for frame, lsn in zip(self.frames, self.lsns, strict=True)]
        )
