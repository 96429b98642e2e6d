"""What all batches of the reconcile step work with: made once a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sync.process.decision import Decided
from sync.process.outbox import Subject, Subjects
from sync.process.outline import Outlines
from sync.process.reader import Reader
from sync.schema.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Means:
    """``provinces``: as ``sync.rule.merge`` takes them. ``get``: values of a state topic's partition, by framed key.

    ``registers``: the golden topic of the register that a dataset is matched with, by dataset.
    """

    subjects: Subjects
    reader: Reader
    decisions: Decided
    provinces: Mapping[str, str]
    get: Callable[[str, int, Sequence[bytes]], list[bytes | None]]
    registers: dict[str, Subject] = field(default_factory=dict)
    _outlines: dict[str, Outlines] = field(default_factory=dict)

    def outlines(self, dataset: Dataset) -> Outlines:
        """What is read of the dataset's records; compiled on first use."""
        if dataset.id not in self._outlines:
            self._outlines[dataset.id] = Outlines(dataset, self.subjects.golden(dataset), self.reader)
        return self._outlines[dataset.id]
