"""Records for processors under measurement, straight into Kafka: change envelopes of two sources, and a register.

Used by ``bench.process``. The people are invented (``sync.demo.person``); each has a row of all 109 fields at the
ministry and one at a locality, which is a little older and has another telephone number and address. The form is that
of the PostgreSQL source. Every twentieth row has texts that need cleaning.
"""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from multiprocessing import get_context
from typing import Any

import fastavro

from sync.demo import person, world
from sync.demo.person import Record
from sync.kafka.client import Topic, ensure_topics, producer
from sync.kafka.registrations import CONFIGS_TOPIC, SOURCE
from sync.process.outbox import Subject, Subjects, encode, partition_of
from sync.schema.avro import header
from sync.schema.dataset import load
from sync.schema.location import schemas_root
from sync.schema.registry import RegistryClient
from sync.source.postgresql.envelope import source_schema, transaction_schema

DATASET, REGISTER = "civil_servant", "population"
TABLE = "public.ho_so"
PARTITIONS = 2
DAMAGED_EVERY = 20

Schema = dict[str, Any]
Wire = tuple[bytes, bytes]
"""Key and value in Confluent's wire format."""

_PIECE = 2_000
_EPOCH = date(1970, 1, 1)
_TYPES: dict[str, Any] = {
    "date": {"type": "int", "connect.version": 1, "connect.name": "io.debezium.time.Date"},
    "datetime": {"type": "string", "connect.version": 1, "connect.name": "io.debezium.time.ZonedTimestamp"},
    "int": "int",
    "bool": "boolean",
}
"""How the PostgreSQL source writes the canonical types (decimals as text)."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A source of civil servants' records."""

    name: str
    authority: str
    locality: str | None

    @property
    def topic(self) -> str:
        """Its table's topic."""
        return f"{self.name}.{TABLE}"

    @property
    def declaration(self) -> dict[str, str]:
        """What the control plane tells the processors of it."""
        found = {
            "name": self.name,
            "connector.class": "dongbo.source.PostgreSQL",
            "topic.prefix": self.name,
            "dongbo.mappings": f"{TABLE}:{DATASET}/canonical",
            "dongbo.source.authority": self.authority,
        }
        return found if self.locality is None else {**found, "dongbo.source.locality": self.locality}


FEEDS = (Feed("bench_ministry", "ministry", None), Feed("bench_locality", "locality", "01"))


def key_schema(feed: Feed) -> Schema:
    """The primary key."""
    return {"type": "record", "name": "Key", "namespace": feed.topic, "fields": [{"name": "id", "type": "string"}]}


def value_schema(feed: Feed) -> Schema:
    """Debezium's envelope of a table in the canonical layout."""
    fields = [
        {"name": field.name, "type": ["null", _TYPES.get(field.type, "string")], "default": None}
        for field in load(DATASET).fields
    ]
    row = {"type": "record", "name": "Value", "namespace": feed.topic, "fields": fields}
    return {
        "type": "record",
        "name": "Envelope",
        "namespace": feed.topic,
        "fields": [
            {"name": "before", "type": ["null", row], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "source", "type": source_schema()},
            {"name": "transaction", "type": ["null", transaction_schema()], "default": None},
            {"name": "op", "type": "string"},
            *({"name": name, "type": ["null", "long"], "default": None} for name in ("ts_ms", "ts_us", "ts_ns")),
        ],
    }


def damage(row: Record) -> Record:
    """Texts as a careless program stores them: decomposed Unicode, a space too many. Cleaning repairs both."""
    return {
        **row,
        "full_name": unicodedata.normalize("NFD", str(row["full_name"]).replace(" ", "  ", 1)),
        "recruiting_agency": unicodedata.normalize("NFD", f" {row['recruiting_agency']}"),
    }


def rows(there: world.World, index: int) -> tuple[Record, ...]:
    """A person's row at each of ``FEEDS``, undamaged."""
    truth = person.truth(there, index)
    rng = person.generator(there, index, 9)
    older = {
        **truth,
        "phone": person.phone(rng),
        "current_address": f"Số {rng.randrange(1, 300)}, đường Trần Phú",
        "source_updated_at": truth["source_updated_at"] - timedelta(days=2),
    }
    return truth, older


def written(value: Any) -> Any:
    """A canonical value as the PostgreSQL source writes it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, date):
        return (value - _EPOCH).days
    return str(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, slots=True)
class _Piece:
    """People ``start`` to ``end``, and the schema ids of each feed's key and value."""

    seed: int
    today: date
    start: int
    end: int
    ids: tuple[tuple[int, int], ...]


