"""The window of one chunk: from before its rows are read until the log is past what they hold. Pure.

Rows that the log changes in between come from the log only, as Debezium's de-duplication window has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sync.source.postgresql.batch import Record
from sync.source.postgresql.snapshot.progress import View

_WIRE_HEADER = 5


class Recent:
    """Changes that the log has told while the server may not have shown them yet: by round, with its transactions.

    The log tells of a commit a moment before a snapshot holds it, so that a row read after it can be older than it.
    """

    def __init__(self) -> None:
        self._rounds: list[tuple[tuple[int, ...], dict[str, list[Record]]]] = []
        self._open: tuple[int, ...] = ()

    def note(self, begun: Sequence[int], is_open: bool, changes: dict[str, list[Record]]) -> None:
        """Add a round: the transactions that began in it, whether the last one goes on, its changes by topic."""
        xids = (*self._open, *begun)
        self._open = xids[-1:] if is_open else ()
        if any(changes.values()):
            self._rounds.append((xids, changes))

    def clear(self) -> None:
        """Forget all rounds."""
        self._rounds.clear()

    def hidden(self, view: View, topic: str) -> list[Record]:
        """Return the topic's changes of rounds with a transaction that ``view`` does not hold; forget the others."""
        self._rounds = [found for found in self._rounds if not all(view.holds(xid) for xid in found[0])]
        return [record for _, changes in self._rounds for record in changes.get(topic, ())]


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
