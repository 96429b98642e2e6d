"""Golden records on their way to the localities: each locality's own topic has its rows and no others (invariant 6)."""

from __future__ import annotations

from collections.abc import Iterable

from sync.process.bridge import Output
from sync.process.entity import Entity
from sync.process.outbox import Subjects
from sync.schema.dataset import Dataset


class Distribution:
    """Puts one dataset's records of a batch into the localities' topics."""

    def __init__(self, dataset: Dataset, subjects: Subjects, output: Output) -> None:
        self._dataset = dataset
        self._subjects = subjects
        self._output = output
        self._topics: dict[str, str] = {}

    def tell(
        self,
        entity: Entity,
        locality: str | None,
        different: bool,
        contributors: Iterable[str],
        wire_key: bytes,
        framed: bytes | None,
    ) -> None:
        """The row in its owner's topic, a delete in the former owner's.

        ``entity``: the state before; ``locality``: who owns the record now; ``different``: its values changed. A
        locality that sent something (``contributors``) gets the golden row back even if it did not change (or a delete,
        if the entity is not its own): what it holds may differ from what is true.
        """
        if entity.values and entity.locality is not None and entity.locality != locality:
            self._output.add(self._topic(entity.locality), wire_key, None)
        if locality is not None and (different or entity.locality != locality or locality in contributors):
            self._output.add(self._topic(locality), wire_key, framed)
        for other in contributors:
            if other not in (locality, entity.locality):
                self._output.add(self._topic(other), wire_key, None)

    def _topic(self, locality: str) -> str:
        """A locality's topic, made and its subjects registered on first use; the ids are those of the golden topic."""
        if locality not in self._topics:
            subject = self._subjects.golden(self._dataset, locality)
            _ = subject.ids
            self._topics[locality] = subject.topic
        return self._topics[locality]
