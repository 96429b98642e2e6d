"""The herder, Kafka Connect's name for it: one thread that keeps a worker in step with its group.

Called by ``sync.connect.worker``. Each round it looks at the group (which slots are ours), at the configs topic (what
is registered, who leads) and at the status topic, and has the supervisor run exactly the tasks whose slots are ours.
The owner of the leader's slot leads besides (``sync.connect.leader``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from sync import metrics
from sync.connect.leader import Leader
from sync.connect.membership import Membership
from sync.connect.preparation import Preparation
from sync.connect.registrations import (
    LOGGER,
    PAUSED,
    RESTART,
    STARTED,
    STOPPED,
    Book,
    Owner,
    Part,
    Registration,
    TaskId,
)
from sync.connect.registry import Registry
from sync.connect.settings import Settings
from sync.connect.slot import LEADER_SLOT
from sync.connect.status import State, Status, StatusLog, trace
from sync.connect.supervision import Supervisor, Wanted
from sync.errors import SyncError
from sync.kafka.record_log import Record

log = logging.getLogger(__name__)

_ROUND = 0.1
"""Longest wait of a round, s."""

_PAUSE = 1.0
"""Between looks at what need not be looked at in every round, and before trying again what failed, s."""

_HANDOVER = 10.0
"""How long a task that the leader moved waits for its former worker to let go of it, s; then it is fenced."""


class Herder:
    """One worker's part in its group. What it tells may be asked by any thread."""

    def __init__(
        self,
        settings: Settings,
        preparation: Preparation,
        registry: Registry,
        membership: Membership,
        statuses: StatusLog,
        supervisor: Supervisor,
        set_level: Callable[[str, str], None],
        look: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``set_level`` carries out what was asked of every worker's logger: its name and level.

        ``look`` is called about once a second, to tell the group what this worker's tasks use.
        """
        self._settings = settings
        self._preparation = preparation
        self._registry = registry
        self._membership = membership
        self._statuses = statuses
        self._supervisor = supervisor
        self._set_level = set_level
        self._look = look
        self._clock = clock
        self.leader = Leader(settings, preparation, registry, membership, lambda: self._book, clock)
        self._book = Book()
        self._slots: frozenset[int] = frozenset()
        self._arriving: set[int] = set()
        self._broken: dict[str, str] = {}
        self._checked: dict[str, Mapping[str, str]] = {}
        self._patience: dict[tuple[TaskId, int, str], float] = {}
        self._joined = False
        self._due = self._lead_after = 0.0
        self._told: dict[str, Status] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    # What any thread may ask.

    @property
    def known(self) -> Mapping[str, Registration]:
        """What is registered."""
        return self._book.known

    @property
    def owner(self) -> Owner | None:
        """Who leads, as far as this worker knows."""
        return self._book.owner

    @property
    def ready(self) -> bool:
        """Whether the worker is in its group, knows the registrations, and somebody leads."""
        return self._joined and self._book.owner is not None and (self.leader.active or LEADER_SLOT not in self._slots)

    @property
    def alive(self) -> bool:
        """Whether the herder's thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def connector_status(self, name: str) -> tuple[Status, str]:
        """A connector's state and the worker that runs it."""
        registration = self._book.known[name]
        own = self._connector_status(registration)
        if own is not None:
            return own, self._settings.worker_id
        return self._from_board(Status(name, None, State.UNASSIGNED))

    def task_status(self, id_: TaskId) -> tuple[Status, str]:
        """A task's state and the worker that runs it."""
        own = self._supervisor.status(id_)
        return (own, self._settings.worker_id) if own else self._from_board(Status(*id_, State.UNASSIGNED))

    def _from_board(self, unknown: Status) -> tuple[Status, str]:
        told = self._statuses.told(unknown.key)
        if told is None:
            return unknown, ""
        return replace(unknown, state=told.state, trace=told.trace, snapshot=told.snapshot), told.worker_id

    def broken(self, name: str) -> bool:
        """Whether the connector failed to start, on whichever worker."""
        return name in self._book.known and self.connector_status(name)[0].state is State.FAILED

    def ended(self, name: str) -> bool:
        """Whether no task of the connector runs any more, on whichever worker."""
        own = self._settings.worker_id
        elsewhere = (told for told in self._statuses.tasks().get(name, {}).values() if told.worker_id != own)
        return self._supervisor.idle(name) and all(told.state is State.UNASSIGNED for told in elsewhere)

    # The thread.

    def start(self, ended: Callable[[], None] = lambda: None) -> None:
        """Read what there is and join the group; raises Unavailable or Refused, then it may be called again.

        ``ended`` is called when the worker has left the group, told to or not.
        """
        self._ended = ended
        self._statuses.open()
        self._book = Book().after(self._registry.open())
        self._membership.join(self)
        self._thread = threading.Thread(target=self._run, name="herder", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Give all tasks up and leave the group; False if it took longer than ``timeout`` seconds."""
        self._ending.set()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        complained = ""
        while not self._ending.is_set():
            try:
                self._round()
                complained = ""
            except SyncError as error:
                # Once for a lasting trouble, not once a round.
                if str(error) != complained:
                    log.warning("The worker is out of touch with Kafka, trying again: %s", error)
                complained = str(error)
                self._ending.wait(_PAUSE)
            except Exception as error:  # noqa: BLE001 - a worker out of step with its group must give its tasks up
                log.critical("The worker gives up: %s", trace(error))
                break
        self._membership.leave()
        self.leader.resign()
        self._ended()

    def _round(self) -> None:
        self._membership.poll()
        if self._arriving:
            # What was decided before these slots became ours must be known before anything starts in them.
            self._take(self._registry.catch_up())
            self._own(self._slots | self._arriving)
            self._arriving = set()
            self._deploy()
        self._take(self._registry.poll(_ROUND))
        self._statuses.poll()
        now = self._clock()
        if LEADER_SLOT in self._slots and not self.leader.active and now >= self._lead_after:
            self._lead_after = now + _PAUSE
            self.leader.lead()
        if now >= self._due:
            self._due = now + _PAUSE
            self._compare()
            self.leader.arrange()

    # What the group tells (``membership.Listener``).

    def gained(self, slots: Collection[int]) -> None:
        """See ``Listener``."""
        self._arriving |= set(slots)
        self._joined = True

    def released(self, slots: Collection[int]) -> None:
        """See ``Listener``."""
        self._arriving -= set(slots)
        self._own(self._slots - set(slots))
        self._deploy()
        self._supervisor.settle(self._supervisor.grace)
        self._statuses.flush()

    def lost(self, slots: Collection[int]) -> None:
        """See ``Listener``."""
        log.warning("The group has not heard of this worker in time; its tasks go to others.")
        self._arriving -= set(slots)
        self._own(self._slots - set(slots))
        self._joined = False
        self._deploy(lost=True)

    def _own(self, slots: Collection[int]) -> None:
        if slots != self._slots:
            metrics.WORKER_REBALANCES.inc()
        self._slots = frozenset(slots)
        self.leader.unsettle()
        metrics.WORKER_SLOTS.set(len(slots))
        if LEADER_SLOT not in slots:
            self.leader.resign()

    # What the configs topic tells.

    def _take(self, records: list[Record]) -> None:
        if not records:
            return
        former, self._book = self._book.parts().keys(), self._book.after(records)
        now = self._book.parts().keys()
        self._deploy(deleted=former - now)
        for key, value in records:
            if key.startswith(RESTART) and value is not None:
                self._restart(key.removeprefix(RESTART), value)
            elif key.startswith(LOGGER) and value is not None:
                self._set_level(key.removeprefix(LOGGER), str(value.get("level")))
        if former != now:
            self.leader.unsettle()
        if self._book.owner is not None:
            self._statuses.generation = self._book.owner.term
        # Last: whoever waits for a write finds it carried out.
        self.leader.taken()

    def _deploy(self, *, deleted: Collection[TaskId] = (), lost: bool = False) -> None:
        """Have the supervisor run what is ours by now."""
        wanted = {id_: self._wanted(id_, part) for id_, part in self._book.parts().items() if part.slot in self._slots}
        self._supervisor.assign(wanted, deleted=deleted, lost=lost)
        for name in [name for name in self._checked if name not in self._book.known]:
            del self._checked[name]
            self._broken.pop(name, None)
        for registration in self._book.known.values():
            self._check(registration)
        self._tell_connectors(lost=lost)

    def _wanted(self, id_: TaskId, part: Part) -> Wanted:
        registration = self._book.known[id_[0]]
        deployment = registration.deployment
        identity = (deployment.config, part.properties, len(registration.parts)) if deployment else None
        factory = self._preparation.factory(registration, id_[1])
        running = registration.target == STARTED
        key = Status(*id_, State.UNASSIGNED).key
        patience = self._patience.setdefault((id_, part.slot, part.after), self._clock() + _HANDOVER)

        def free() -> bool:
            told = self._statuses.told(key)
            held = told is not None and told.worker_id == part.after and told.state is not State.UNASSIGNED
            return not held or self._clock() > patience

        if part.after in ("", self._settings.worker_id):
            return Wanted(factory, identity, running)
        return Wanted(factory, identity, running, free)

    def _check(self, registration: Registration, *, again: bool = False) -> None:
        """See whether a connector of ours can start; once for each configuration, or ``again``."""
        name, deployment = registration.name, registration.deployment
        if deployment is None or deployment.slot not in self._slots:
            self._checked.pop(name, None)
            self._broken.pop(name, None)
        elif again or self._checked.get(name) != deployment.config:
            self._checked[name] = deployment.config
            self._broken.pop(name, None)
            try:
                self._preparation.check(deployment.config)
            except SyncError as error:
                log.error("Connector %s failed: %s", name, error)
                self._broken[name] = trace(error)

    def _connector_status(self, registration: Registration) -> Status | None:
        """The state of a connector of ours; None for another worker's."""
        name, deployment = registration.name, registration.deployment
        if deployment is None or deployment.slot not in self._slots:
            return None
        if name in self._broken:
            return Status(name, None, State.FAILED, self._broken[name])
        if registration.target == STOPPED and self.ended(name):
            return Status(name, None, State.STOPPED)
        return Status(name, None, State.PAUSED if registration.target == PAUSED else State.RUNNING)

    def _restart(self, name: str, asked: Mapping[str, Any]) -> None:
        registration = self._book.known.get(name)
        if registration is None:
            return
        was_broken = name in self._broken
        self._check(registration, again=True)
        ids = [(name, number) for number in range(len(registration.parts))]
        if (number := asked.get("task")) is not None:
            ids = [(name, int(number))]
        elif was_broken or (asked.get("include-tasks") and asked.get("only-failed")):
            ids = [id_ for id_ in ids if (found := self._supervisor.status(id_)) and found.state is State.FAILED]
        elif not asked.get("include-tasks"):
            ids = []
        self._supervisor.restart(ids)

    # What is told to the others.

    def _tell_connectors(self, *, lost: bool = False) -> None:
        """Publish the states of our connectors that have changed; a connector given away is UNASSIGNED."""
        now = {
            name: own
            for name, registration in self._book.known.items()
            if (own := self._connector_status(registration)) is not None
        }
        for name, status in now.items():
            if self._told.get(name) != status:
                self._statuses.publish(status)
        for name in self._told.keys() - now.keys():
            if name not in self._book.known:
                self._statuses.forget(self._told[name])
            elif not lost:
                self._statuses.publish(Status(name, None, State.UNASSIGNED))
        self._told = now

    def _compare(self) -> None:
        """Tell what is ours again where the status topic says otherwise: a zombie, or a failed broker, spoke last."""
        self._tell_connectors()
        self._forget_dead()
        self._look()
        for status in [*self._told.values(), *self._supervisor.statuses_now()]:
            told = self._statuses.told(status.key)
            said = (told.state, told.worker_id) if told else (State.UNASSIGNED, self._settings.worker_id)
            waits = status.state is State.UNASSIGNED
            if said != (status.state, self._settings.worker_id) and not waits:
                self._statuses.publish(status)

    def _forget_dead(self) -> None:
        """Forget what workers that are gone have told of tasks that are no more: nobody else would, if we lead."""
        if not (workers := self.leader.workers):
            return
        parts = self._book.parts()
        dead = [
            (name, number)
            for name, tasks in self._statuses.tasks().items()
            for number, told in tasks.items()
            if told.worker_id not in workers and (name, number) not in parts
        ]
        for id_ in dead:
            self._statuses.forget(Status(*id_, State.UNASSIGNED))
