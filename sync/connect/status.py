"""The states of connectors and tasks, as the status topic and the REST API tell them.

``StatusLog`` is the port to which the supervisor publishes each change; ``KafkaStatusLog`` writes Connect's
records to a compacted topic. A trace tells the error, its place and remedy, never a record's value: the message
of an error that was not raised on purpose is left out, for it may quote one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from sync.errors import SyncError
from sync.kafka.client import Topic, ensure_topics, producer, read_all

STATUS_TOPIC = "dongbo.connect.status"
_CONNECTOR, _TASK = "status-connector-", "status-task-"


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
    """One connector's (``task`` None) or task's state. ``trace`` explains FAILED and RESTARTING."""

    connector: str
    task: int | None
    state: State
    trace: str = ""

    @property
    def key(self) -> str:
        """The record key in the status topic."""
        if self.task is None:
            return _CONNECTOR + self.connector
        return f"{_TASK}{self.connector}-{self.task}"


class StatusLog(Protocol):
    """Where states are published. Called from any thread; does not block for the broker."""

    def publish(self, status: Status) -> None:
        """Tell a new state; the last one of a key wins."""

    def forget(self, status: Status) -> None:
        """The connector or task is no more."""

    def close(self) -> None:
        """Deliver what is under way, for two seconds at most."""


class KafkaStatusLog:
    """Connect's status records. Losing one to a broker's failure is harmless: the next state follows."""

    def __init__(self, bootstrap: str, worker_id: str, version: str, topic: str = STATUS_TOPIC) -> None:
        """Create the topic if it is missing, and clear what a former worker left; Unavailable, Refused."""
        ensure_topics(bootstrap, [Topic(topic, partitions=1, compacted=True)])
        self._worker_id = worker_id
        self._version = version
        self._topic = topic
        self._producer = producer(bootstrap)
        left = {bytes(m.key() or b""): m.value() for m in read_all(bootstrap, topic)}
        for key, value in left.items():
            if value is not None:
                self._send(key, None)

    def publish(self, status: Status) -> None:
        """See ``StatusLog.publish``."""
        record = {
            "state": status.state.value,
            "trace": status.trace or None,
            "worker_id": self._worker_id,
            "generation": 1,
            "version": self._version,
        }
        self._send(status.key.encode(), json.dumps(record, ensure_ascii=False).encode())

    def forget(self, status: Status) -> None:
        """See ``StatusLog.forget``."""
        self._send(status.key.encode(), None)

    def close(self) -> None:
        """See ``StatusLog.close``."""
        self._producer.flush(2.0)

    def _send(self, key: bytes, value: bytes | None) -> None:
        try:
            self._producer.produce(self._topic, key=key, value=value)
        except BufferError:
            # The broker has been away for long; the newest states will be written once it is back.
            return
        self._producer.poll(0)


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
    return told
