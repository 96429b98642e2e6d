"""What transforms cost: microseconds a record for common chains, on change events of the benchmarks' table.

    python -m bench.transform [records]

No Kafka and no database: the chain alone, from wire bytes to wire bytes, one thread. The schema is that of 30 columns
of personnel data in Debezium's envelope; schemas are planned before the clock starts, as in a task that runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from sync.schema.avro import encode_one, wire
from sync.transform.chain import Chain
from sync.transform.declaration import KEYS, declared
from sync.transform.outgoing import Outgoing

CONNECT = "org.apache.kafka.connect.transforms"
_COLUMNS = 30
_ROUNDS = 5
_TOPIC = "tinh_01.public.can_bo"

CHAINS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "RegexRouter": {"a": {"type": f"{CONNECT}.RegexRouter", "regex": r"(.*)\.(.*)", "replacement": "$2"}},
    "Filter by TopicNameMatches": {"a": {"type": f"{CONNECT}.Filter", "predicate": "p"}},
    "ExtractField$Key": {"a": {"type": f"{CONNECT}.ExtractField$Key", "field": "id"}},
    "ByLogicalTableRouter": {
        "a": {
            "type": "io.debezium.transforms.ByLogicalTableRouter",
            "topic.regex": r"(.*)\.(.*)\.(.*)",
            "topic.replacement": "$2",
        }
    },
    "ExtractNewRecordState": {"a": {"type": "io.debezium.transforms.ExtractNewRecordState"}},
    "ExtractNewRecordState, add.fields=op,lsn": {
        "a": {"type": "io.debezium.transforms.ExtractNewRecordState", "add.fields": "op,lsn"}
    },
    "… then ReplaceField, MaskField, InsertField": {
        "a": {"type": "io.debezium.transforms.ExtractNewRecordState"},
        "b": {"type": f"{CONNECT}.ReplaceField$Value", "exclude": "cot_7", "renames": "cot_3:ten"},
        "c": {"type": f"{CONNECT}.MaskField$Value", "fields": "cot_4,cot_5"},
        "d": {"type": f"{CONNECT}.InsertField$Value", "static.field": "nguon", "static.value": "tinh_01"},
    },
    "… then TimestampConverter to text": {
        "a": {"type": "io.debezium.transforms.ExtractNewRecordState"},
        "b": {
            "type": f"{CONNECT}.TimestampConverter$Value",
            "field": "sua",
            "target.type": "string",
            "format": "yyyy-MM-dd HH:mm:ss",
            "unix.precision": "microseconds",
        },
    },
    "Flatten": {"a": {"type": f"{CONNECT}.Flatten$Value", "delimiter": "_"}},
}


class Registry:
    """Schemas by id."""

    def __init__(self) -> None:
        self._schemas: list[Mapping[str, object]] = []

    def register(self, _subject: str, schema: Mapping[str, object]) -> int:
        """The id of a schema."""
        self._schemas.append(schema)
        return len(self._schemas)

    def schema(self, schema_id: int) -> dict[str, object]:
        """The schema of an id."""
        return dict(self._schemas[schema_id - 1])


def _schema() -> dict[str, object]:
    columns: list[dict[str, object]] = [{"name": "id", "type": "long"}, {"name": "sua", "type": ["null", "long"]}]
    columns += [{"name": f"cot_{number}", "type": ["null", "string"]} for number in range(_COLUMNS - 2)]
    row = {"type": "record", "name": "Value", "fields": columns, "connect.name": f"{_TOPIC}.Value"}
    texts = ("version", "connector", "name", "db", "sequence", "schema", "table")
    source = [*({"name": name, "type": "string"} for name in texts), {"name": "lsn", "type": ["null", "long"]}]
    fields = [
        {"name": "before", "type": ["null", row]},
        {"name": "after", "type": ["null", "Value"]},
        {"name": "source", "type": {"type": "record", "name": "Source", "fields": source}},
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"]},
    ]
    return {
        "type": "record",
        "name": "Envelope",
        "namespace": _TOPIC,
        "fields": fields,
        "connect.name": f"{_TOPIC}.Envelope",
    }


def _items(registry: Registry, records: int) -> list[tuple[bytes | None, bytes | None]]:
    key = {"type": "record", "name": "Key", "namespace": _TOPIC, "fields": [{"name": "id", "type": "long"}]}
    schema = _schema()
    key_id, value_id = registry.register("", key), registry.register("", schema)
    texts = {name: name for name in ("version", "connector", "name", "db", "sequence", "schema", "table")}
    found: list[tuple[bytes | None, bytes | None]] = []
    for number in range(records):
        after = {f"cot_{n}": f"giá trị {number % 97}" for n in range(_COLUMNS - 2)}
        event = {
            "before": None,
            "after": {**after, "id": number, "sua": 1_700_000_000_000_000 + number},
            "source": {**texts, "lsn": number},
            "op": "c",
            "ts_ms": 1_700_000_000_000,
        }
        found.append((wire(key_id, encode_one(key, {"id": number})), wire(value_id, encode_one(schema, event))))
    return found


def measure(steps: Mapping[str, Mapping[str, str]], records: int) -> float:
    """Microseconds a record, the least of some rounds."""
    config = {"transforms": ",".join(steps), "predicates": "p"}
    config |= {"predicates.p.type": f"{CONNECT}.predicates.TopicNameMatches", "predicates.p.pattern": "khac"}
    config |= {f"transforms.{alias}.{key}": value for alias, step in steps.items() for key, value in step.items()}
    chain = Chain.read((KEYS + declared(config)).parse(config).values)
    assert chain is not None
    registry = Registry()
    items = _items(registry, records)
    outgoing = Outgoing(chain, registry, lambda _: None, connector="bench", tolerate=False)
    outgoing.apply({_TOPIC: items[:1]})
    best = float("inf")
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        outgoing.apply({_TOPIC: items})
        best = min(best, time.perf_counter() - begun)
    return best / records * 1e6


def main() -> None:
    """Print the table of docs/transforms.md."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    print("| chain | µs a record |\n|---|---|")
    for name, steps in CHAINS.items():
        print(f"| {name} | {measure(steps, records):.1f} |")


if __name__ == "__main__":
    main()
