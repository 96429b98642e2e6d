"""The relations step without Kafka: golden records in, what stands in compacted topics out. For property tests.

``Memory`` stands for the state store; ``tests/contract/test_index.py`` runs on both.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from sync.process import outbox
from sync.process.bridge import Output
from sync.process.decision import Book, Decision
from sync.process.entity import entity_key
from sync.process.outbox import Subjects, partition_of
from sync.process.reader import Reader
from sync.process.relation.backlog import SETTLE, Backlog
from sync.process.relation.index import Relating, looked_at
from sync.process.relation.layout import RELATIONS, Layout
from sync.process.relation.step import Relations
from sync.process.state import Form, Items
from sync.rule.model import Reference
from sync.schema.avro import decode_one, split
from sync.schema.dataset import Dataset
from sync.schema.derived import topic

TODAY = date(2026, 11, 22)
PARTITIONS = 2


class Memory:
    """An index in dicts."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.held: dict[tuple[str, int], dict[bytes, bytes]] = {}

    def open(self, topic_name: str, partition: int) -> None:
        self.held.setdefault((topic_name, partition), {})

    def write(self, topic_name: str, partition: int, items: Items) -> Items:
        part = self.held[topic_name, partition]
        stored = self._form(topic_name, items, lambda keys: [part.get(key) for key in keys])
        for key, value in stored:
            if value is None:
                part.pop(key, None)
            else:
                part[key] = value
        return stored

    def get(self, topic_name: str, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.held[topic_name, partition].get(key) for key in keys]

    def parts(self, topic_name: str) -> list[int]:
        return [partition for name, partition in self.held if name == topic_name]

    def walk(self, topic_name: str, partition: int, prefix: bytes, after: bytes, most: int) -> list[bytes]:
        keys = sorted(key for key in self.held[topic_name, partition] if key.startswith(prefix) and key > after)
        return keys[:most]


class Registry:
    """Schemas by number."""

    def __init__(self) -> None:
        self._schemas: list[Any] = []

    def register(self, _: str, schema: Any) -> int:
        if schema not in self._schemas:
            self._schemas.append(schema)
        return self._schemas.index(schema) + 1

    def schema(self, schema_id: int) -> Any:
        return self._schemas[schema_id - 1]


@dataclass(frozen=True)
class Arrived:
    """A consumed record."""

    name: str
    place: int
    at: int
    id: bytes
    content: bytes | None

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes:
        return self.id

    def value(self) -> bytes | None:
        return self.content


