"""Which topics a connector's tasks have used (KIP-558): told by each worker to the group through the status topic.

``Topics.look`` is called by the herder each second and before an answer: what a task of this worker has used since
the last look, by its metrics, and the group does not know of, is told. After a reset a topic comes back with its next
record.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Protocol

from sync import metrics

_METRICS = (metrics.SOURCE_EVENTS, metrics.SINK_ROWS)


class TopicBoard(Protocol):
    """What all workers of a group know of topics in use (a part of ``status.StatusLog``). Called by any thread."""

    def topics(self, connector: str) -> frozenset[str]:
        """The topics that a connector has used."""

    def use(self, connector: str, topic: str) -> None:
        """Tell one more; this worker knows it at once."""

    def forget_topics(self, connector: str) -> None:
        """Tell that none counts any more."""


class Topics:
    """The topics in use by this worker's tasks."""

    def __init__(self, board: TopicBoard) -> None:
        self._board = board
        self._counts: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def look(self) -> None:
        """Tell of what has been used since the last look."""
        with self._lock:
            former, self._counts = self._counts, _counts()
            grown = [used for used, count in self._counts.items() if count > former.get(used, 0.0)]
        for connector, topic in grown:
            if topic not in self._board.topics(connector):
                self._board.use(connector, topic)

    def used(self, connector: str) -> list[str]:
        """The topics that ``connector`` wrote or read, on whichever worker."""
        self.look()
        return sorted(self._board.topics(connector))

    def reset(self, connector: str) -> None:
        """Forget what was used until now."""
        self.look()
        self._board.forget_topics(connector)


def _counts() -> dict[tuple[str, str], float]:
    counts: defaultdict[tuple[str, str], float] = defaultdict(float)
    for metric in _METRICS:
        for family in metric.collect():
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    counts[sample.labels["connector"], sample.labels["topic"]] += sample.value
    return dict(counts)
