"""Records of one batch on their way into topics: collected as dicts, encoded in columns, framed with schema ids.

One ``Subjects`` a process knows each topic's schemas and their ids; one ``Outbox`` a batch collects.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import polars as pl

from sync.kafka.client import Topic, ensure_topics
from sync.process.bridge import Output
from sync.process.ledger import Ledger
from sync.process.reason import worded
from sync.schema.avro import header
from sync.schema.columns import Columns
from sync.schema.dataset import Dataset
from sync.schema.derived import (
    FINDINGS_TOPIC,
    INDICATORS_TOPIC,
    LEDGER_TOPIC,
    QUALITY_TOPIC,
    alias_key_schema,
    alias_schema,
    candidates_schema,
    contributions_schema,
    decision_key_schema,
    decision_schema,
    findings_key_schema,
    findings_schema,
    golden_schema,
    indicators_schema,
    key_schema,
    ledger_key_schema,
    ledger_schema,
    quality_key_schema,
    quality_schema,
    rejected_key_schema,
    rejected_schema,
    relations_schema,
    review_schema,
    row_key_schema,
    topic,
    transfer_key_schema,
    transfer_schema,
    valid_schema,
    verdict_schema,
)
from sync.schema.registry import RegistryClient

Schema = dict[str, Any]


def partition_of(key: bytes, partitions: int) -> int:
    """Partition of an entity: CRC-32 of its key's Avro datum, so that topics of one entity go together.

    The datum, not the framed key: two topics may hold the same key under different schema ids.
    """
    return zlib.crc32(key) % partitions


class Subject:
    """Key and value schema of one topic, registered on first use."""

    def __init__(self, registry: RegistryClient, name: str, key: Schema, value: Schema) -> None:
        self.topic = name
        self._registry = registry
        self._schemas = (key, value)

    @cached_property
    def key(self) -> Columns:
        """The key's codec; compiled on first use: many topics take bytes that are encoded already."""
        return Columns(self._schemas[0])

    @cached_property
    def value(self) -> Columns:
        """The value's codec; compiled on first use."""
        return Columns(self._schemas[1])

    @cached_property
    def ids(self) -> tuple[int, int]:
        """Schema ids of key and value; Incompatible where the registry refuses one."""
        key, value = self._schemas
        return (
            self._registry.register(f"{self.topic}-key", key),
            self._registry.register(f"{self.topic}-value", value),
        )

    @cached_property
    def key_header(self) -> bytes:
        """What stands before a key's datum in wire format."""
        return header(self.ids[0])

    @cached_property
    def value_header(self) -> bytes:
        """What stands before a value's datum in wire format."""
        return header(self.ids[1])


