"""The step behind the ``relations`` agent: golden records judged by what other datasets' golden records say.

Reads the golden topics of the datasets in use whose rules ask for others, and of those that they ask for, keeps them in
an index (``index``), and judges a record when it changes and when the number of those that it asks for does. A rule
is judged only where all datasets that it names are in use.

The index is written before the batch is committed, as by the candidates step; what was judged may be lost with an
aborted batch or a process, so all is judged anew after one. What stands is known from ``<dataset>.relations``, so that
nothing is told twice. Nothing is judged before the topics were read to their ends as they are at the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, datetime

from sync.kafka import Message
from sync.kafka.client import place
from sync.metrics import RELATION_FINDINGS, RELATION_JUDGED
from sync.process.bridge import Again, Output
from sync.process.decision import RELATION, Book, Decided, Decision
from sync.process.entity import entity_key
from sync.process.notice import SEPARATOR
from sync.process.outbox import Outbox, Subjects, partition_of
from sync.process.quality import Tally
from sync.process.reader import Reader
from sync.process.relation.backlog import Backlog
from sync.process.relation.finding import Findings, Told
from sync.process.relation.index import COUNT, ENTRY, Index, appeared, changed_value
from sync.process.relation.judgement import Judgement
from sync.process.relation.layout import Kept, Layout
from sync.process.state import Items
from sync.rule.model import Reference, RuleSpec
from sync.schema.dataset import Dataset

_JUDGED = 5_000
"""Records that are judged together."""

_ROUND = 50_000
"""Records that are judged in one batch: bounds its transaction."""


class Relations:
    """The ``relations`` step (``sync.process.bridge.Step``) for the datasets in use."""

    name = "relations"

    def __init__(
        self,
        *,
        subjects: Subjects,
        index: Index,
        layout: Layout,
        reader: Reader,
        reference: Reference,
        discover: Callable[[], Iterable[Dataset]],
        decisions: Decided | None = None,
        backlog: Backlog | None = None,
        now: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """``layout``: of all installed datasets. ``discover``: those that came into use since it was asked last."""
        self._subjects = subjects
        self._index = index
        self._layout = layout
        self._reader = reader
        self._judgement = Judgement(layout, index, reference)
        self._discover = discover
        self._decisions = decisions or Book()
        self._backlog = backlog or Backlog(index)
        self._now = now
        self._steady = steady
        self._used: set[str] = set()
        self._active: dict[str, list[RuleSpec]] = {}
        self._ended: set[tuple[str, int]] = set()

    def topics(self) -> Iterable[str]:
        """The golden topics of the datasets that have rules to be judged, and of those that these ask for."""
        fresh = {dataset.id for dataset in self._discover()}
        if fresh:
            self._used |= fresh
            self._activate()
        return self._wanted()

    def _wanted(self) -> list[str]:
        asked = {
            relation.target.dataset: None
            for rules in self._active.values()
            for rule in rules
            for relation in rule.relations
        }
        return [kept.golden for kept in self._layout.kept.values() if kept.dataset.id in {*self._active, *asked}]

    def _activate(self) -> None:
        """The rules of the datasets in use that ask for these alone; where they are others than before, all is judged.

        A dataset of which something was told is judged without rules too: what was told is taken back.
        """
        for kept in self._layout.kept.values():
            if kept.dataset.id not in self._used:
                continue
            self._subjects.golden(kept.dataset)
            rules = [
                rule for rule in kept.rules if self._used.issuperset(asks.target.dataset for asks in rule.relations)
            ]
            judged = rules or kept.dataset.id in self._layout.told
            if judged and rules != self._active.get(kept.dataset.id):
                self._active[kept.dataset.id] = rules
                self._subjects.relations(kept.dataset)
                self._decisions.follow(kept.dataset)
                self._backlog.mark_all(kept)

    def state_topics(self, topic_name: str) -> Iterable[str]:
        """Each topic is held, as the index has it; beside it what was found in its records."""
        kept = self._layout.kept[topic_name]
        return (topic_name, kept.findings) if kept.dataset.id in self._active else (topic_name,)

    def ended(self, topic_name: str, partition: int) -> None:
        """All that a partition held by now was handed out (``sync.process.bridge.Bridge``)."""
        self._ended.add((topic_name, partition))

    def again(self, assigned: Collection[tuple[str, int]], *, anew: bool) -> Sequence[Again]:
        """A word to go on judging, where something is due; all is where a batch may have been lost."""
        if anew:
            self._backlog.clear()
            for kept in self._judged():
                self._backlog.mark_all(kept)
        self._ended.intersection_update(assigned)
        # A topic that came into use is assigned some seconds later.
        if self._ended != set(assigned) or {name for name, _ in assigned} != set(self._wanted()) or not assigned:
            return []
        self._decided(self._decisions.fresh())
        if not self._backlog.turn(self._steady()):
            return []
        name, partition = min(assigned)
        return [Again(name, partition, -1, None, None)]

    def _judged(self) -> list[Kept]:
        return [kept for kept in self._layout.kept.values() if kept.dataset.id in self._active]

    def _decided(self, decisions: Iterable[Decision]) -> None:
        """Judge at once what a person decided about."""
        known = {kept.dataset.id: kept for kept in self._judged()}
        for decision in decisions:
            if decision.case.stage == RELATION and decision.case.dataset in known:
                entity = entity_key(decision.case.row.split(SEPARATOR))
                self._backlog.hasten(known[decision.case.dataset], [entity])

    def process(self, messages: Sequence[Message]) -> Output:
        """Take golden records into the index; judge what is due where a word to do so is among the messages."""
        output, outbox, tally = Output(), Outbox(), Tally()
        arrived: dict[tuple[str, int], list[tuple[bytes, bytes | None]]] = {}
        for message in messages:
            if not isinstance(message, Again):
                arrived.setdefault(place(message), []).append((message.key() or b"", message.value()))
        for (name, partition), items in arrived.items():
            # The state is written here; the store moves its checkpoint with the batch.
            output.state.setdefault((name, partition), [])
            self._mark(name, self._index.write(name, partition, items))
            self._backlog.arrived(len(items))
        if any(isinstance(message, Again) for message in messages):
            at = self._now()
            findings = Findings(
                self._subjects, self._reader, self._decisions, output, outbox, tally, int(at * 1_000_000)
            )
            self._judge(findings, datetime.fromtimestamp(at, UTC).date())
            for key, value in tally.records(int(at * 1000)):
                outbox.add(self._subjects.findings(), key, value)
        outbox.flush(output)
        return output

    def _mark(self, name: str, stored: Items) -> None:
        """Mark what is to be judged since the index changed so."""
        kept = self._layout.kept[name]
        if kept.dataset.id in self._active:
            self._backlog.mark(kept, [key[1:] for key, _ in stored if key.startswith(ENTRY)])
        for key, value in stored:
            if key.startswith(COUNT):
                number, text = changed_value(key)
                if number in self._layout.counted or appeared(value):
                    for asking in self._layout.askers(number):
                        if asking.dataset.id in self._active:
                            self._backlog.mark_value(asking, number, text)

    def _judge(self, findings: Findings, today: date) -> None:
        """Judge what is due, as far as one batch goes."""
        left = _ROUND
        while left > 0 and (taken := self._backlog.take(min(_JUDGED, left))) is not None:
            kept, records = taken
            left -= len(records)
            changed = findings.say(kept, self._told(kept, records, findings, today))
            RELATION_JUDGED.labels(kept.dataset.id).inc(len(records))
            RELATION_FINDINGS.labels(kept.dataset.id).inc(changed)

    def _told(self, kept: Kept, records: Sequence[bytes], findings: Findings, today: date) -> list[Told]:
        """What stands and what is found of those records of which there is either."""
        header = self._subjects.relations(kept.dataset).key_header
        entries = self._held(kept.golden, [ENTRY + one for one in records], records)
        before = self._held(kept.findings, [header + one for one in records], records)
        present = [number for number, entry in enumerate(entries) if entry is not None]
        held = [entry for entry in entries if entry is not None]
        frame, broken = self._judgement.judge(kept, held, today, self._active[kept.dataset.id])
        rows = {number: row for row, number in enumerate(present)}
        told: list[Told] = []
        for number, (one, value) in enumerate(zip(records, before, strict=True)):
            row = rows.get(number, -1)
            if value is not None or row in broken:
                columns = {} if row < 0 else frame.row(row, named=True)
                told.append((one, findings.known(value), columns, broken.get(row, [])))
        return told

    def _held(self, name: str, keys: Sequence[bytes], records: Sequence[bytes]) -> list[bytes | None]:
        """What the store holds of ``keys``, each in the partition of its record."""
        places: dict[int, list[int]] = {}
        for number, one in enumerate(records):
            places.setdefault(partition_of(one, self._subjects.partitions), []).append(number)
        found: list[bytes | None] = [None] * len(keys)
        for partition, numbers in places.items():
            held = self._index.get(name, partition, [keys[number] for number in numbers])
            for number, value in zip(numbers, held, strict=True):
                found[number] = value
        return found
