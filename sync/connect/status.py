"""The states of connectors and tasks, as the status topic and the REST API tell them.

``StatusLog`` is the port to which a supervisor publishes each change, and by which each worker knows what the others
run; ``KafkaStatusLog`` keeps Connect's records in a compacted topic. A trace tells the error, its place and remedy,
never a record's value: the message of an error that was not raised on purpose is left out, for it may quote one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from sync.connect.topics import TopicBoard
from sync.errors import SyncError
from sync.kafka import Producer
from sync.kafka.client import producer
from sync.kafka.record_log import RecordLog

STATUS_TOPIC = "dongbo.connect.status"
_CONNECTOR, _TASK = "status-connector-", "status-task-"
_TOPIC, _OF = "status-topic-", ":connector-"


class State(Enum):
    """Connect's states; STOPPED is a connector's only."""

    UNASSIGNED = "UNASSIGNED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    RESTARTING = "RESTARTING"


@dataclass(frozen=True, slots=True)
class Status:
    """One connector's (``task`` None) or task's state. ``trace`` explains FAILED and RESTARTING.

    ``snapshot`` is how far a snapshot that runs has come (``sync.progress``); Connect has no such field.
    """

    connector: str
    task: int | None
    state: State
    trace: str = ""
    snapshot: Mapping[str, int] | None = None

    @property
    def key(self) -> str:
        """The record key in the status topic."""
        if self.task is None:
            return _CONNECTOR + self.connector
        return f"{_TASK}{self.connector}-{self.task}"


@dataclass(frozen=True, slots=True)
class Told:
    """A state as the status topic tells it."""

    state: State
    worker_id: str
    trace: str = ""
    snapshot: Mapping[str, int] | None = None


class StatusLog(TopicBoard, Protocol):
    """Where all workers of a group publish and read states. Told by any thread; does not block for the broker."""

    generation: int
    """Goes with each state that is published: the term of the group's leader."""

    def open(self) -> None:
        """Read what is there. Blocks; raises Unavailable, Refused. Before it, what is published is dropped."""

    def poll(self) -> None:
        """Take in what is new; called by the thread that opened. Raises Unavailable, Refused."""

    def told(self, key: str) -> Told | None:
        """The last state of a key as far as it has been taken in."""

    def tasks(self) -> Mapping[str, Mapping[int, Told]]:
        """The last state of each task that has one, by connector and number; also of tasks that count no more."""

    def publish(self, status: Status) -> None:
        """Tell a new state; the last one of a key wins."""

    def forget(self, status: Status) -> None:
        """The connector or task is no more."""

    def flush(self) -> None:
        """Deliver what is under way, for a second at most."""

    def close(self) -> None:
        """Deliver what is under way, for two seconds at most."""


