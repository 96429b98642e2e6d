"""The source offset of a PostgreSQL connector: a position in the log and whether the snapshot is complete.

Kept in Connect's offsets topic under the partition ``{"server": <topic.prefix>}``, as Debezium's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.errors import ConfigError, PositionLost
from sync.record import Position
from sync.source.postgresql.server import Server

EXTRA = ("progress", "held", "incremental")


@dataclass(frozen=True, slots=True)
class Offset:
    """``snapshot`` is true while rows are still being read.

    ``server`` is the one that the position belongs to, where that is known (Debezium's offsets don't say).
    ``extra`` holds what else there is to know, under the names of ``EXTRA``: the snapshot's ``progress`` (or, once it
    is complete, what of it the log will repeat: ``held``), the state of ``incremental`` snapshots.
    """

    position: Position
    snapshot: bool = False
    server: Server | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> dict[str, Any]:
        """Return the JSON object: ``lsn``, and within a transaction ``lsn_commit`` and ``events``."""
        offset: dict[str, Any] = {"lsn": self.position.end}
        if self.position.events:
            offset |= {"lsn_commit": self.position.commit, "events": self.position.events}
        if self.snapshot:
            offset["snapshot"] = True
        if self.server is not None:
            offset |= {"system_id": self.server.system_id, "timeline": self.server.timeline}
        return {**offset, **self.extra}

    @classmethod
    def decode(cls, stored: Mapping[str, Any]) -> Offset:
        """Read a stored offset. PositionLost where it isn't one of this connector."""
        try:
            position = Position(int(stored["lsn"]), int(stored.get("lsn_commit", 0)), int(stored.get("events", 0)))
            server = Server(str(stored["system_id"]), int(stored["timeline"])) if "system_id" in stored else None
        except (KeyError, TypeError, ValueError) as error:
            raise PositionLost(
                "The connector's stored offset can't be read: it has no 'lsn', or a number that is none.",
                hint="delete the connector's offsets: the next start reads a new snapshot",
            ) from error
        extra = {name: stored[name] for name in EXTRA if name in stored}
        return cls(position, bool(stored.get("snapshot", False)), server, extra)


def partition(prefix: str) -> dict[str, str]:
    """Return the source partition of a connector."""
    return {"server": prefix}


def require_offset(prefix: str, given: Mapping[str, Any], offset: Mapping[str, Any] | None) -> None:
    """Raise ConfigError where a connector of ``prefix`` could not go on from ``offset`` of the partition ``given``.

    Debezium's offsets pass: what of them isn't ours is kept and not looked at.
    """
    if given != partition(prefix):
        raise ConfigError(
            f"the partition of this connector is {partition(prefix)}.",
            hint="take it from GET /connectors/<name>/offsets",
        )
    if offset is None:
        return
    for name, required in (("lsn", True), ("lsn_commit", False), ("events", False), ("timeline", False)):
        value = offset.get(name)
        if value is None and not required:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
            raise ConfigError(f"the offset's {name} is not a whole number from 0 to 2^64 - 1.", hint="correct it")
    if not isinstance(offset.get("snapshot", False), bool):
        raise ConfigError("the offset's snapshot is not true or false.", hint="correct it, or leave it out")
