"""Applying and undoing a plan: one event for each record, in bounded transactions, going on where a crash left off.

What is done is told by ``<dataset>.transfer`` itself. The transactional id is the plan's, so a second ``apply`` of it
fences the first, and the events that are read after that are all there will be. Nothing else is written: the
reconciler carries the events out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any

from sync.errors import ConfigError
from sync.kafka.replay import replay
from sync.kafka.transaction import Transactions
from sync.process.entity import entity_key, texts
from sync.process.outbox import Subject, Subjects, encode, partition_of
from sync.process.reader import FRAME, Reader
from sync.process.transfer import moves_text
from sync.schema.dataset import Dataset, load
from sync.schema.registry import RegistryClient
from sync.steward.transfer.golden import Golden
from sync.steward.transfer.plan import Plan

APPLIED, UNDONE = 1, 2
"""Revisions of an event."""

BATCH = 2000
"""Events a transaction."""


class Execution:
    """One plan on its way into the dataset's transfer topic."""

    def __init__(
        self,
        bootstrap: str,
        registry: RegistryClient,
        plan: Plan,
        *,
        by: str,
        batch: int = BATCH,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._bootstrap = bootstrap
        self._plan = plan
        self._by = by
        self._batch = batch
        self._now = now
        self.dataset: Dataset = load(plan.dataset)
        self.golden = Golden(bootstrap, registry, self.dataset)
        self._reader = Reader(registry)
        self._subject: Subject = Subjects(registry, bootstrap, len(self.golden.numbers)).transfer(self.dataset)

    def done(self) -> dict[bytes, int]:
        """The revision of each entity's event of this plan, by key datum."""
        found: dict[bytes, int] = {}
        for number in self.golden.numbers:
            for items, _ in replay(self._bootstrap, self._subject.topic, number, 0):
                mine = [
                    (parts[:-1], value)
                    for key, value in items
                    if value is not None and (parts := texts(key[FRAME:]))[-1] == self._plan.id
                ]
                if mine:
                    revisions = self._reader.read([value for _, value in mine])["revision"].to_list()
                    found.update((entity_key(parts), new) for (parts, _), new in zip(mine, revisions, strict=True))
        return found

    def apply(self) -> Iterator[int]:
        """Write what is missing of the plan; yields the events of each transaction once it is committed.

        Raises ConfigError for a plan that was undone, or whose units have not ended yet.
        """
        if self._plan.effective_date > date.fromtimestamp(self._now()).isoformat():
            raise ConfigError(
                f"The plan {self._plan.id} takes effect on {self._plan.effective_date}: its old units have not ended.",
                hint="apply it on that day or later",
            )

        def missing(done: Mapping[bytes, int]) -> Iterator[bytes]:
            if UNDONE in done.values():
                raise ConfigError(
                    f"The plan {self._plan.id} was undone.", hint="make a new one: `dongbo transfer plan`"
                )
            wanted = self._plan.moves
            for keys in self.golden.entities():
                yield from (key for key in keys if key not in done and self._plan.digest(key) in wanted)

        return self._write(missing, APPLIED)

    def undo(self) -> Iterator[int]:
        """Take back what was applied of the plan; yields as ``apply``."""
        return self._write(lambda done: (key for key, revision in done.items() if revision == APPLIED), UNDONE)

    def _write(self, missing: Callable[[Mapping[bytes, int]], Iterable[bytes]], revision: int) -> Iterator[int]:
        transactions = Transactions(self._bootstrap, f"dongbo-transfer-{self._plan.dataset}-{self._plan.id}")
        transactions.open()
        try:
            entities = iter(missing(self.done()))
            while batch := list(islice(entities, self._batch)):
                transactions.commit({self._subject.topic: self._events(batch, revision)})
                yield len(batch)
        finally:
            transactions.close()

    def _events(self, entities: list[bytes], revision: int) -> list[tuple[bytes, bytes, int]]:
        plan, at = self._plan, int(self._now() * 1_000_000)
        records: list[dict[str, Any]] = [
            {
                "plan": plan.id,
                "revision": revision,
                "action": "apply" if revision == APPLIED else "undo",
                "sequence": plan.sequence,
                "moves": moves_text(plan.moves[plan.digest(entity)]),
                "at": at,
                "by": self._by,
            }
            for entity in entities
        ]
        values = encode(self._subject.value, records, self._subject.value_header)
        header, numbers = self._subject.key_header, len(self.golden.numbers)
        return [
            (header + entity_key([*texts(entity), plan.id]), value, partition_of(entity, numbers))
            for entity, value in zip(entities, values, strict=True)
        ]
