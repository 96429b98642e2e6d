"""A worker process for test_bridge: copies one topic to another through a Faust agent, counting per key in its state.

Run: python -m tests.integration.bridge_worker BOOTSTRAP SOURCE TARGET DATA_DIR [fail-once] [lose-third] [widen]
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sync.errors import Unavailable
from sync.kafka import Message
from sync.kafka.transaction import Transactions
from sync.process import bridge
from sync.process.app import bulk_app, run
from sync.process.bridge import Again, Output
from sync.process.state import StateStore


class Copy:
    """Copies each record with the number of times that its key was seen: state must be exactly-once too."""

    name = "copy"

    def __init__(self, source: str, target: str, store: StateStore, *, fail_once: bool) -> None:
        self._source = source
        self._target = target
        self._store = store
        self._fail = fail_once

    def topics(self) -> list[str]:
        return [self._source]

    def state_topics(self, topic: str) -> list[str]:
        return [f"{topic}.seen"]

    def again(self, assigned: Collection[tuple[str, int]], *, anew: bool) -> list[Again]:
        del assigned, anew
        return []

    def process(self, messages: Sequence[Message]) -> Output:
        if self._fail:
            self._fail = False
            raise Unavailable("Told to fail once.")
        output = Output()
        counts: dict[tuple[int, bytes], int] = {}
        for message in messages:
            place = message.partition() or 0, message.key() or b""
            if place not in counts:
                held = self._store.get(f"{self._source}.seen", place[0], [place[1]])[0]
                counts[place] = int(held or 0)
            counts[place] += 1
            value = b"%s %d" % (message.value() or b"", counts[place])
            output.add(self._target, place[1], value, place[0])
        for (partition, key), count in counts.items():
            output.keep(f"{self._source}.seen", [(key, b"%d" % count, partition)])
        return output


class Widening(Copy):
    """Once it has read something it wants a second topic too, and a second state beside the first, at once."""

    def __init__(self, source: str, target: str, store: StateStore) -> None:
        super().__init__(source, target, store, fail_once=False)
        self._begun = self._wide = False

    def topics(self) -> list[str]:
        self._wide = self._begun
        return [self._source, f"{self._source}.more"] if self._wide else [self._source]

    def state_topics(self, topic: str) -> list[str]:
        del topic
        return [f"{self._source}.seen", f"{self._source}.wide"] if self._wide else [f"{self._source}.seen"]

    def again(self, assigned: Collection[tuple[str, int]], *, anew: bool) -> list[Again]:
        """One record for each partition that it has, handed out before the group's new assignment is there."""
        del anew
        return [Again(topic, part, -1, b"again", b"again") for topic, part in sorted(assigned)] if self._wide else []

    def process(self, messages: Sequence[Message]) -> Output:
        output = super().process([message for message in messages if not isinstance(message, Again)])
        self._begun = True
        for message in messages if self._wide else ():
            part = message.partition() or 0
            (known,) = self._store.get(f"{self._source}.wide", part, [message.key() or b""])
            output.keep(f"{self._source}.wide", [(message.key() or b"", known or b"there", part)])
        return output


class Forgetful(Transactions):
    """A producer whose third commit fails before it begins, while the batch after it is worked on."""

    commits = 0

    def commit(self, *args: Any, **more: Any) -> None:
        self.commits += 1
        if self.commits == 3:
            raise Unavailable("Told to fail the third commit.")
        super().commit(*args, **more)


def main() -> None:
    bootstrap, source, target, data_dir, *more = sys.argv[1:]
    logging.basicConfig(level="INFO")
    store = StateStore(bootstrap, Path(data_dir))
    if "lose-third" in more:
        bridge.Transactions = Forgetful  # type: ignore[misc]
    step = Copy(source, target, store, fail_once="fail-once" in more)
    if "widen" in more:
        step = Widening(source, target, store)
    return run(
        bulk_app(step, store, bootstrap=bootstrap, group=f"{source}-copy", instance="0", data_dir=Path(data_dir))
    )


if __name__ == "__main__":
    main()