class Subjects:
    """The topics of a dataset, each with its schemas; makes them on first use."""

    def __init__(self, registry: RegistryClient, bootstrap: str, partitions: int) -> None:
        self._registry = registry
        self._bootstrap = bootstrap
        self.partitions = partitions
        self._subjects: dict[str, Subject] = {}

    def _get(self, name: str, schemas: Callable[[], tuple[Schema, Schema]], *, compacted: bool, wide: bool) -> Subject:
        """The subject ``name``, made on first use; ``wide`` topics have all the partitions of the entities."""
        if name not in self._subjects:
            partitions = self.partitions if wide else 1
            ensure_topics(self._bootstrap, [Topic(name, partitions=partitions, compacted=compacted)])
            self._subjects[name] = Subject(self._registry, name, *schemas())
        return self._subjects[name]

    def valid(self, dataset: Dataset) -> Subject:
        """``<dataset>.valid``, partitioned by entity."""
        name = topic(dataset.id, "valid")
        return self._get(name, lambda: (key_schema(dataset), valid_schema(dataset)), compacted=False, wide=True)

    def contributions(self, dataset: Dataset) -> Subject:
        """``<dataset>.contributions``, the reconciler's state, partitioned as ``valid``."""
        name = topic(dataset.id, "contributions")
        return self._get(name, lambda: (key_schema(dataset), contributions_schema(dataset)), compacted=True, wide=True)

    def golden(self, dataset: Dataset, locality: str | None = None) -> Subject:
        """``<dataset>.golden`` or a locality's own topic."""
        name = topic(dataset.id, "golden", locality)
        wide = locality is None
        return self._get(name, lambda: (key_schema(dataset), golden_schema(dataset)), compacted=True, wide=wide)

    def rejected(self, dataset: Dataset) -> Subject:
        """``<dataset>.rejected``: with the original bytes, replayable."""
        name = topic(dataset.id, "rejected")
        return self._get(
            name, lambda: (rejected_key_schema(dataset), rejected_schema(dataset)), compacted=False, wide=False
        )

    def verdict(self, dataset: Dataset, locality: str | None = None) -> Subject:
        """``<dataset>.verdict``, or a locality's own: what the owner of a row is told; a tombstone withdraws it."""
        name = topic(dataset.id, "verdict", locality)
        return self._get(name, lambda: (row_key_schema(dataset), verdict_schema(dataset)), compacted=True, wide=False)

    def review(self, dataset: Dataset) -> Subject:
        """``<dataset>.review``: cases that a person decides."""
        name = topic(dataset.id, "review")
        return self._get(name, lambda: (row_key_schema(dataset), review_schema(dataset)), compacted=True, wide=False)

    def candidates(self, dataset: Dataset) -> Subject:
        """``<dataset>.candidates``: whom of the register a case may be about, by the case's key."""
        name = topic(dataset.id, "candidates")
        schemas = row_key_schema, candidates_schema
        return self._get(name, lambda: (schemas[0](dataset), schemas[1](dataset)), compacted=True, wide=False)

    def aliases(self, dataset: Dataset) -> Subject:
        """``<dataset>.aliases``: pairs of numbers that seem to be one person's, each both ways."""
        name = topic(dataset.id, "aliases")
        return self._get(name, lambda: (alias_key_schema(dataset), alias_schema(dataset)), compacted=True, wide=False)

    def relations(self, dataset: Dataset) -> Subject:
        """``<dataset>.relations``: what rules across datasets find in golden records, partitioned as these."""
        name = topic(dataset.id, "relations")
        return self._get(name, lambda: (key_schema(dataset), relations_schema(dataset)), compacted=True, wide=True)

    def decision(self, dataset: Dataset) -> Subject:
        """``<dataset>.decision``: what data stewards decided, all of it; one partition keeps it in order."""
        name = topic(dataset.id, "decision")
        return self._get(
            name, lambda: (decision_key_schema(dataset), decision_schema(dataset)), compacted=True, wide=False
        )

    def transfer(self, dataset: Dataset) -> Subject:
        """``<dataset>.transfer``: transfers of merged units, partitioned as ``valid``."""
        name = topic(dataset.id, "transfer")
        return self._get(
            name, lambda: (transfer_key_schema(dataset), transfer_schema(dataset)), compacted=True, wide=True
        )

    def ledger(self) -> Subject:
        """``dongbo.ledger``."""
        return self._get(LEDGER_TOPIC, lambda: (ledger_key_schema(), ledger_schema()), compacted=False, wide=False)

    def quality(self) -> Subject:
        """``dongbo.quality``: findings by rule, for the indicators."""
        return self._get(QUALITY_TOPIC, lambda: (quality_key_schema(), quality_schema()), compacted=False, wide=False)

    def findings(self) -> Subject:
        """``dongbo.findings``: differences of the counts of rows, for the scores."""
        return self._get(
            FINDINGS_TOPIC, lambda: (findings_key_schema(), findings_schema()), compacted=False, wide=False
        )

    def indicators(self) -> Subject:
        """``dongbo.indicators``: the scores as they are now, for the operations centre."""
        return self._get(
            INDICATORS_TOPIC, lambda: (findings_key_schema(), indicators_schema()), compacted=True, wide=False
        )


class Outbox:
    """Records of one batch as dicts by subject; ``flush`` encodes them into an ``Output``."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[Subject, list[Mapping[str, Any]], list[Mapping[str, Any] | None]]] = {}

    def add(self, subject: Subject, key: Mapping[str, Any], value: Mapping[str, Any] | None) -> None:
        """Add a record; ``value`` None is a tombstone. Fields left out are null."""
        _, keys, values = self._records.setdefault(subject.topic, (subject, [], []))
        keys.append(key)
        values.append(value)

    def ledger(self, subject: Subject, ledger: Ledger, ts_ms: int) -> None:
        """Add the batch's counts."""
        for key, value in ledger.records(ts_ms):
            self.add(subject, key, value)

    def flush(self, output: Output) -> None:
        """Encode everything into ``output``, in the order of the calls within a topic."""
        for subject, keys, values in self._records.values():
            data = iter(encode(subject.value, [value for value in values if value is not None], subject.value_header))
            records = output.records.setdefault(subject.topic, [])
            for key, value in zip(encode(subject.key, keys, subject.key_header), values, strict=True):
                records.append((key, None if value is None else next(data)))
        self._records.clear()


def encode(columns: Columns, records: Sequence[Mapping[str, Any]], prefix: bytes) -> list[bytes]:
    """Encode dicts by way of a frame with the schema's types, each with ``prefix`` in front."""
    if not records:
        return []
    return columns.encode(pl.DataFrame(list(records), schema=columns.dtypes, orient="row"), prefix=prefix)


def tell(
    outbox: Outbox,
    subjects: Subjects,
    dataset: Dataset,
    locality: str | None,
    key: Mapping[str, Any],
    verdict: Mapping[str, Any] | None,
) -> None:
    """Put a verdict on a source row, or its withdrawal, into all verdicts and into those of the source's locality.

    A locality's own topic has the verdicts on its own rows and no others (invariant 6): they may hold values. Each fix
    and each warning is told in words too.
    """
    if verdict is not None:
        said = {name: worded(verdict.get(name), dataset.rules) for name in ("fixes", "warnings")}
        verdict = {**verdict, **said}
    outbox.add(subjects.verdict(dataset), key, verdict)
    if locality is not None:
        outbox.add(subjects.verdict(dataset, locality), key, verdict)
