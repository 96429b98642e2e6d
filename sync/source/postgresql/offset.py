"""The source offset of a PostgreSQL connector: a position in the log and whether the snapshot is complete.

Kept in Connect's offsets topic under the partition ``{"server": <topic.prefix>}``, as Debezium's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.errors import PositionLost
from sync.record import Position


@dataclass(frozen=True, slots=True)
class Offset:
    """``snapshot`` is true while rows are still being read: a restart then reads them all again."""

    position: Position
    snapshot: bool = False

    def encode(self) -> dict[str, Any]:
        """Return the JSON object: ``lsn``, and within a transaction ``lsn_commit`` and ``events``."""
        offset: dict[str, Any] = {"lsn": self.position.end}
        if self.position.events:
            offset |= {"lsn_commit": self.position.commit, "events": self.position.events}
        if self.snapshot:
            offset["snapshot"] = True
        return offset

    @classmethod
    def decode(cls, stored: Mapping[str, Any]) -> Offset:
        """Read a stored offset. PositionLost where it isn't one of this connector."""
        try:
            position = Position(int(stored["lsn"]), int(stored.get("lsn_commit", 0)), int(stored.get("events", 0)))
        except (KeyError, TypeError, ValueError) as error:
            raise PositionLost(
                "The connector's stored offset can't be read: it has no 'lsn'.",
                hint="delete the connector's offsets: the next start reads a new snapshot",
            ) from error
        return cls(position, bool(stored.get("snapshot", False)))


def partition(prefix: str) -> dict[str, str]:
    """Return the source partition of a connector."""
    return {"server": prefix}