class KafkaStatusLog:
    """Connect's status records. One that a broker's failure swallows is told again: its worker compares."""

    def __init__(self, bootstrap: str, worker_id: str, version: str, topic: str = STATUS_TOPIC) -> None:
        """No I/O here: REST answers before Kafka does."""
        self.generation = 0
        self._bootstrap = bootstrap
        self._worker_id = worker_id
        self._version = version
        self._topic = topic
        self._told: dict[str, Told] = {}
        self._tasks: dict[str, dict[int, Told]] = {}
        self._topics: dict[str, frozenset[str]] = {}
        self._log: RecordLog | None = None
        self._producer: Producer | None = None

    def open(self) -> None:
        """See ``StatusLog.open``; creates the topic if it is missing."""
        if self._log is not None:
            self._log.close()
        self._log = RecordLog(self._bootstrap, self._topic)
        self.poll()
        self._producer = producer(self._bootstrap)

    def poll(self) -> None:
        """See ``StatusLog.poll``."""
        for key, value in self._log.poll() if self._log is not None else ():
            if key.startswith(_TOPIC):
                topic, _, connector = key.removeprefix(_TOPIC).partition(_OF)
                former = self.topics(connector)
                self._topics[connector] = former - {topic} if value is None else former | {topic}
                continue
            found = None if value is None else _told(value)
            if found is None:
                self._told.pop(key, None)
            else:
                self._told[key] = found
            if (task := task_of(key)) is not None:
                note(self._tasks, task, found)

    def told(self, key: str) -> Told | None:
        """See ``StatusLog.told``."""
        return self._told.get(key)

    def tasks(self) -> Mapping[str, Mapping[int, Told]]:
        """See ``StatusLog.tasks``."""
        return self._tasks

    def publish(self, status: Status) -> None:
        """See ``StatusLog.publish``."""
        record: dict[str, Any] = {
            "state": status.state.value,
            "trace": status.trace or None,
            "worker_id": self._worker_id,
            "generation": self.generation,
            "version": self._version,
        }
        if status.snapshot is not None:
            record["snapshot"] = dict(status.snapshot)
        self._send(status.key.encode(), json.dumps(record, ensure_ascii=False).encode())

    def forget(self, status: Status) -> None:
        """See ``StatusLog.forget``."""
        self._send(status.key.encode(), None)

    def topics(self, connector: str) -> frozenset[str]:
        """See ``TopicBoard.topics``."""
        return self._topics.get(connector, frozenset())

    def use(self, connector: str, topic: str) -> None:
        """See ``TopicBoard.use``; the record is Connect's."""
        self._topics[connector] = self.topics(connector) | {topic}
        told = {"name": topic, "connector": connector, "task": 0, "discoverTimestamp": round(time.time() * 1000)}
        self._send(f"{_TOPIC}{topic}{_OF}{connector}".encode(), json.dumps({"topic": told}).encode())

    def forget_topics(self, connector: str) -> None:
        """See ``TopicBoard.forget_topics``."""
        for topic in self._topics.pop(connector, frozenset()):
            self._send(f"{_TOPIC}{topic}{_OF}{connector}".encode(), None)

    def flush(self) -> None:
        """See ``StatusLog.flush``."""
        if self._producer is not None:
            self._producer.flush(1.0)

    def close(self) -> None:
        """See ``StatusLog.close``."""
        if self._producer is not None:
            self._producer.flush(2.0)
        if self._log is not None:
            self._log.close()
            self._log = None

    def _send(self, key: bytes, value: bytes | None) -> None:
        if self._producer is None:
            return
        try:
            self._producer.produce(self._topic, key=key, value=value)
        except BufferError:
            # The broker has been away for long; the newest states will be written once it is back.
            return
        self._producer.poll(0)


def task_of(key: str) -> tuple[str, int] | None:
    """Connector and number of the task that a record's key is about; None for another key."""
    name, dash, number = key.removeprefix(_TASK).rpartition("-")
    return (name, int(number)) if key.startswith(_TASK) and dash and number.isdecimal() else None


def note(tasks: dict[str, dict[int, Told]], task: tuple[str, int], told: Told | None) -> None:
    """Keep what is told of a task, or forget it; a reader in another thread sees a connector's before or after."""
    name, number = task
    others = {n: known for n, known in tasks.get(name, {}).items() if n != number}
    now = others if told is None else {**others, number: told}
    if now:
        tasks[name] = now
    else:
        tasks.pop(name, None)


def _told(value: Mapping[str, Any]) -> Told | None:
    """The state that a record tells; None for one that is no state of ours or Connect's."""
    try:
        state = State(value.get("state"))
    except ValueError:
        return None
    snapshot = value.get("snapshot")
    return Told(
        state,
        str(value.get("worker_id", "")),
        str(value.get("trace") or ""),
        snapshot if isinstance(snapshot, dict) else None,
    )


def trace(error: BaseException, scrub: Callable[[str], str] = str) -> str:
    """Tell ``error`` in the manner of a stack trace, scrubbed, without values."""
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None:
        kind = f"{type(current).__module__}.{type(current).__qualname__}"
        told = f": {current}" if isinstance(current, SyncError) else ""
        lines.append(("Caused by: " if lines else "") + kind + told)
        step = current.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            place = f"{step.tb_frame.f_globals.get('__name__', '')}.{code.co_qualname}"
            lines.append(f"\tat {place}({step.tb_lineno})")
            step = step.tb_next
        current = current.__cause__
    return scrub("\n".join(lines))


def body(status: Status, worker_id: str, **extra: Any) -> dict[str, Any]:
    """The REST API's form of a state."""
    told: dict[str, Any] = {} if status.task is None else {"id": status.task}
    told |= {"state": status.state.value, "worker_id": worker_id, **extra}
    if status.trace:
        told["trace"] = status.trace
    if status.snapshot is not None:
        told["snapshot"] = dict(status.snapshot)
    return told
