"""The nouns of capture that every source kind shares: a table's name and a position in a source's log.

Used by ``sync.source`` (and by whoever reads source offsets). Pure data: no I/O, no Kafka, no database.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class TableId:
    """A table within one database, as the database spells it."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log has been read, to the single change.

    ``end`` is the end (a log sequence number, bytes) of the last transaction that was read whole. Where a
    transaction was read in part, ``commit`` is its commit position (greater than or equal to ``end``) and
    ``events`` how many of its changes were read: a restart gets the transaction again from its first
    change and skips that many (invariant 2).
    """

    end: int
    commit: int = 0
    events: int = 0

    def skip(self, commit: int) -> int | None:
        """Return how many leading changes of the transaction with this commit position were read before.

        None means all of them: the transaction ended before ``end``.
        """
        if commit < self.end:
            return None
        return self.events if self.events and commit == self.commit else 0
