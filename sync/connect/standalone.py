"""A worker in no group: its connectors come from files at the start, and nobody else takes its tasks over.

The ports of ``sync.connect.worker`` without Kafka, composed by ``sync.connect.service`` for ``dongbo worker
--standalone``. As in Connect's standalone mode,
what is changed over REST lasts until the process ends, and states are kept in memory. Source offsets are in Kafka all
the same (they commit with the records), and so is what the processors must know of a source.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from sync.connect.membership import Listener
from sync.connect.registrations import OWNER, Changes, Owner
from sync.connect.slot import SLOTS
from sync.connect.status import Status, Told, note
from sync.kafka.record_log import Record
from sync.kafka.registrations import SOURCE


class StandaloneRegistry:
    """A ``Registry`` in memory. ``declare`` publishes the declarations of sources, for the processors."""

    def __init__(self, declare: Callable[[Changes], None] = lambda _: None) -> None:
        self._declare = declare
        self._records: list[Record] = []
        self._read = 0
        self._grown = threading.Condition()

    def open(self) -> list[Record]:
        """See ``Registry.open``."""
        self._read = 0
        return self.poll(0)

    def poll(self, timeout: float) -> list[Record]:
        """See ``Registry.poll``."""
        with self._grown:
            self._grown.wait_for(lambda: len(self._records) > self._read, timeout)
            new = self._records[self._read :]
            self._read = len(self._records)
            return new

    def catch_up(self) -> list[Record]:
        """See ``Registry.catch_up``."""
        return self.poll(0)

    def lead(self, owner: Owner) -> None:
        """See ``Registry.lead``."""
        self.write({}, owner)

    def write(self, changes: Changes, owner: Owner) -> None:
        """See ``Registry.write``."""
        if declared := {key: value for key, value in changes.items() if key.startswith(SOURCE)}:
            self._declare(declared)
        with self._grown:
            for key, value in {**changes, OWNER: owner.record()}.items():
                self._records.append((key, None if value is None else dict(value)))
            self._grown.notify_all()

    def resign(self) -> None:
        """See ``Registry.resign``."""

    def close(self) -> None:
        """See ``Registry.close``."""


class SoleMember:
    """A ``Membership`` of one: all slots are its own at once."""

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._let_in = False

    def join(self, listener: Listener) -> None:
        """See ``Membership.join``."""
        self._listener, self._let_in = listener, False

    def poll(self) -> None:
        """See ``Membership.poll``."""
        if self._listener is not None and not self._let_in:
            self._let_in = True
            self._listener.gained(range(SLOTS))

    def owners(self) -> dict[int, str] | None:
        """See ``Membership.owners``."""
        return dict.fromkeys(range(SLOTS), "")

    def leave(self) -> None:
        """See ``Membership.leave``."""
        if self._listener is not None and self._let_in:
            self._listener.released(range(SLOTS))
        self._listener = None


class LocalStatusLog:
    """A ``StatusLog`` in memory."""

    def __init__(self, worker_id: str) -> None:
        self.generation = 0
        self._worker_id = worker_id
        self._told: dict[str, Told] = {}
        self._tasks: dict[str, dict[int, Told]] = {}
        self._topics: dict[str, frozenset[str]] = {}

    def topics(self, connector: str) -> frozenset[str]:
        """See ``TopicBoard.topics``."""
        return self._topics.get(connector, frozenset())

    def use(self, connector: str, topic: str) -> None:
        """See ``TopicBoard.use``."""
        self._topics[connector] = self.topics(connector) | {topic}

    def forget_topics(self, connector: str) -> None:
        """See ``TopicBoard.forget_topics``."""
        self._topics.pop(connector, None)

    def open(self) -> None:
        """See ``StatusLog.open``."""

    def poll(self) -> None:
        """See ``StatusLog.poll``."""

    def told(self, key: str) -> Told | None:
        """See ``StatusLog.told``."""
        return self._told.get(key)

    def tasks(self) -> Mapping[str, Mapping[int, Told]]:
        """See ``StatusLog.tasks``."""
        return self._tasks

    def publish(self, status: Status) -> None:
        """See ``StatusLog.publish``."""
        told = self._told[status.key] = Told(status.state, self._worker_id, status.trace, status.snapshot)
        if status.task is not None:
            note(self._tasks, (status.connector, status.task), told)

    def forget(self, status: Status) -> None:
        """See ``StatusLog.forget``."""
        self._told.pop(status.key, None)
        if status.task is not None:
            note(self._tasks, (status.connector, status.task), None)

    def flush(self) -> None:
        """See ``StatusLog.flush``."""

    def close(self) -> None:
        """See ``StatusLog.close``."""
