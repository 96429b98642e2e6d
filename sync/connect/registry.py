"""The port behind which registrations are kept, and the compacted topic that keeps them.

Called by ``sync.connect.herder``. Every worker follows the topic; the leader alone writes. Whoever leads last fences
the writer of the former leader (a transactional id per group), so nothing that a deposed leader still sends is ever
read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sync.connect.registrations import OWNER, Changes, Owner
from sync.errors import Unavailable
from sync.kafka.client import Topic, ensure_topics
from sync.kafka.record_log import Record, RecordLog
from sync.kafka.registrations import CONFIGS_TOPIC
from sync.kafka.transaction import Transactions


class Registry(Protocol):
    """Where registrations are kept. ``write`` may be called by any one thread at a time, the rest by the herder's."""

    def open(self) -> list[Record]:
        """Follow the log; what is there, in order. Blocks. Raises Unavailable, Refused."""

    def poll(self, timeout: float) -> list[Record]:
        """What is new, waiting ``timeout`` seconds at most for the first record. Raises Unavailable, Refused."""

    def catch_up(self) -> list[Record]:
        """What is new up to the end of the log as it is now. Raises as ``poll``."""

    def lead(self, owner: Owner) -> None:
        """Fence the former leader and write ``owner``'s record: once ``poll`` gives it back, all before it is known.

        Raises Unavailable, Refused, Fenced.
        """

    def write(self, changes: Changes, owner: Owner) -> None:
        """Store ``changes`` and then ``owner``'s record, all or none, durably.

        Raises Fenced when another leader took over; Unavailable, after which ``lead`` must come first.
        """

    def resign(self) -> None:
        """Write no more; never raises."""

    def close(self) -> None:
        """Let go; what is registered stays."""


class KafkaRegistry:
    """The registry in a compacted topic, written in transactions."""

    def __init__(self, bootstrap: str, group: str, topic: str = CONFIGS_TOPIC) -> None:
        """No I/O here."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._writer = Transactions(bootstrap, f"connect-cluster-{group}")
        self._log: RecordLog | None = None

    def open(self) -> list[Record]:
        """See ``Registry.open``; creates the topic if it is missing."""
        if self._log is not None:
            self._log.close()
        self._log = RecordLog(self._bootstrap, self._topic)
        return self._log.poll()

    def poll(self, timeout: float) -> list[Record]:
        """See ``Registry.poll``."""
        return self._following.poll(timeout)

    def catch_up(self) -> list[Record]:
        """See ``Registry.catch_up``."""
        return self._following.catch_up()

    def lead(self, owner: Owner) -> None:
        """See ``Registry.lead``."""
        self._writer.open(timeout=10.0)
        self.write({}, owner)

    def write(self, changes: Changes, owner: Owner) -> None:
        """See ``Registry.write``."""
        self._writer.commit({self._topic: _records({**changes, OWNER: owner.record()})})

    def resign(self) -> None:
        """See ``Registry.resign``."""
        self._writer.close()

    def close(self) -> None:
        """See ``Registry.close``."""
        if self._log is not None:
            self._log.close()
            self._log = None
        self._writer.close()

    @property
    def _following(self) -> RecordLog:
        if self._log is None:
            raise Unavailable(f"The topic {self._topic} is not open.")
        return self._log


def declare(bootstrap: str, topic: str, name: str) -> Callable[[Changes], None]:
    """What writes declarations of sources to the configs topic for a worker that leads no group, called ``name``."""
    writer = Transactions(bootstrap, f"dongbo-standalone-{name}")

    def write(changes: Changes) -> None:
        if not writer.usable:
            ensure_topics(bootstrap, [Topic(topic, partitions=1, compacted=True)])
            writer.open()
        writer.commit({topic: _records(changes)})

    return write


def _records(changes: Changes) -> list[tuple[bytes, bytes | None]]:
    return [(key.encode(), None if value is None else _json(value)) for key, value in changes.items()]


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
