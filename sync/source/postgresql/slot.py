"""Decisions about the replication slot: make it, trust it, or stop because it does not continue the position.

Called by the task before the snapshot and before the stream (invariant 9: a position never jumps silently).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sync.errors import PositionLost, Refused, Unavailable
from sync.record import Position
from sync.source.postgresql.catalog import Catalog, Slot
from sync.source.postgresql.offset import Offset
from sync.source.postgresql.replication import REMEDY, Replication, require_failover
from sync.source.postgresql.server import require_history
from sync.source.postgresql.session import connect, place
from sync.source.postgresql.setting import Settings

_PAUSE = 0.2
"""Seconds between looks at a slot that another connection still holds: a killed predecessor's, until TCP notices."""

_COURTESY = 1.0
"""Seconds that a former run has to notice by itself that it was fenced."""


def _own(settings: Settings, slot: Slot) -> None:
    if slot.plugin != "pgoutput" or slot.database != settings.database:
        raise Refused(
            f"Replication slot {settings.slot} at {place(settings)} belongs to something else "
            f"(plug-in {slot.plugin}, database {slot.database}).",
            hint="choose another slot.name",
        )


def require_continuation(settings: Settings, offset: Offset) -> None:
    """Raise unless this server's log goes on from ``offset``. PositionLost, Refused, Unavailable."""
    replication = Replication(settings)
    try:
        require_history(replication, offset.server, offset.position)
    finally:
        replication.close()
    with connect(settings) as connection:
        require_slot(settings, Catalog(settings, connection), offset.position)


def require_slot(settings: Settings, catalog: Catalog, position: Position) -> Slot:
    """Return the slot, which still has all changes after ``position``. Raises PositionLost, Refused, Unavailable."""
    slot = catalog.slot()
    hint = REMEDY.format(slot=settings.slot)
    if slot is None:
        raise PositionLost(f"Replication slot {settings.slot} is gone from {place(settings)}.", hint=hint)
    _own(settings, slot)
    if slot.lost:
        raise PositionLost(
            f"Replication slot {settings.slot} at {place(settings)} was invalidated: the server removed log it needed.",
            hint=f"raise max_slot_wal_keep_size, then {hint}",
        )
    # We confirm only what Kafka has, so a slot that is ahead was made anew or moved by somebody else.
    if slot.confirmed > position.end:
        raise PositionLost(
            f"Replication slot {settings.slot} at {place(settings)} is ahead of the connector's offset: it was "
            "made anew or advanced by someone else.",
            hint=hint,
        )
    return slot


def take_snapshot_slot(
    settings: Settings, *, keep: bool, stop: threading.Event | None = None
) -> tuple[Replication | None, Position, str]:
    """Return a new slot's connection, its position and the name of its exported snapshot.

    There is no position to keep, so an older slot of ours is dropped first; with ``keep`` it is used from where it
    is, and nothing is exported. The connection must stay open until the snapshot was taken up. Raises Refused,
    Unavailable.
    """
    with connect(settings) as connection:
        slot = Catalog(settings, connection).slot()
    if slot is not None:
        _own(settings, slot)
        if keep and not slot.lost:
            return None, Position(slot.confirmed), ""
    replication = Replication(settings)
    try:
        if slot is not None and not _patiently(replication.drop_slot, stop or threading.Event(), settings.patience):
            raise Unavailable(f"Stopped while replication slot {settings.slot} was in use.")
        position, name = replication.create_slot()
    except BaseException:
        replication.close()
        raise
    if keep:
        replication.close()
        return None, Position(position), ""
    return replication, Position(position), name


def start_stream(replication: Replication, slot: Slot, position: int, stop: threading.Event) -> bool:
    """Start the stream, waiting a while for a slot still in use; False when the stop request came first.

    A slot that was made before ``slot.failover`` asked for it becomes one that a standby keeps.
    """
    if replication.settings.failover and not slot.failover:
        require_failover(replication.settings, replication.server_version)
        if not _patiently(replication.set_failover, stop, replication.settings.patience):
            return False
    settings = replication.settings
    return _patiently(lambda: replication.start(position), stop, settings.patience, lambda: _end_predecessor(settings))


def _end_predecessor(settings: Settings) -> None:
    """End the session by which a former run of this task still holds the slot: frozen, or cut off from us.

    That run has been fenced in Kafka before, so nothing of it is lost. Anybody else's session is left alone.
    """
    with connect(settings) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(a.pid) FROM pg_replication_slots s JOIN pg_stat_activity a "
            "ON a.pid = s.active_pid WHERE s.slot_name = %s AND a.application_name = %s AND a.usename = current_user",
            (settings.slot, settings.connection["application_name"]),
        )


def _patiently(
    action: Callable[[], None],
    stop: threading.Event,
    patience: float,
    refused: Callable[[], None] = lambda: None,
) -> bool:
    """Try ``action`` until it succeeds; ``refused`` is called about once a second while it does not."""
    began = time.monotonic()
    deadline, look = began + patience, began + _COURTESY
    while True:
        try:
            action()
            return True
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
        if time.monotonic() >= look:
            refused()
            look = time.monotonic() + _COURTESY
        if stop.wait(_PAUSE):
            return False
