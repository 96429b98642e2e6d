"""What is registered: the records of the configs topic, as Kafka Connect keeps them, and what they amount to.

Pure. ``connector-<name>`` holds a configuration, ``target-state-<name>`` whether it shall run, ``task-<name>-<n>``
what a task adds to the configuration and its slot, ``commit-<name>`` (written last) how many tasks count and the slot
of the connector itself. ``restart-connector-<name>``, ``logger-cluster-<name>`` and ``worker-owner`` are events: a
restart that was asked for, a level for a logger of every worker, and who leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sync.kafka.record_log import Record, RecordLog
from sync.kafka.registrations import CONFIGS_TOPIC, CONNECTOR, SOURCE

STARTED, PAUSED, STOPPED = "STARTED", "PAUSED", "STOPPED"
INITIAL_STATES = {"RUNNING": STARTED, "PAUSED": PAUSED, "STOPPED": STOPPED}
"""What a request or a file may say of a connector that is created, and the target state that it means."""
TARGET_STATE = "target-state-"
TASK, COMMIT, RESTART = "task-", "commit-", "restart-connector-"
LOGGER = "logger-cluster-"
OWNER = "worker-owner"

Changes = Mapping[str, Mapping[str, Any] | None]
TaskId = tuple[str, int]
"""A connector's name and the task's number."""


@dataclass(frozen=True, slots=True)
class Part:
    """One task: what it adds to the connector's configuration, and the slot whose owner runs it.

    ``after`` names the worker that lets go of it first, where the leader moved it.
    """

    properties: dict[str, str]
    slot: int
    after: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the leader made of a configuration: its tasks, and the slot of the connector itself."""

    config: dict[str, str]
    parts: tuple[Part, ...]
    slot: int


@dataclass(frozen=True, slots=True)
class Registration:
    """A connector as submitted. ``target`` is STARTED, PAUSED or STOPPED, ``deployment`` the last whole one."""

    name: str
    config: dict[str, str] = field(default_factory=dict)
    target: str = STARTED
    deployment: Deployment | None = None

    def changes(self, declaration: Mapping[str, str] | None = None) -> Changes:
        """The records that store it; with a source's ``declaration`` (no secrets) for the processors."""
        changes: dict[str, Mapping[str, Any] | None] = {
            TARGET_STATE + self.name: target_record(self.target),
            CONNECTOR + self.name: {"properties": self.config},
        }
        if declaration is not None:
            changes[SOURCE + declaration["topic.prefix"]] = {"properties": declaration}
        return changes

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tasks that count; none while the leader has not made any."""
        return self.deployment.parts if self.deployment else ()


@dataclass(frozen=True, slots=True)
class Owner:
    """Who leads: the worker that may write. ``term`` grows with each new leader, ``sequence`` with each write."""

    worker_id: str
    instance: str
    url: str = ""
    term: int = 0
    sequence: int = 0

    def record(self) -> dict[str, Any]:
        """The value of the record ``worker-owner``."""
        return {
            "worker_id": self.worker_id,
            "instance": self.instance,
            "url": self.url,
            "term": self.term,
            "sequence": self.sequence,
        }

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Owner:
        """The owner that a record tells; fields that it lacks are empty."""
        told = {key: str(value.get(key, "")) for key in ("worker_id", "instance", "url")}
        return cls(**told, term=int(value.get("term", 0)), sequence=int(value.get("sequence", 0)))


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that the configs topic tells, as of some record. Immutable: ``after`` makes the next one."""

    known: Mapping[str, Registration] = field(default_factory=dict)
    owner: Owner | None = None
    _targets: Mapping[str, str] = field(default_factory=dict)
    _parts: Mapping[str, Mapping[int, Part]] = field(default_factory=dict)

    def parts(self) -> dict[TaskId, Part]:
        """Every connector's tasks."""
        return {(name, n): part for name, found in self.known.items() for n, part in enumerate(found.parts)}

    def after(self, records: Iterable[Record]) -> Book:
        """The book after ``records`` in order. Target states and tasks without a configuration count for nothing."""
        draft = _Draft(
            dict(self.known), self.owner, dict(self._targets), {name: dict(p) for name, p in self._parts.items()}
        )
        for key, value in records:
            draft.take(key, value)
        return Book(draft.known, draft.owner, draft.targets, draft.parts)


