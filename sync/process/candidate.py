"""The step behind the ``candidates`` agent: whom of the register an open case may be about, best first.

Reads ``<dataset>.review``, the dataset's golden topic (``sync.process.alias``) and that of its register, keeps them in
an index by block keys (``sync.process.blocking``), and writes ``<dataset>.candidates`` under the case's own key, scored
by ``sync.rule.linkage``. A case is looked at when it is opened or changed, and again when somebody in one of its blocks
changes in the register. Scores rank people for a data steward; they decide nothing (DOMAIN §7.7).

One process has the whole index: its memory is RocksDB's cache and one batch, whatever the number of people.

Until the topics were read to their ends as they are at the start, only the index is written: each of a million people
would ask for the same cases. Then all open cases are answered, some a second, beside what goes on arriving.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from sync.kafka import Message
from sync.kafka.client import place
from sync.process.alias import Aliases
from sync.process.blocking import CASE, ENTRY, MARK, Index, block_of, blocks_of, members, prefixes, record_id, unpacked
from sync.process.bridge import Again, Output
from sync.process.decision import ALIAS, Book, Decided
from sync.process.entity import texts
from sync.process.outbox import Outbox, Subjects
from sync.process.reader import FRAME
from sync.rule import linkage
from sync.rule.linkage import FIELDS, Weights
from sync.schema.dataset import Dataset
from sync.schema.derived import topic

LISTED = 5
"""Candidates of a case."""

LARGEST = 1000
"""People looked at in one block of one partition. A block with more tells little; others of the case are smaller."""

_ROUND = 2000
"""Open cases that are handed out together, where all are answered: bounds their batch's time."""

_CASES = 200
"""Cases that are looked at together: bounds the pairs in memory."""


class Matched:
    """A dataset and the register that its cases are looked up in."""

    def __init__(self, dataset: Dataset, weights: Weights, aliases: Aliases) -> None:
        self.dataset = dataset
        self.aliases = aliases
        self.weights = weights
        self.cases = topic(dataset.id, "review")
        self.people = topic(str(dataset.policy.register), "golden")


