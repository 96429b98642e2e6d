"""What is registered: connectors' configurations and target states, kept in Kafka as Connect keeps them.

``Registry`` is the port; ``KafkaRegistry`` the topic behind it. One worker owns the registry at a time: whoever
opens it last fences the former writer (a transactional id per group) and leaves its name, by which the former
one learns that it must end.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sync.errors import Fenced
from sync.kafka.registrations import CONFIGS_TOPIC, CONNECTOR, SOURCE, ConfigLog, Record
from sync.kafka.transaction import Transactions

STARTED, PAUSED, STOPPED = "STARTED", "PAUSED", "STOPPED"
TARGET_STATE = "target-state-"
OWNER = "worker-owner"

Changes = Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Registration:
    """One connector as it was submitted. ``target`` is STARTED, PAUSED or STOPPED."""

    name: str
    config: dict[str, str] = field(default_factory=dict)
    target: str = STARTED

    def changes(self, declaration: Mapping[str, str] | None = None) -> Changes:
        """The records that store it; with a source's ``declaration`` (no secrets) for the processors."""
        changes: dict[str, Mapping[str, Any] | None] = {
            TARGET_STATE + self.name: target_record(self.target),
            CONNECTOR + self.name: {"properties": self.config},
        }
        if declaration is not None:
            changes[SOURCE + declaration["topic.prefix"]] = {"properties": declaration}
        return changes


def target_record(target: str) -> dict[str, str]:
    """Connect's record of a target state (KIP-875: an old worker reads STOPPED as PAUSED)."""
    return {"state": PAUSED if target == STOPPED else target, "state.v2": target}


def removal(name: str) -> Changes:
    """The records that delete connector ``name``; its source declaration stays for what is still on its way."""
    return {CONNECTOR + name: None, TARGET_STATE + name: None}


def apply(known: Mapping[str, Registration], records: Iterable[Record]) -> dict[str, Registration]:
    """Return ``known`` after ``records`` in order. A target state without a configuration counts for nothing."""
    configs = {name: dict(registration.config) for name, registration in known.items()}
    targets = {name: registration.target for name, registration in known.items()}
    for key, value in records:
        if key.startswith(CONNECTOR):
            name = key.removeprefix(CONNECTOR)
            if value is None:
                configs.pop(name, None)
            else:
                configs[name] = {str(k): str(v) for k, v in value.get("properties", {}).items()}
        elif key.startswith(TARGET_STATE):
            name = key.removeprefix(TARGET_STATE)
            if value is None:
                targets.pop(name, None)
            else:
                targets[name] = str(value.get("state.v2") or value.get("state") or STARTED)
    return {name: Registration(name, configs[name], targets.get(name, STARTED)) for name in configs}


class Registry(Protocol):
    """Where registrations are kept. Called by one thread at a time."""

    def open(self, worker_id: str) -> dict[str, Registration]:
        """Take ownership (the former owner is fenced from here on) and return what is registered. Blocks."""

    def write(self, changes: Changes) -> None:
        """Store ``changes``, all or none, durably. Raises Fenced when another worker took over, Unavailable."""

    def successor(self) -> str | None:
        """The id of the worker that took over since ``open``, or None. Does not block."""

    def refresh(self) -> None:
        """Show that the owner lives; called about once an hour. Raises as ``write``."""

    def close(self) -> None:
        """Let go; the registry stays as it is."""


class KafkaRegistry:
    """The registry in a compacted topic, written in transactions."""

    def __init__(self, bootstrap: str, group: str, topic: str = CONFIGS_TOPIC) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._instance = uuid.uuid4().hex
        self._writer = Transactions(bootstrap, f"connect-cluster-{group}")
        self._log: ConfigLog | None = None
        self._owned = False
        self._worker_id = ""
        self._successor: str | None = None

    def open(self, worker_id: str) -> dict[str, Registration]:
        """See ``Registry.open``; creates the topic if it is missing."""
        self.close()
        self._worker_id = worker_id
        # Fence first, read second: nothing of the former owner can be committed after what is read here.
        self._writer.open()
        self._log = ConfigLog(self._bootstrap, self._topic)
        registrations = apply({}, self._log.poll())
        self.refresh()
        return registrations

    def refresh(self) -> None:
        """Write the owner's record again, which keeps an idle transactional id from expiring (7 days)."""
        self.write({OWNER: {"worker_id": self._worker_id, "instance": self._instance}})

    def write(self, changes: Changes) -> None:
        """See ``Registry.write``."""
        if not self._writer.usable:
            self._reopen()
        records = [(key.encode(), None if value is None else _json(value)) for key, value in changes.items()]
        self._writer.commit({self._topic: records})

    def _reopen(self) -> None:
        """A write of unknown outcome leaves the writer unusable; a new one must not fence a rightful successor."""
        log = ConfigLog(self._bootstrap, self._topic)
        try:
            owners = [value for key, value in log.poll() if key == OWNER and value is not None]
        finally:
            log.close()
        if owners and owners[-1].get("instance") != self._instance:
            raise Fenced(f"Worker {owners[-1].get('worker_id')} has taken over this group.")
        self._writer.open()

    def successor(self) -> str | None:
        """See ``Registry.successor``."""
        for key, value in self._log.poll() if self._log is not None else ():
            if key != OWNER or value is None:
                continue
            mine = value.get("instance") == self._instance
            self._owned = self._owned or mine
            if self._owned and not mine:
                self._successor = str(value.get("worker_id", "unknown"))
        return self._successor

    def close(self) -> None:
        """See ``Registry.close``."""
        if self._log is not None:
            self._log.close()
            self._log = None
        self._writer.close()


def registrations(bootstrap: str, topic: str = CONFIGS_TOPIC) -> dict[str, dict[str, str]]:
    """Every registered connector's properties as submitted (secrets included: keep them inside), by name."""
    log = ConfigLog(bootstrap, topic)
    try:
        return {name: registration.config for name, registration in apply({}, log.poll()).items()}
    finally:
        log.close()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
