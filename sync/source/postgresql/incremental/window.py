"""The window of one chunk: from before its rows are read until the log is past what they hold. Pure.

Rows that the log changes in between come from the log only, as Debezium's de-duplication window has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sync.source.postgresql.capture import Record

_WIRE_HEADER = 5


class Window:
    """Keys that were changed while the window was open. Opened before the chunk's snapshot is taken."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._touched: set[bytes] = set()
        self._emptied = False

    def touch(self, records: Iterable[Record]) -> None:
        """Note the changes that the log wrote to the topic."""
        for key, _ in records:
            if key is None:
                # A truncate, or a table without a key, of which no row can be told from another.
                self._emptied = True
            else:
                # The key's schema may be of another version than the chunk's.
                self._touched.add(key[_WIRE_HEADER:])

    def rows(self, records: Sequence[Record]) -> list[Record]:
        """Return those of a chunk's records that the log did not change meanwhile."""
        if self._emptied:
            return []
        touched = self._touched
        return [record for record in records if record[0] is not None and record[0][_WIRE_HEADER:] not in touched]
