"""What was decided about the changes of a source topic, as the dataset's topics tell: what a replay compares with.

Called by ``sync.steward.replay``. A change of which nothing is told (not yet worked on, or told so long ago that it is
gone), or about whose row a data steward decided, has no former judgement: a replay leaves it alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

from sync.kafka.client import read_all, topic_names
from sync.kafka.history import Record, history
from sync.process import version
from sync.process.decision import DECIDED
from sync.process.origin import SourceTable
from sync.process.trial import Judged
from sync.schema.avro import decode_one, split
from sync.schema.columns import Columns
from sync.schema.derived import topic
from sync.schema.registry import RegistryClient

Place = tuple[int, int]
"""Partition and offset of a change in its source topic."""

_BATCH = 10_000

_OF_ACCEPTED = ("_topic", "_partition", "_version", "_op", "_fixes", "_warnings")


class Former:
    """What was decided about the changes of one source table."""

    def __init__(self, bootstrap: str, registry: RegistryClient, at: SourceTable) -> None:
        """Reads all three topics to their ends; Refused or Unavailable where Kafka or the registry says no."""
        self._bootstrap = bootstrap
        self._registry = registry
        self._at = at
        self._there = set(topic_names(bootstrap))
        self._known: dict[int, Columns] = {}
        self._refused = dict(self._read_refused())
        self._accepted = self._read_accepted()
        self._waiting = dict(self._read_waiting())

    def of(self, change: Record, row: str | None) -> Judged | None:
        """The judgement on a change, the newest of its row; None where none is told, or a person's word counts."""
        place = change.partition, change.offset
        if place in self._refused:
            rules = self._refused[place]
            return None if DECIDED in rules else Judged(row, "rejected", _all("ERROR", rules))
        if place in self._accepted:
            revision, fixes, warnings = self._accepted[place]
            return None if revision else Judged(row, "accepted", _all("FIX", fixes) | _all("WARN", warnings))
        if row in self._waiting:
            return Judged(row, "review", _all("REVIEW", self._waiting[row]))
        return None

    def _read_refused(self) -> Iterator[tuple[Place, frozenset[str]]]:
        """The rules for which changes were rejected."""
        for told in self._told("rejected"):
            if told["topic"] == self._at.topic and told["row"] is not None:
                yield (told["partition"], told["offset"]), _rules(told["reasons"])

    def _read_waiting(self) -> Iterator[tuple[str, frozenset[str]]]:
        """The rules for which rows wait for a person now."""
        open_cases: dict[bytes | None, dict[str, Any]] = {}
        for record in self._records("review"):
            if record.value is None:
                open_cases.pop(record.key, None)
            else:
                open_cases[record.key] = self._decoded(record.value)
        for told in open_cases.values():
            if (told["topic"], told["stage"]) == (self._at.topic, "validate"):
                yield told["row"], _rules(told["reasons"])

    def _read_accepted(self) -> dict[Place, tuple[int, frozenset[str], frozenset[str]]]:
        """Of changes that were accepted: how many decisions came before, rules that repaired, rules that warned."""
        name = topic(self._at.dataset, "valid")
        found: dict[Place, tuple[int, frozenset[str], frozenset[str]]] = {}
        records = read_all(self._bootstrap, name) if name in self._there else iter(())
        # Some at a time: the topic has all records of the dataset, whole.
        while messages := list(islice(records, _BATCH)):
            values = [value for message in messages if (value := message.value()) is not None]
            self._note_accepted(values, found)
        return found

    def _note_accepted(
        self, values: Sequence[bytes], found: dict[Place, tuple[int, frozenset[str], frozenset[str]]]
    ) -> None:
        by_schema: dict[int, list[memoryview]] = defaultdict(list)
        for value in values:
            schema_id, datum = split(value)
            by_schema[schema_id].append(datum)
        for schema_id, datums in by_schema.items():
            _, frame, _ = self._columns(schema_id).decode_each(datums)
            for name, partition, number, op, fixes, warnings in frame.select(_OF_ACCEPTED).iter_rows():
                offset, revision = version.origin(number)
                place = partition, offset
                if name == self._at.topic and op == "u" and revision >= found.get(place, (0,))[0]:
                    found[place] = revision, _rules(fixes), _rules(warnings)

    def _columns(self, schema_id: int) -> Columns:
        if schema_id not in self._known:
            self._known[schema_id] = Columns(self._registry.schema(schema_id), only=_OF_ACCEPTED)
        return self._known[schema_id]

    def _records(self, kind: str) -> list[Record]:
        name = topic(self._at.dataset, kind)
        return history(self._bootstrap, name)[0] if name in self._there else []

    def _told(self, kind: str) -> Iterator[dict[str, Any]]:
        for record in self._records(kind):
            if record.value is not None:
                yield self._decoded(record.value)

    def _decoded(self, value: bytes) -> dict[str, Any]:
        schema_id, datum = split(value)
        return decode_one(self._registry.schema(schema_id), datum)


def _rules(told: str | None) -> frozenset[str]:
    """The rules, with their versions, of a JSON list of reasons or findings."""
    return _shared(frozenset(one["rule"] for one in json.loads(told)) if told else frozenset())


@cache
def _shared(rules: frozenset[str]) -> frozenset[str]:
    """The same set for the same rules: there are millions of records and few such sets."""
    return rules


def _all(kind: str, rules: Iterable[str]) -> set[tuple[str, str, str]]:
    return {(rule, "", kind) for rule in rules}
