"""The validate and reconcile steps in one process, message by message, with a real registry."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import fastavro

from sync.demo import person, world
from sync.kafka.transaction import Transactions
from sync.process.bridge import Output
from sync.process.decision import Book, read
from sync.process.origin import SourceTable
from sync.process.outbox import Subjects
from sync.process.reconcile import Reconciler
from sync.process.validate import Table, Validator
from sync.rule.model import Reference
from sync.schema.avro import decode_one, split, wire
from sync.schema.dataset import Dataset, load
from sync.schema.location import schemas_root
from sync.schema.reference import agency_province, load_reference
from sync.schema.registry import RegistryClient

TODAY = date(2026, 11, 22)
TYPES: dict[str, Any] = {
    "date": {"type": "int", "connect.name": "io.debezium.time.Date"},
    "datetime": {"type": "string", "connect.name": "io.debezium.time.ZonedTimestamp"},
    "int": "int",
    "bool": "boolean",
}


@dataclass(frozen=True)
class Arrived:
    """A consumed record, as far as a step looks at it."""

    name: str
    place: int
    at: int
    id: bytes | None
    content: bytes | None

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.id

    def value(self) -> bytes | None:
        return self.content


class Source:
    """A captured table in the canonical layout: makes change envelopes."""

    def __init__(self, path: Route, name: str, dataset: Dataset, authority: str, locality: str | None = None) -> None:
        self.path = path
        self.at = SourceTable(f"{name}.public.t", name, "public.t", authority, locality, dataset.id, "canonical")
        row = {
            "type": "record",
            "name": "Value",
            "namespace": f"{name}.public.t",
            "fields": [
                {"name": field.name, "type": ["null", TYPES.get(field.type, "string")], "default": None}
                for field in dataset.fields
            ],
        }
        self.envelope = {
            "type": "record",
            "name": "Envelope",
            "namespace": f"{name}.public.t",
            "fields": [
                {"name": "before", "type": ["null", row], "default": None},
                {"name": "after", "type": ["null", "Value"], "default": None},
                {
                    "name": "source",
                    "type": {
                        "type": "record",
                        "name": "Source",
                        "fields": [{"name": "ts_us", "type": "long"}, {"name": "lsn", "type": "long"}],
                    },
                },
                {"name": "op", "type": "string"},
            ],
        }
        self.key = {"type": "record", "name": "Key", "namespace": name, "fields": [{"name": "id", "type": "long"}]}
        self.ids = tuple(
            path.registry.register(f"{self.at.topic}-{part}", schema)
            for part, schema in (("key", self.key), ("value", self.envelope))
        )
        self._parsed = [fastavro.parse_schema(schema) for schema in (self.key, self.envelope)]
        self.dataset = dataset
        path.validator._tables[self.at.topic] = Table(self.at, dataset)

    def change(self, row: int, record: dict[str, Any] | None, *, lsn: int | None = None) -> Arrived:
        """An upsert of ``row``, or its delete."""
        lsn = next(self.path.clock) if lsn is None else lsn
        after = None
        if record is not None:
            after = {field.name: _wired(field.type, record.get(field.name)) for field in self.dataset.fields}
        envelope = {
            "before": None,
            "after": after,
            "source": {"ts_us": 1_790_000_000_000_000 + lsn, "lsn": lsn},
            "op": "d" if record is None else "c",
        }
        return Arrived(
            self.at.topic,
            0,
            lsn,
            wire(self.ids[0], _avro(self._parsed[0], {"id": row})),
            wire(self.ids[1], _avro(self._parsed[1], envelope)),
        )


@cache
def _subjects(kafka: str, registry_url: str) -> tuple[RegistryClient, Subjects]:
    """What a stack knows of topics and schemas; it keeps them as long as it runs."""
    registry = RegistryClient(registry_url)
    return registry, Subjects(registry, kafka, 2)


@cache
def _reference(_: Path) -> Reference:
    """The reference tables, with what the steps build of them: once for each folder of schemas in force."""
    return load_reference()


class Route:
    """Both steps with their state in dicts; keeps what they put out."""

    def __init__(self, kafka: str, registry_url: str) -> None:
        self.decisions = Book()
        self.registry, self.subjects = _subjects(kafka, registry_url)
        self.state: dict[tuple[str, int, bytes], bytes | None] = {}
        self.topics: dict[str, list[tuple[dict[str, Any], dict[str, Any] | None]]] = {}
        self.clock: Iterator[int] = iter(range(1, 10**9))
        reference = _reference(schemas_root())
        datasets = [load("civil_servant"), load("population")]
        self.validator = Validator(
            bootstrap=kafka,
            registry=self.registry,
            subjects=self.subjects,
            reference=reference,
            sources=None,  # type: ignore[arg-type] - the tables are given, not discovered
            decisions=self.decisions,
            get=self._get,
            today=lambda: TODAY,
        )
        self.reconciler = Reconciler(
            registry=self.registry,
            subjects=self.subjects,
            datasets=datasets,
            provinces=agency_province(reference),
            get=self._get,
            decisions=self.decisions,
        )
        self.population, self.civil_servant = datasets[1], datasets[0]

    def _get(self, topic: str, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.state.get((topic, partition, key)) for key in keys]

    def send(self, *messages: Arrived) -> None:
        """One batch through the whole path, register first."""
        self.run(self.validator, list(messages))

    def decide(self, case: str, action: str, *, id: str = "1", undoes: str | None = None, **changes: str) -> None:
        """A decision about the row of an open case, carried out by the steps as the bridge does it."""
        found = [value for _, value in self.topics["civil_servant.review"] if value and value["row"] == case]
        about = found[-1]
        told = {**about, "id": id, "action": action, "changes": json.dumps(changes), "undoes": undoes}
        self.decisions.add([read(told)])
        everywhere = {(name, number) for name in (about["topic"], "civil_servant.valid") for number in range(2)}
        for step in (self.validator, self.reconciler):
            again = step.again(everywhere, anew=True)
            if again:
                self.run(step, list(again))  # type: ignore[arg-type]

    def run(self, step: Validator | Reconciler, messages: list[Arrived]) -> None:
        """One batch through ``step`` and what follows it."""
        output = step.process(messages)  # type: ignore[arg-type]
        following = self._take(output)
        if following:
            self.run(self.reconciler, following)

    def _take(self, output: Output) -> list[Arrived]:
        for (topic, partition), items in output.state.items():
            for key, value in items:
                self.state[topic, partition, key] = value
        following = []
        wanted = set(self.reconciler.topics())
        for topic, records in output.records.items():
            for item in records:
                key, value, partition = (*item, -1)[:3]
                if topic in wanted:
                    following.append(Arrived(topic, partition, 0, key, value))
                if not topic.endswith((".rows", ".contributions")):
                    self.topics.setdefault(topic, []).append((self._read(key) or {}, self._read(value)))
        return following

    def _read(self, data: bytes | None) -> dict[str, Any] | None:
        if data is None:
            return None
        schema_id, datum = split(data)
        return decode_one(self.registry.schema(schema_id), datum)

    def publish(self, kafka: str) -> None:
        """Write the reconciler's state and the register into their topics, as the bridge does."""
        items: dict[str, list[tuple[bytes, bytes | None, int]]] = {
            "civil_servant.contributions": [],
            "population.golden": [],
        }
        for (topic, partition, key), value in self.state.items():
            if topic in items:
                items[topic].append((key, value, partition))
        transactions = Transactions(kafka, "test-route")
        transactions.open()
        transactions.commit(items)
        transactions.close()

    def last(self, topic: str) -> dict[str, dict[str, Any]]:
        """What a compacted topic holds: by key, without deleted ones."""
        held: dict[str, dict[str, Any] | None] = {}
        for key, value in self.topics.get(topic, []):
            held["|".join(map(str, key.values()))] = value
        return {key: value for key, value in held.items() if value is not None}

    def outcomes(self, topic: str) -> Counter[str]:
        """The ledger's sums for a source topic, without zeros."""
        sums: Counter[str] = Counter()
        for _, entry in self.topics.get("dongbo.ledger", []):
            assert entry is not None
            if entry["topic"] == topic:
                sums[entry["outcome"]] += entry["count"]
        return Counter({outcome: count for outcome, count in sums.items() if count})

    def balanced(self, topic: str) -> bool:
        """Whether each received change of a source topic has ended in one way."""
        sums = self.outcomes(topic)
        return sums.pop("received", 0) == sum(sums.values())


def _wired(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "date":
        return (value - date(1970, 1, 1)).days
    if kind == "datetime":
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value if kind in ("int", "bool") else str(value)


def _avro(schema: Any, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


WORLD = world.load(Path(__file__).parents[2] / "schemas", seed=3, localities=3, today=TODAY)


def truth(index: int, **changes: Any) -> dict[str, Any]:
    """The true record of the person ``index`` of a small world, with ``changes``."""
    return {**person.truth(WORLD, index), **changes}
