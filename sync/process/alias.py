"""Two numbers for one person: pairs of a dataset's golden records that agree as only one person's do.

Used by the ``candidates`` step, which has the dataset's golden records in its index. A pair is kept in
``<dataset>.aliases``, both ways, and is a case for a data steward (``TWO_NUMBERS``, rule VR07). It decides nothing: the
records stay as they are. The case closes by itself when one of them goes or differs, and by the steward's word that
they are two people, or one: then the reconcile step takes what is said of the wrong number as said of the right one
(``sync.process.referral``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from sync.process.blocking import ENTRY, Index, blocks_of, members, unpacked
from sync.process.bridge import Output
from sync.process.decision import ACCEPT, ALIAS, MERGE, Case, Decided, facts
from sync.process.entity import texts
from sync.process.outbox import Outbox, Subjects, encode
from sync.process.reader import FRAME
from sync.process.reason import MESSAGES, RULES, TWO_NUMBERS
from sync.rule import linkage
from sync.rule.linkage import Weights
from sync.schema.dataset import Dataset
from sync.schema.derived import topic

SOURCE = "dongbo.aliases"
"""What stands for a source in the key of a case; its row is the two numbers."""

_BLOCKS = (b"b0", b"b2")
"""Birth date and given name, old card number: who is one person shares either."""

_LARGEST = 100
_NUMBERS = 1000


class Pair(NamedTuple):
    """Two numbers, the smaller first."""

    number: str
    other: str


Found = dict[str, Any]
"""score (bits), levels by field."""


class Aliases:
    """The pairs of one dataset; in memory, since they are few."""

    def __init__(self, dataset: Dataset, weights: Weights, subjects: Subjects, index: Index, by: Decided) -> None:
        self._dataset = dataset
        self._weights = weights
        self._subjects = subjects
        self._index = index
        self._by = by
        self._known: dict[str, set[Pair]] = {}
        self.golden = topic(dataset.id, "golden")
        self.topic = topic(dataset.id, "aliases")

    def reload(self) -> None:
        """Know of the pairs that were committed. One that is known and no more told of does no harm."""
        for key in self._index.scan(self.topic, [b""], 10**9):
            self._note(Pair(*sorted(texts(key[FRAME:]))))

    def look(self, numbers: Iterable[str], at: int, output: Output, outbox: Outbox) -> None:
        """Compare the golden records of ``numbers`` with the others; ``at``: microseconds since 1970."""
        distinct = list(dict.fromkeys(numbers))
        for start in range(0, len(distinct), _NUMBERS):
            part = distinct[start : start + _NUMBERS]
            found = self._pairs(part)
            gone = {pair for number in part for pair in self._known.get(number, ())} - found.keys()
            for pair in gone:
                for number in pair:
                    self._known[number].discard(pair)
            for pair in found:
                self._note(pair)
            self._keep({**found, **dict.fromkeys(gone)}, at, output)
            for pair, what in (*found.items(), *((pair, None) for pair in gone)):
                self._tell(pair, what, at, outbox)

    def _note(self, pair: Pair) -> None:
        for number in pair:
            self._known.setdefault(number, set()).add(pair)

    def _pairs(self, numbers: Sequence[str]) -> dict[Pair, Found]:
        """The pairs of ``numbers`` that score as one person's."""
        entries = self._entries(numbers)
        if not entries:
            return {}
        keys = [[key for key in of_one if key[:2] in _BLOCKS] for of_one in blocks_of(list(entries.values()))]
        known = members(self._index, self.golden, (key for of_one in keys for key in of_one), _LARGEST)
        pairs = {
            Pair(*sorted((number, other)))
            for number, of_one in zip(entries, keys, strict=True)
            for key in of_one
            for other in map(bytes.decode, known[key])
            if other != number
        }
        entries |= self._entries({number for pair in pairs for number in pair} - entries.keys())
        whole = sorted(pair for pair in pairs if all(number in entries for number in pair))
        return dict(self._scored(whole, entries)) if whole else {}

    def _entries(self, numbers: Iterable[str]) -> dict[str, bytes]:
        wanted = list(numbers)
        held = self._index.look(self.golden, [ENTRY + number.encode() for number in wanted])
        return {number: entry for number, entry in zip(wanted, held, strict=True) if entry is not None}

    def _scored(self, pairs: Sequence[Pair], entries: dict[str, bytes]) -> Iterator[tuple[Pair, Found]]:
        left, right = (unpacked([entries[pair[side]] for pair in pairs]) for side in (0, 1))
        levels = linkage.levels(left, right)
        scores = linkage.scores(levels, self._weights)
        for at in np.flatnonzero(scores >= self._weights.same).tolist():
            yield pairs[at], {"score": round(float(scores[at]), 1), "levels": linkage.named(levels, at)}

    def _keep(self, found: dict[Pair, Found | None], at: int, output: Output) -> None:
        """The pairs' own topic, both ways: the state from which ``reload`` begins."""
        if not found:
            return
        subject = self._subjects.aliases(self._dataset)
        both = [(*sides, what) for pair, what in found.items() for sides in (pair, pair[::-1])]
        keys = encode(
            subject.key, [{"number": number, "other": other} for number, other, _ in both], subject.key_header
        )
        told = [{**what, "levels": json.dumps(what["levels"]), "found_at": at} for _, _, what in both if what]
        values = iter(encode(subject.value, told, subject.value_header))
        records = [(key, next(values) if what else None, 0) for key, (_, _, what) in zip(keys, both, strict=True)]
        output.keep(subject.topic, records)

    def _tell(self, pair: Pair, found: Found | None, at: int, outbox: Outbox) -> None:
        """Open the pair's case, or close it."""
        identity = {"source": SOURCE, "row": "|".join(pair)}
        subject = self._subjects.review(self._dataset)
        if found is None:
            return outbox.add(subject, identity, None)
        bound = facts({"numbers": pair, "levels": found["levels"]})
        decision = self._by.of(Case(self._dataset.id, ALIAS, SOURCE, identity["row"])).decision
        if decision is not None and decision.facts == bound and decision.action in (ACCEPT, MERGE):
            return outbox.add(subject, identity, None)
        case = {
            "dataset": self._dataset.id,
            **identity,
            "topic": self.topic,
            "entity": pair.number,
            "code": TWO_NUMBERS,
            "rule": self._dataset.rules.labels.get(RULES[TWO_NUMBERS]),
            "message_vi": MESSAGES[TWO_NUMBERS][0],
            "message_en": MESSAGES[TWO_NUMBERS][1],
            "opened_at": at,
            "status": "open",
            "stage": ALIAS,
            "facts": bound,
        }
        return outbox.add(subject, identity, case)
