"""Fakes behind the control plane's ports: plugins whose tasks do as told; group, registry and states in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.connect.registrations import OWNER, Changes, Owner
from sync.connect.status import State, Status, Told, note, task_of
from sync.errors import Fenced
from sync.kafka.record_log import Record
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
            if self.plugin.stuck:
                self.context.progress.pending()
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
    stuck: bool = False
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
class MemoryLog:
    """The configs topic that several workers share, and who may write to it."""

    records: list[Record] = field(default_factory=list)
    leader: str = ""
    grown: threading.Condition = field(default_factory=threading.Condition)


@dataclass
class MemoryRegistry:
    """The registry's contract over a shared list of records."""

    log: MemoryLog = field(default_factory=MemoryLog)
    read: int = 0

    def open(self) -> list[Record]:
        self.read = 0
        return self.poll(0)

    def poll(self, timeout: float) -> list[Record]:
        with self.log.grown:
            self.log.grown.wait_for(lambda: len(self.log.records) > self.read, timeout)
            new = self.log.records[self.read :]
            self.read = len(self.log.records)
            return new

    def catch_up(self) -> list[Record]:
        return self.poll(0)

    def lead(self, owner: Owner) -> None:
        self.log.leader = owner.instance
        self.write({}, owner)

    def write(self, changes: Changes, owner: Owner) -> None:
        with self.log.grown:
            if self.log.leader != owner.instance:
                raise Fenced("fenced")
            for key, value in {**changes, OWNER: owner.record()}.items():
                self.log.records.append((key, None if value is None else dict(value)))
            self.log.grown.notify_all()

    def resign(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class MemoryBoard:
    """The status topic that several workers share."""

    told: dict[str, Told] = field(default_factory=dict)
    used: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass
class MemoryStatusLog:
    """Every state that one worker published, in order."""

    worker_id: str = "worker-1"
    board: MemoryBoard = field(default_factory=MemoryBoard)
    published: list[Status] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    generation: int = 0

    def open(self) -> None: ...

    def poll(self) -> None: ...

    def told(self, key: str) -> Told | None:
        return self.board.told.get(key)

    def tasks(self) -> dict[str, dict[int, Told]]:
        found: dict[str, dict[int, Told]] = {}
        for key, told in list(self.board.told.items()):
            if (task := task_of(key)) is not None:
                note(found, task, told)
        return found

    def publish(self, status: Status) -> None:
        self.published.append(status)
        self.board.told[status.key] = Told(status.state, self.worker_id, status.trace, status.snapshot)

    def forget(self, status: Status) -> None:
        self.forgotten.append(status.key)
        self.board.told.pop(status.key, None)

    def topics(self, connector: str) -> frozenset[str]:
        return self.board.used.get(connector, frozenset())

    def use(self, connector: str, topic: str) -> None:
        self.board.used[connector] = self.topics(connector) | {topic}

    def forget_topics(self, connector: str) -> None:
        self.board.used.pop(connector, None)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def states(self, connector: str, task: int | None = 0) -> list[State]:
        """The states that one task (or the connector: None) went through."""
        return [s.state for s in self.published if (s.connector, s.task) == (connector, task)]
