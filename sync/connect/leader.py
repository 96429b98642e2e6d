"""What the worker that leads its group does: it alone writes registrations and decides which slot a task is in.

Called by ``sync.connect.herder`` (its thread) and, through ``submit`` and ``deployment``, by the REST API's threads.
Only the owner of the leader's slot leads; that two never write at once is the fencing of the registry's business.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sync import metrics
from sync.connect.membership import Membership
from sync.connect.preparation import Preparation
from sync.connect.problem import NotReady, Rebalancing
from sync.connect.registrations import (
    STOPPED,
    Book,
    Changes,
    Owner,
    Part,
    Registration,
    TaskId,
    deployment_changes,
)
from sync.connect.registry import Registry
from sync.connect.settings import Settings
from sync.connect.slot import choose, even
from sync.errors import Fenced, SyncError

log = logging.getLogger(__name__)

_WRITE = 10.0
"""How long a write waits until this worker has read it, s."""


class Leader:
    """The leading part of one worker. ``book`` tells what the worker knows."""

    def __init__(
        self,
        settings: Settings,
        preparation: Preparation,
        registry: Registry,
        membership: Membership,
        book: Callable[[], Book],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._preparation = preparation
        self._registry = registry
        self._membership = membership
        self._book = book
        self._instance = uuid.uuid4().hex
        self._active = False
        self._sought: Owner | None = None
        self._sequence = 0
        self._clock = clock
        self._stale = True
        self._even_at: float | None = None
        self._owners: dict[int, str] = {}
        self._writing = threading.Lock()
        self._seen = threading.Condition()

    @property
    def active(self) -> bool:
        """Whether this worker leads, as far as it knows."""
        return self._active

    # For the herder's thread.

    def lead(self) -> None:
        """Depose the former leader; ``taken`` sees when that is done. Raises Unavailable, Refused, Fenced."""
        former = self._book().owner
        term = (former.term if former else 0) + 1
        self._sought = Owner(self._settings.worker_id, self._instance, self._settings.advertised_url, term)
        with self._writing:
            self._sequence = 0
            self._registry.lead(self._sought)

    def taken(self) -> None:
        """The book has a new page: begin to lead when our own record is read, end with that of another leader."""
        owner = self._book().owner
        if owner is not None and owner == self._sought and not self._active:
            log.info("Worker %s leads group %s.", self._settings.worker_id, self._settings.group)
            self._active, self._sought = True, None
            self.unsettle()
            metrics.WORKER_LEADER.set(1)
        elif owner is not None and owner.instance != self._instance:
            self.resign()
        with self._seen:
            self._seen.notify_all()

    def unsettle(self) -> None:
        """Workers or tasks have come or gone: look whether tasks are even, once that is over."""
        self._stale = True
        # Not at once: tasks that have just been taken over should run, and a worker may be back in a moment.
        self._even_at = self._clock() + self._settings.even_after

    def resign(self) -> None:
        """Lead no more."""
        if self._active:
            log.info("Worker %s no longer leads group %s.", self._settings.worker_id, self._settings.group)
        self._active, self._sought = False, None
        metrics.WORKER_LEADER.set(0)
        with self._seen:
            self._seen.notify_all()

    def arrange(self) -> None:
        """Make tasks for connectors that have none yet, and even out after a change. Raises Unavailable, Refused."""
        if not self._active or not self._writing.acquire(blocking=False):
            # Whoever writes now waits for the herder, which must therefore not wait for it.
            return
        try:
            missing = [found for found in self._book().known.values() if found.deployment is None]
            for registration in missing:
                self._write(self.deployment(registration))
            if self._stale and (owners := self._membership.owners()) is not None:
                self._owners, self._stale = owners, False
            if self._even_at is not None and not self._stale and self._clock() >= self._even_at:
                self._even_at = None
                self._even_out()
        except Rebalancing:
            return
        finally:
            self._writing.release()

    @property
    def workers(self) -> frozenset[str]:
        """The workers of the group that have slots, as of the last look; none while that is not settled."""
        return frozenset() if self._stale or not self._active else frozenset(self._owners.values())

    # For any thread.

    def submit(self, changes: Changes) -> None:
        """Write, and wait until this worker has taken it in.

        Raises Rebalancing where another worker leads (by now), NotReady, Unavailable.
        """
        with self._writing:
            owner = self._write(changes)
            with self._seen:
                seen = self._seen.wait_for(lambda: self._has(owner) or not self._active, _WRITE)
            if not seen:
                raise NotReady("Request timed out. The write is stored, but this worker has not read it yet.")
            if not self._has(owner):
                raise Rebalancing()

    def deployment(self, registration: Registration) -> Changes:
        """The records of a registration's tasks, each in a slot; one that cannot start here has none for now."""
        try:
            parts = [] if registration.target == STOPPED else self._preparation.split(registration.config)
        except SyncError as error:
            log.error("Connector %s has no tasks: %s", registration.name, error)
            parts = []
        slots = self._choose(registration.name, max(1, len(parts)))
        made = [Part(part, slot) for part, slot in zip(parts, slots, strict=False)]
        former = self._book().known.get(registration.name)
        return deployment_changes(registration.name, made, slots[0], len(former.parts) if former else 0)

    def _choose(self, name: str, count: int) -> list[int]:
        taken = {id_: part.slot for id_, part in self._book().parts().items() if id_[0] != name}
        chosen: list[int] = []
        for number in range(count):
            chosen.append(choose(taken, self._owners))
            taken[name, number] = chosen[-1]
        return chosen

    def _write(self, changes: Changes) -> Owner:
        """Write; returns the owner's record that goes with it."""
        owner = self._book().owner
        if not self._active or owner is None or owner.instance != self._instance:
            raise Rebalancing()
        self._sequence += 1
        owner = replace(owner, sequence=self._sequence)
        try:
            self._registry.write(changes, owner)
        except Fenced as error:
            self.resign()
            raise Rebalancing() from error
        except SyncError:
            # Whether it was stored is not known: to lead anew settles it.
            self.resign()
            raise
        return owner

    def _has(self, owner: Owner) -> bool:
        seen = self._book().owner
        return seen is not None and (seen.term, seen.sequence) >= (owner.term, owner.sequence)

    def _even_out(self) -> None:
        moves = even({id_: part.slot for id_, part in self._book().parts().items()}, self._owners)
        changes: dict[str, Mapping[str, Any] | None] = {}
        for name in sorted({name for name, _ in moves}):
            changes |= self._moved(self._book().known[name], moves)
        if changes:
            self._write(changes)
            log.info("%d tasks move, so that workers have equally many.", len(moves))

    def _moved(self, registration: Registration, moves: dict[TaskId, int]) -> Changes:
        name, deployment = registration.name, registration.deployment
        if deployment is None:
            return {}
        parts = [
            Part(part.properties, moves[name, number], self._owners[part.slot]) if (name, number) in moves else part
            for number, part in enumerate(deployment.parts)
        ]
        return deployment_changes(name, parts, deployment.slot)