@dataclass(slots=True)
class _Draft:
    known: dict[str, Registration]
    owner: Owner | None
    targets: dict[str, str]
    parts: dict[str, dict[int, Part]]

    def take(self, key: str, value: Mapping[str, Any] | None) -> None:
        if key == OWNER:
            self.owner = None if value is None else Owner.read(value)
        elif key.startswith(CONNECTOR):
            self._connector(key.removeprefix(CONNECTOR), value)
        elif key.startswith(TARGET_STATE):
            self._target(key.removeprefix(TARGET_STATE), value)
        elif key.startswith(TASK):
            name, _, number = key.removeprefix(TASK).rpartition("-")
            self._task(name, number, value)
        elif key.startswith(COMMIT):
            self._commit(key.removeprefix(COMMIT), value)

    def _connector(self, name: str, value: Mapping[str, Any] | None) -> None:
        if value is None:
            self.known.pop(name, None)
            return
        config = _texts(value)
        former = self.known.get(name)
        target = self.targets.get(name, STARTED)
        self.known[name] = replace(former, config=config) if former else Registration(name, config, target)

    def _target(self, name: str, value: Mapping[str, Any] | None) -> None:
        if value is None:
            self.targets.pop(name, None)
        else:
            self.targets[name] = str(value.get("state.v2") or value.get("state") or STARTED)
        if name in self.known:
            self.known[name] = replace(self.known[name], target=self.targets.get(name, STARTED))

    def _task(self, name: str, number: str, value: Mapping[str, Any] | None) -> None:
        if not number.isdecimal():
            return
        parts = self.parts.setdefault(name, {})
        if value is None:
            parts.pop(int(number), None)
        else:
            # A task that Kafka Connect itself wrote has no slot; the leader makes such a connector's tasks anew.
            parts[int(number)] = Part(_texts(value), int(value.get("slot", -1)), str(value.get("after", "")))

    def _commit(self, name: str, value: Mapping[str, Any] | None) -> None:
        registration = self.known.get(name)
        if value is None or registration is None:
            self.parts.pop(name, None)
            return
        parts = self.parts.get(name, {})
        count, slot = int(value.get("tasks", 0)), int(value.get("slot", -1))
        whole = slot >= 0 and all(number in parts and parts[number].slot >= 0 for number in range(count))
        deployment = Deployment(registration.config, tuple(parts[n] for n in range(count)), slot) if whole else None
        self.known[name] = replace(registration, deployment=deployment)


def target_record(target: str) -> dict[str, str]:
    """Connect's record of a target state (KIP-875: an old worker reads STOPPED as PAUSED)."""
    return {"state": PAUSED if target == STOPPED else target, "state.v2": target}


def deployment_changes(name: str, parts: Iterable[Part], slot: int, former: int = 0) -> Changes:
    """The records of a connector's tasks, in place of the ``former`` number of tasks; to be written in one piece."""
    changes: dict[str, Mapping[str, Any] | None] = {}
    count = 0
    for count, part in enumerate(parts, start=1):
        after = {"after": part.after} if part.after else {}
        changes[f"{TASK}{name}-{count - 1}"] = {"properties": part.properties, "slot": part.slot, **after}
    for number in range(count, former):
        changes[f"{TASK}{name}-{number}"] = None
    changes[COMMIT + name] = {"tasks": count, "slot": slot}
    return changes


def removal(registration: Registration) -> Changes:
    """The records that delete a connector; its source declaration stays for what is still on its way."""
    name = registration.name
    tasks = [f"{TASK}{name}-{number}" for number in range(len(registration.parts))]
    return dict.fromkeys([CONNECTOR + name, TARGET_STATE + name, RESTART + name, *tasks, COMMIT + name])


def registrations(bootstrap: str, topic: str = CONFIGS_TOPIC) -> dict[str, dict[str, str]]:
    """Every registered connector's properties as submitted (secrets included: keep them inside), by name."""
    log = RecordLog(bootstrap, topic)
    try:
        return {name: found.config for name, found in Book().after(log.poll()).known.items()}
    finally:
        log.close()


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.get("properties", {}).items()}
