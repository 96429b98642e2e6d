"""Golden records written as the reconciler writes them, for tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from sync.kafka.transaction import Transactions
from sync.process.entity import entity_key
from sync.process.outbox import Subjects, partition_of
from sync.schema.dataset import Dataset, load
from sync.schema.registry import RegistryClient

Message = tuple[str, bytes, bytes | None, int]
"""Topic, key, value, partition."""


class Golden:
    """Makes and writes golden records; all fields of a record come from one source row."""

    def __init__(self, kafka: str, registry_url: str) -> None:
        self.subjects = Subjects(RegistryClient(registry_url), kafka, 2)
        self._transactions = Transactions(kafka, "test-golden")
        self._transactions.open()

    def close(self) -> None:
        self._transactions.close()

    def message(
        self,
        dataset: str,
        record: Mapping[str, Any],
        *,
        source: str = "hn",
        locality: str | None = "01",
        gone: bool = False,
    ) -> Message:
        """A record, or its delete."""
        known = load(dataset)
        subject = self.subjects.golden(known)
        key = entity_key(str(record[name]) for name in known.key)
        value = None if gone else subject.value_header + self._encoded(known, record, source, locality)
        return subject.topic, subject.key_header + key, value, partition_of(key, 2)

    def _encoded(self, dataset: Dataset, record: Mapping[str, Any], source: str, locality: str | None) -> bytes:
        marks = "".join("." if record.get(field.name) is None else "0" for field in dataset.fields)
        sources = [{"source": source, "row": "public.t/1", "changed_at": None}]
        told = {"_locality": locality, "_lineage": json.dumps({"fields": marks, "sources": sources})}
        columns = self.subjects.golden(dataset).value
        return columns.encode(pl.DataFrame([{**record, **told}], schema=columns.dtypes, orient="row"))[0]

    def write(self, *messages: Message) -> None:
        """Write them in one transaction."""
        records: dict[str, list[tuple[bytes, bytes | None, int]]] = {}
        for topic, key, value, partition in messages:
            records.setdefault(topic, []).append((key, value, partition))
        self._transactions.commit(records)
