"""The step behind the ``reconcile`` agent: valid records of all sources become golden records.

For each entity of a batch: put the new contributions beside the known ones (newest version of each source row),
match them with the register, merge what matched (``sync.rule.merge``: a pure function of the set), and emit what
changed: the golden record, each locality's own copy, verdicts, reviews, counts. The state of an entity is one record of
``<dataset>.contributions`` (``sync.process.entity``), written in the same transaction.

Here a batch is taken apart by dataset; ``part`` works on one: ``loading``, ``arrival``, ``survival`` (the pure part,
in columns), ``notice`` and ``publication`` in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from sync.kafka import Message
from sync.kafka.client import place
from sync.metrics import PROCESSOR_RECORDS
from sync.process.bridge import Again, Output
from sync.process.decision import ALIAS, Book, Decided, Decision
from sync.process.entity import entity_key
from sync.process.ledger import Ledger
from sync.process.means import Means
from sync.process.notice import SEPARATOR
from sync.process.outbox import Outbox, Subjects, partition_of
from sync.process.part import Part
from sync.process.person import homes
from sync.process.quality import Tally
from sync.process.reader import Reader
from sync.process.touched import Arrived
from sync.process.transfer import STAGE as TRANSFERRED
from sync.schema.dataset import Dataset, load
from sync.schema.derived import topic
from sync.schema.registry import RegistryClient


class Reconciler:
    """The ``reconcile`` step (``sync.process.bridge.Step``) for ``datasets``, and those that ``discover`` tells of."""

    name = "reconcile"

    def __init__(
        self,
        *,
        registry: RegistryClient,
        subjects: Subjects,
        datasets: Sequence[Dataset],
        provinces: Mapping[str, str],
        get: Callable[[str, int, Sequence[bytes]], list[bytes | None]],
        now: Callable[[], float] = time.time,
        discover: Callable[[], Iterable[Dataset]] = tuple,
        decisions: Decided | None = None,
    ) -> None:
        self._subjects = subjects
        self._decisions = decisions or Book()
        self._means = Means(subjects, Reader(registry), self._decisions, provinces, get)
        self._now = now
        self._valid: dict[str, Dataset] = {}
        self._transfer: dict[str, Dataset] = {}
        self._register: dict[str, list[Dataset]] = {}
        self._discover = discover
        for dataset in datasets:
            self._add(dataset)

    def _add(self, dataset: Dataset) -> None:
        """Take a dataset on: its topics, its decisions, and what it is matched with."""
        self._subjects.valid(dataset)
        self._subjects.golden(dataset)
        self._subjects.contributions(dataset)
        self._decisions.follow(dataset)
        self._valid[topic(dataset.id, "valid")] = dataset
        self._transfer[self._subjects.transfer(dataset).topic] = dataset
        if dataset.policy.register:
            register = self._means.registers[dataset.id] = self._subjects.golden(load(dataset.policy.register))
            self._register.setdefault(register.topic, []).append(dataset)

    def topics(self) -> Iterable[str]:
        """The valid topics, the transfers' and the registers' golden topics."""
        for dataset in self._discover():
            self._add(dataset)
        return [*self._valid, *self._transfer, *self._register]

    def state_topics(self, topic_name: str) -> Iterable[str]:
        """The contribution topics that a partition of ``topic_name`` touches, and the register, which is held."""
        found = [held[topic_name] for held in (self._valid, self._transfer) if topic_name in held]
        found += self._register.get(topic_name, [])
        registers = self._means.registers
        held = {registers[dataset.id].topic: None for dataset in found if dataset.id in registers}
        return [*(topic(dataset.id, "contributions") for dataset in found), *held]

    def again(self, assigned: Collection[tuple[str, int]], *, anew: bool) -> Sequence[Again]:
        """The entities of rows that were decided about, as messages of their contribution topics without a value."""
        fresh = self._decisions.fresh()
        found = {}
        known = {dataset.id: dataset for dataset in self._valid.values()}
        for decision in self._decisions.all() if anew else fresh:
            dataset = known.get(decision.case.dataset)
            if dataset is None:
                continue
            for entity in self._concerned(decision, anew=anew):
                key = entity_key(entity.split(SEPARATOR))
                partition = partition_of(key, self._subjects.partitions)
                state = self._subjects.contributions(dataset)
                framed = state.key_header + key
                held = (topic(dataset.id, "valid"), partition) in assigned
                if held and self._means.get(state.topic, partition, [framed])[0] is not None:
                    found[state.topic, key] = Again(state.topic, partition, -1, framed, None)
        return list(found.values())

    def _concerned(self, decision: Decision, *, anew: bool) -> Iterable[str]:
        """The entities, as text, that a decision is about. ``anew``: where all decisions are asked about at once."""
        if decision.case.stage == ALIAS:
            return decision.case.row.split("|") if anew else homes(decision, self._decisions)
        here = decision.case.stage in (self.name, TRANSFERRED) and decision.entity is not None
        return (str(decision.entity),) if here else ()

    def process(self, messages: Sequence[Message]) -> Output:
        """Reconcile a batch of valid records and register records of any datasets."""
        output, outbox, ledger, tally = Output(), Outbox(), Ledger(self.name), Tally()
        parts: dict[str, Arrived] = {}
        states = {topic(dataset.id, "contributions"): dataset for dataset in self._valid.values()}
        for message in messages:
            name, _ = place(message)
            if name in self._valid:
                _part(parts, self._valid[name]).valid.append(message)
            if name in self._transfer:
                _part(parts, self._transfer[name]).transfers.append(message)
            if name in states and isinstance(message, Again):
                _part(parts, states[name]).again.append(message)
            matched = self._register.get(name, [])
            for dataset in matched:
                _part(parts, dataset).register.append(message)
            if matched:
                output.hold(name, message.partition() or 0, message.key() or b"", message.value())
        for arrived in parts.values():
            at = int(self._now() * 1_000_000)
            Part(self._means, arrived.dataset, output, outbox, ledger, tally, at).work(arrived)
        ts_ms = int(self._now() * 1000)
        outbox.ledger(self._subjects.ledger(), ledger, ts_ms)
        for key, value in tally.records(ts_ms):
            outbox.add(self._subjects.findings(), key, value)
        outbox.flush(output)
        for (dataset_id, outcome), number in ledger.outcomes().items():
            PROCESSOR_RECORDS.labels(self.name, dataset_id, outcome).inc(max(number, 0))
        return output


def _part(parts: dict[str, Arrived], dataset: Dataset) -> Arrived:
    """The part of ``dataset``, made if it is the first."""
    if dataset.id not in parts:
        parts[dataset.id] = Arrived(dataset)
    return parts[dataset.id]