def _encoded(piece: _Piece) -> list[list[Wire]]:
    """The records of a piece by feed. Called in a process of its own."""
    there = world.load(schemas_root(), seed=piece.seed, localities=3, today=piece.today)
    found: list[list[Wire]] = [[] for _ in FEEDS]
    for index in range(piece.start, piece.end):
        for number, (feed, row) in enumerate(zip(FEEDS, rows(there, index), strict=True)):
            if index % DAMAGED_EVERY == number:
                row = damage(row)
            found[number].append(_wire(feed, row, index, piece.ids[number]))
    return found


@cache
def _parsed(feed: Feed) -> tuple[Any, Any]:
    return fastavro.parse_schema(key_schema(feed)), fastavro.parse_schema(value_schema(feed))


def _wire(feed: Feed, row: Record, index: int, ids: tuple[int, int]) -> Wire:
    at = 1_790_000_000_000_000 + index
    envelope = {
        "before": None,
        "after": {name: written(value) for name, value in row.items()},
        "source": {
            "version": "3.4.0.Final",
            "connector": "postgresql",
            "name": feed.name,
            "ts_ms": at // 1000,
            "snapshot": "false",
            "db": feed.name,
            "ts_us": at,
            "schema": "public",
            "table": "ho_so",
            "lsn": index,
        },
        "op": "c",
        "ts_ms": at // 1000,
    }
    key, value = _parsed(feed)
    return header(ids[0]) + _avro(key, {"id": row["citizen_id"]}), header(ids[1]) + _avro(value, envelope)


def _avro(schema: Any, record: Mapping[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def changes(registry: RegistryClient, people: int, seed: int) -> Iterator[list[list[Wire]]]:
    """The records of ``people`` persons in pieces, each by feed; encoded on all cores."""
    ids = tuple(
        (
            registry.register(f"{feed.topic}-key", key_schema(feed)),
            registry.register(f"{feed.topic}-value", value_schema(feed)),
        )
        for feed in FEEDS
    )
    today = date.today()
    pieces = [_Piece(seed, today, at, min(at + _PIECE, people), ids) for at in range(0, people, _PIECE)]
    # Not forked: Polars has threads of its own, which a fork would leave locked.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield from pool.map(_encoded, pieces)


def declare(bootstrap: str) -> None:
    """Make the feeds' topics and tell the processors of them, as the control plane would."""
    ensure_topics(bootstrap, [Topic(feed.topic, partitions=PARTITIONS) for feed in FEEDS])
    ensure_topics(bootstrap, [Topic(CONFIGS_TOPIC, compacted=True)])
    client = producer(bootstrap)
    for feed in FEEDS:
        told = json.dumps({"properties": feed.declaration}).encode()
        client.produce(CONFIGS_TOPIC, key=f"{SOURCE}{feed.name}".encode(), value=told)
    client.flush()


def feed(bootstrap: str, registry: RegistryClient, people: int, seed: int) -> int:
    """Put the people's change events into the feeds' topics; how many they are."""
    client, count = producer(bootstrap), 0
    for piece in changes(registry, people, seed):
        for source, records in zip(FEEDS, piece, strict=True):
            for key, value in records:
                client.produce(source.topic, key=key, value=value)
            client.poll(0)
            count += len(records)
    client.flush()
    return count


def register(bootstrap: str, registry: RegistryClient, people: int, seed: int) -> None:
    """Put the people into the population register's golden topic, as if it had been captured and reconciled."""
    there = world.load(schemas_root(), seed=seed, localities=3, today=date.today())
    dataset = load(REGISTER)
    subject = Subjects(registry, bootstrap, PARTITIONS).golden(dataset)
    names = [field.name for field in dataset.fields]
    client = producer(bootstrap)
    for start in range(0, people, _PIECE):
        truths = [person.truth(there, index) for index in range(start, min(start + _PIECE, people))]
        send_register(client, subject, [{name: truth.get(name) for name in names} for truth in truths])
    client.flush()


def send_register(client: Any, subject: Subject, people: Sequence[Record]) -> None:
    """Golden records of the register, encoded and partitioned as the reconciler does."""
    keys = encode(subject.key, [{"citizen_id": one["citizen_id"]} for one in people], b"")
    values = encode(subject.value, people, subject.value_header)
    for key, value in zip(keys, values, strict=True):
        client.produce(
            subject.topic, key=subject.key_header + key, value=value, partition=partition_of(key, PARTITIONS)
        )
    client.poll(0)