class Stand:
    """The step with its topics. ``now`` is its clock, in seconds."""

    def __init__(self, datasets: Iterable[Dataset], patch: pytest.MonkeyPatch) -> None:
        """``datasets``: those in use."""
        patch.setattr(outbox, "ensure_topics", lambda *_: None)
        self.datasets = {dataset.id: dataset for dataset in datasets}
        self.registry: Any = Registry()
        self.subjects = Subjects(self.registry, "", PARTITIONS)
        self.layout = Layout(self.datasets.values())
        self.decisions = Book()
        self.now = 0.0
        self.log: list[Arrived] = []
        self.topics: dict[str, dict[bytes, bytes]] = {}
        self.sums: Counter[tuple[str, str, str, str]] = Counter()
        self.told = 0
        self.used = list(self.datasets.values())
        self.wipe()

    # -- what happens to the process

    def wipe(self) -> None:
        """It starts on an empty disk: the index is made again from the topics."""
        self.index = Memory(Relating(self.layout, lambda kept: Reader(self.registry, looked_at(kept)).read))
        self.restart()
        for message in self.log:
            self.index.write(message.name, message.place, [(message.id, message.content)])
        for name, held in self.topics.items():
            if name.endswith(RELATIONS):
                for key, value in held.items():
                    self.index.write(name, partition_of(key[5:], PARTITIONS), [(key, value)])

    def install(self, *datasets: Dataset) -> None:
        """Other rules are installed, and it starts again: with an index of another layout."""
        self.datasets |= {dataset.id: dataset for dataset in datasets}
        self.used = list(self.datasets.values())
        told = {name.removesuffix(RELATIONS) for name in self.topics if name.endswith(RELATIONS)}
        self.layout = Layout(self.used, told)
        self.wipe()

    def restart(self) -> None:
        """It starts again, with what the disk holds."""
        given = [self.used]
        self.step = Relations(
            subjects=self.subjects,
            index=self.index,
            layout=self.layout,
            reader=Reader(self.registry),
            reference=Reference({}),
            discover=lambda: given.pop() if given else (),
            decisions=self.decisions,
            backlog=Backlog(self.index),
            now=lambda: datetime(2026, 11, 22, tzinfo=UTC).timestamp(),
            steady=lambda: self.now,
        )
        self.anew = True
        self.assigned = {(name, number) for name in self.step.topics() for number in range(PARTITIONS)}
        for name, number in self.assigned:
            for state in self.step.state_topics(name):
                self.index.open(state, number)
            self.step.ended(name, number)

    # -- what arrives

    def message(self, dataset: str, record: Mapping[str, Any], told: Mapping[str, Any] | None) -> Arrived:
        """A golden record of one source row, or its delete. ``told``: source and locality; None: a delete."""
        known = self.datasets[dataset]
        subject = self.subjects.golden(known)
        key = entity_key(str(record[name]) for name in known.key)
        value = None
        if told is not None:
            marks = "".join("." if record.get(field.name) is None else "0" for field in known.fields)
            lineage = {"fields": marks, "sources": [{"source": told["source"], "row": "s.t/1", "changed_at": None}]}
            row = {**record, "_locality": told["locality"], "_lineage": json.dumps(lineage)}
            frame = pl.DataFrame([row], schema=subject.value.dtypes, orient="row")
            value = subject.value_header + subject.value.encode(frame)[0]
        return Arrived(subject.topic, partition_of(key, PARTITIONS), len(self.log), subject.key_header + key, value)

    def lineage(self, message: Arrived, lineage: Mapping[str, Any]) -> Arrived:
        """The same record with another lineage."""
        known = self.layout.kept[message.name].dataset
        record = {**self.read(message.content), "_lineage": json.dumps(lineage)}
        subject = self.subjects.golden(known)
        frame = pl.DataFrame([record], schema=subject.value.dtypes, orient="row")
        return replace(message, content=subject.value_header + subject.value.encode(frame)[0])

    def decide(self, decision: Decision) -> None:
        """A data steward decides; carried out at once."""
        self.decisions.add([decision])
        self.step._decided([decision])
        self.send([])

    def send(self, messages: Sequence[Arrived], *, lost: bool = False) -> None:
        """A batch; ``lost``: it is aborted, and read again."""
        asked: Any = self.step.again(self.assigned, anew=self.anew)
        self.anew = False
        output = self.step.process([*asked, *messages])  # type: ignore[list-item]
        if lost:
            self.anew = True
            return self.send(messages)
        self.log += messages
        return self._take(output)

    def pass_time(self, seconds: float = SETTLE, *, lost: bool = False) -> None:
        """Let time go by, and the step do what is due; ``lost``: the batch is aborted."""
        self.now += seconds
        self.send([], lost=lost)

    def settle(self) -> None:
        """Until nothing is left to do."""
        for _ in range(50):
            self.pass_time()
            if not self.anew and self.step._backlog.empty():
                return
        raise AssertionError("there is always something to be judged")

    def _take(self, output: Output) -> None:
        for (name, partition), items in output.state.items():
            if items:
                self.index.write(name, partition, items)
        for name, records in output.records.items():
            for record in records:
                key, value = record[0] or b"", record[1]
                self.told += 1
                if name == "dongbo.findings":
                    counted = self.read(value)
                    for rule, number in json.loads(counted["findings"]).items():
                        self.sums[counted["dataset"], counted["source"], counted["unit"], rule] += number
                elif value is None:
                    self.topics.setdefault(name, {}).pop(key, None)
                else:
                    self.topics.setdefault(name, {})[key] = value

    # -- what is told

    def read(self, data: bytes | None) -> dict[str, Any]:
        schema_id, datum = split(data)
        return decode_one(self.registry.schema(schema_id), datum)

    def last(self, dataset: str, kind: str, locality: str | None = None) -> dict[str, dict[str, Any]]:
        """What a topic of verdicts or cases holds, by row."""
        held = self.topics.get(topic(dataset, kind, locality), {})
        return {self.read(key)["row"]: self.read(value) for key, value in held.items()}

    def counts(self) -> Counter[tuple[str, str, str, str]]:
        """The sums of all differences: dataset, source, unit, rule; without zeros."""
        return Counter({key: number for key, number in self.sums.items() if number})
