"""Which server a position belongs to: the cluster's system identifier and its timeline, kept in the source offset.

Called by the task before it goes on from a stored offset (invariant 9: a position never jumps silently). A log
position means something only within the history of one cluster: a restored or a wrong server may have a slot of the
same name, and the position may even lie within its log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sync.errors import PositionLost
from sync.record import Position
from sync.source.postgresql.replication import REMEDY, Replication, lsn
from sync.source.postgresql.session import place
from sync.source.postgresql.setting import Settings

_FORK = re.compile(rb"^\s*(\d+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)")


@dataclass(frozen=True, slots=True)
class Server:
    """A cluster as IDENTIFY_SYSTEM tells it. ``timeline`` is 0 where it isn't settled: on a standby."""

    system_id: str
    timeline: int


def identify(settings: Settings) -> Server:
    """Return the server that answers. Raises Refused, Unavailable."""
    replication = Replication(settings)
    try:
        system_id, timeline, _ = replication.identify()
    finally:
        replication.close()
    return Server(system_id, timeline)


def forks(history: bytes) -> dict[int, int]:
    """Return timeline → position at which the next one left it, of a timeline history file's content."""
    found = (_FORK.match(line) for line in history.splitlines())
    return {int(match[1]): lsn(match[2]) for match in found if match is not None}


def require_history(replication: Replication, stored: Server | None, position: Position) -> Server:
    """Return the server, which has all of the log that ``position`` stands at the end of.

    A promoted standby has it if it had received the log up to there when it was promoted. Raises PositionLost.
    """
    system_id, timeline, end = replication.identify()
    now = Server(system_id, timeline)
    if stored is None:
        return now
    if stored.system_id != now.system_id:
        raise _lost(
            replication.settings,
            f"is another cluster than the one that the connector's offset belongs to (system identifier "
            f"{now.system_id}, not {stored.system_id})",
            "check database.hostname and database.port; if the database was moved on purpose, ",
        )
    if now.timeline == 0:
        return now
    if stored.timeline not in (0, now.timeline):
        _require_branch(replication, stored, now, position)
    if position.end > end:
        raise _lost(
            replication.settings,
            f"has no log after {_text(end)}, which is before the connector's position: it was restored to an earlier "
            "point, or lost what it had not yet written to its disk",
        )
    return now


def _require_branch(replication: Replication, stored: Server, now: Server, position: Position) -> None:
    fork = forks(replication.history(now.timeline)).get(stored.timeline) if now.timeline > stored.timeline else None
    if fork is None:
        raise _lost(
            replication.settings,
            f"is on timeline {now.timeline}, which does not come from timeline {stored.timeline} of the connector's "
            "offset: the server was restored to an earlier point",
        )
    if position.end > fork:
        raise _lost(
            replication.settings,
            f"left timeline {stored.timeline} at {_text(fork)}, before the connector's position: changes were captured "
            "that the promoted standby never received",
            "name the standby in synchronized_standby_slots, so that nothing is captured that it lacks; then ",
        )


def _lost(settings: Settings, what: str, advice: str = "") -> PositionLost:
    return PositionLost(f"PostgreSQL at {place(settings)} {what}.", hint=f"{advice}{REMEDY.format(slot=settings.slot)}")


def _text(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