class Candidates:
    """The ``candidates`` step (``sync.process.bridge.Step``) for the datasets in use that have a register."""

    name = "candidates"

    def __init__(
        self,
        *,
        subjects: Subjects,
        index: Index,
        weights: Callable[[str], Weights],
        register: Callable[[str], Dataset],
        discover: Callable[[], Iterable[Dataset]],
        decisions: Decided | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``weights``: those of a register by its id. ``register``: the dataset of that id."""
        self._subjects = subjects
        self._index = index
        self._weights = weights
        self._register = register
        self._discover = discover
        self._decisions = decisions or Book()
        self._now = now
        self._matched: dict[str, Matched] = {}
        self._ended: set[tuple[str, int]] = set()
        self._caught_up = False
        self._due: list[Again] = []

    def topics(self) -> Iterable[str]:
        """The cases of the datasets in use that have a register, and the registers' golden topics."""
        for dataset in self._discover():
            if dataset.policy.register is not None:
                self._subjects.review(dataset)
                self._subjects.golden(dataset)
                self._subjects.aliases(dataset)
                self._decisions.follow(dataset)
                self._subjects.golden(self._register(dataset.policy.register))
                weights = self._weights(dataset.policy.register)
                aliases = Aliases(dataset, weights, self._subjects, self._index, self._decisions)
                matched = Matched(dataset, weights, aliases)
                self._matched[matched.cases] = matched
        golden = {name: None for matched in self._matched.values() for name in (matched.people, matched.aliases.golden)}
        return [*self._matched, *golden]

    def state_topics(self, topic_name: str) -> Iterable[str]:
        """Each topic is held, as the index has it; beside the cases the pairs that were found."""
        if topic_name in self._matched:
            return (topic_name, self._matched[topic_name].aliases.topic)
        return (topic_name,)

    def ended(self, topic_name: str, partition: int) -> None:
        """All that a partition held by now was handed out (``sync.process.bridge.Bridge``)."""
        self._ended.add((topic_name, partition))

    def again(self, assigned: Collection[tuple[str, int]], *, anew: bool) -> Sequence[Again]:
        """Pairs that were decided about; all open cases, some at a time, where a batch may have been lost.

        The index is ahead of what was answered then.
        """
        decided = self._decisions.all() if anew else self._decisions.fresh()
        found = [
            Again(topic(decision.case.dataset, "aliases"), 0, -1, decision.case.row.encode(), None)
            for decision in decided
            if decision.case.stage == ALIAS and (topic(decision.case.dataset, "review"), 0) in assigned
        ]
        read = [matched for name, matched in self._matched.items() if (name, 0) in assigned]
        if anew:
            for matched in read:
                matched.aliases.reload()
        self._ended.intersection_update(assigned)
        before, self._caught_up = self._caught_up, bool(assigned) and self._ended == set(assigned)
        if not self._caught_up:
            self._due = []
        elif anew or not before:
            self._due = [
                Again(matched.cases, 0, -1, key[len(ENTRY) :], None)
                for matched in read
                for key in self._index.scan(matched.cases, [ENTRY], 10**9)
            ]
        found += self._due[:_ROUND]
        del self._due[:_ROUND]
        return found

    def process(self, messages: Sequence[Message]) -> Output:
        """Take cases and people into the index and answer the cases that they concern."""
        output, outbox = Output(), Outbox()
        arrived: dict[tuple[str, int], list[tuple[bytes, bytes | None]]] = {}
        asked: dict[str, dict[bytes, None]] = {name: {} for name in self._matched}
        paired: dict[str, list[str]] = {matched.aliases.golden: [] for matched in self._matched.values()}
        for message in messages:
            name, partition = place(message)
            key = message.key() or b""
            if isinstance(message, Again) and name in asked:
                asked[name][key] = None
            elif isinstance(message, Again):
                paired[name.removesuffix("aliases") + "golden"] += key.decode().split("|")
            else:
                arrived.setdefault((name, partition), []).append((key, message.value()))
                # The state is written here; the store moves its checkpoint with the batch.
                output.state.setdefault((name, partition), [])
        for (name, partition), items in arrived.items():
            stored = self._index.write(name, partition, items)
            if name in self._matched:
                # What is said of a case that is closed is taken back at once.
                asked[name].update(
                    (record_id(name, key), None) for key, value in items if self._caught_up or value is None
                )
                continue
            if name in paired:
                paired[name] += (record_id(name, key).decode() for key, _ in items)
            if not self._caught_up:
                continue
            blocks = [block_of(key)[0] for key, _ in stored if not key.startswith(ENTRY)]
            for matched in self._of(name):
                asked[matched.cases].update((key, None) for key in self._sharing(matched, blocks))
        for name, keys in asked.items():
            self._answer(self._matched[name], list(keys), outbox)
        for matched in self._matched.values():
            matched.aliases.look(paired[matched.aliases.golden], int(self._now() * 1_000_000), output, outbox)
        outbox.flush(output)
        return output

    def _of(self, people: str) -> Iterator[Matched]:
        return (matched for matched in self._matched.values() if matched.people == people)

    def _sharing(self, matched: Matched, blocks: Sequence[bytes]) -> list[bytes]:
        """The open cases in ``blocks``."""
        distinct = list(dict.fromkeys(blocks))
        marks = self._index.look(matched.cases, [MARK + block for block in distinct])
        shared = [block for block, mark in zip(distinct, marks, strict=True) if mark is not None]
        return [block_of(key)[1] for key in self._index.scan(matched.cases, prefixes(shared), LARGEST)]

    def _answer(self, matched: Matched, cases: Sequence[bytes], outbox: Outbox) -> None:
        """Say whom the cases may be about; what was said of one that is closed is taken back."""
        subject = self._subjects.candidates(matched.dataset)
        packed = self._index.look(matched.cases, [ENTRY + key for key in cases])
        at = int(self._now() * 1_000_000)
        waiting: list[tuple[bytes, bytes]] = []
        for key, entry in zip(cases, packed, strict=True):
            if entry is None:
                outbox.add(subject, _identity(key), None)
            else:
                waiting.append((key, entry))
        for start in range(0, len(waiting), _CASES):
            part = waiting[start : start + _CASES]
            known = unpacked([entry for _, entry in part], CASE)
            found = self._ranked(matched, [entry for _, entry in part], known)
            for (key, _), facts, best in zip(part, known["facts"].to_list(), found, strict=True):
                identity = _identity(key)
                told = json.dumps(best, ensure_ascii=False)
                value = {"dataset": matched.dataset.id, **identity, "facts": facts, "candidates": told, "found_at": at}
                outbox.add(subject, identity, value)

    def _ranked(self, matched: Matched, entries: Sequence[bytes], cases: pl.DataFrame) -> list[list[dict[str, Any]]]:
        """For each case its candidates, best first: {number, score (bits), levels}."""
        blocks = blocks_of(entries, CASE)
        known = members(self._index, matched.people, (block for of_case in blocks for block in of_case), LARGEST)
        pairs = [
            (case, number)
            for case, of_case in enumerate(blocks)
            for number in dict.fromkeys(number for block in of_case for number in known[block])
        ]
        best: list[list[dict[str, Any]]] = [[] for _ in entries]
        numbers = list(dict.fromkeys(number for _, number in pairs))
        people = dict(zip(numbers, self._index.look(matched.people, [ENTRY + one for one in numbers]), strict=True))
        pairs = [(case, number) for case, number in pairs if people[number] is not None]
        if not pairs:
            return best
        right = unpacked([entry for _, number in pairs if (entry := people[number]) is not None])
        levels = linkage.levels(cases.select(FIELDS)[[case for case, _ in pairs]], right)
        scores = linkage.scores(levels, matched.weights)
        for at in np.flatnonzero(scores >= matched.weights.least).tolist():
            case, number = pairs[at]
            told = linkage.named(levels, at)
            best[case].append({"number": number.decode(), "score": round(float(scores[at]), 1), "levels": told})
        return [sorted(found, key=lambda one: (-one["score"], one["number"]))[:LISTED] for found in best]


def _identity(key: bytes) -> Mapping[str, str]:
    """Source and row of a case's key in wire format."""
    return dict(zip(("source", "row"), texts(key[FRAME:]), strict=True))
