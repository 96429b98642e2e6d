"""What both programs begin with: the register by citizen id, schema ids, the path."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from typing import Any

import fastavro

from bench.perrecord.path import Path
from bench.stream import PARTITIONS
from sync.kafka.client import Topic, ensure_topics, read_all
from sync.process.outbox import Subjects
from sync.schema.avro import split
from sync.schema.dataset import load
from sync.schema.derived import topic
from sync.schema.reference import load_reference
from sync.schema.registry import RegistryClient


def path(bootstrap: str, registry_url: str) -> Path:
    """A path with the whole register in memory; its topics exist."""
    registry = RegistryClient(registry_url)
    subjects = Subjects(registry, bootstrap, PARTITIONS)
    dataset = load("civil_servant")
    known = {
        "civil_servant.valid": subjects.valid(dataset).ids,
        "civil_servant.golden": subjects.golden(dataset).ids,
    }
    # The broker makes no topics by itself; ours are made on first use.
    localities = load_reference(["provinces"]).table("provinces")["code"].to_list()
    ensure_topics(bootstrap, [Topic(topic(dataset.id, "golden", code), compacted=True) for code in localities])
    register = {record["citizen_id"]: record for record in people(bootstrap, registry)}
    return Path(known.__getitem__, register, date.today())


def people(bootstrap: str, registry: RegistryClient) -> Iterator[dict[str, Any]]:
    """The register's golden records."""
    parsed: dict[int, Any] = {}
    for message in read_all(bootstrap, "population.golden"):
        number, datum = split(message.value())
        if number not in parsed:
            parsed[number] = fastavro.parse_schema(registry.schema(number))
        record = fastavro.schemaless_reader(io.BytesIO(datum), parsed[number], None)
        assert isinstance(record, dict)
        yield record
