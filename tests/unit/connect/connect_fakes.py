"""Fakes behind the control plane's ports: plugins whose tasks do as told, a registry and a status log in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.connect.registrations import Changes, Registration, apply
from sync.connect.status import State, Status
from sync.errors import Fenced
from sync.ports import Kind, Task, TaskContext

WAIT = 10.0


@dataclass
class FakeTask:
    """Runs until told to stop, unless its plugin has a fault in store."""

    plugin: FakePlugin
    context: TaskContext
    values: Mapping[str, Any]

    def run(self, stop: threading.Event) -> None:
        self.plugin.running.append(self)
        try:
            if self.plugin.faults:
                raise self.plugin.faults.pop(0)
            while self.plugin.deaf and not self.plugin.released.is_set():
                self.plugin.released.wait(WAIT)
            stop.wait()
        finally:
            self.plugin.running.remove(self)


@dataclass
class FakePlugin:
    """A connector kind. ``faults`` are raised by the next runs, one each; ``found`` is what ``check`` finds."""

    class_name: str = "test.FakeSource"
    aliases: tuple[str, ...] = ("org.example.FakeConnector",)
    kind: Kind = "source"
    config: ConfigDef = field(
        default_factory=lambda: ConfigDef(
            keys=(
                Key("topic.prefix", Type.STRING, "Names the source.", group="Source"),
                Key("database.password", Type.PASSWORD, "Password.", default=""),
                Key("database.hostname", Type.STRING, "Host.", default="localhost"),
                Key("pin", Type.PASSWORD, "A secret by declaration only.", default=""),
            ),
            unsupported={"snapshot.locking": "there are no locks."},
        )
    )
    faults: list[BaseException] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)
    running: list[FakeTask] = field(default_factory=list)
    deaf: bool = False
    released: threading.Event = field(default_factory=threading.Event)
    checked: list[Mapping[str, Any]] = field(default_factory=list)
    altered: list[Any] = field(default_factory=list)

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        self.checked.append(values)
        return self.found

    def split(self, _values: Mapping[str, Any], most: int) -> list[dict[str, str]]:
        return [{"task.number": str(number)} for number in range(most)]

    def task(self, context: TaskContext, values: Mapping[str, Any]) -> Task:
        return FakeTask(self, context, values)

    def alter_offsets(self, connector: str, _values: Mapping[str, Any], offsets: Any) -> bool:
        self.altered.append((connector, offsets))
        return True


@dataclass
class MemoryRegistry:
    """The registry's contract over a list of records that several "workers" may share."""

    records: list[Any] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    me: str = ""

    def open(self, worker_id: str) -> dict[str, Registration]:
        self.me = worker_id
        self.owners.append(worker_id)
        return apply({}, self.records)

    def write(self, changes: Changes) -> None:
        if self.owners[-1] != self.me:
            raise Fenced("fenced")
        self.records.extend(changes.items())

    def successor(self) -> str | None:
        return None if not self.owners or self.owners[-1] == self.me else self.owners[-1]

    def refresh(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class MemoryStatusLog:
    """Every state that was published, in order."""

    published: list[Status] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def publish(self, status: Status) -> None:
        self.published.append(status)

    def forget(self, status: Status) -> None:
        self.forgotten.append(status.key)

    def close(self) -> None: ...

    def states(self, connector: str, task: int | None = 0) -> list[State]:
        """The states that one task (or the connector: None) went through."""
        return [s.state for s in self.published if (s.connector, s.task) == (connector, task)]
