"""Captured topics through readers that know only Kafka's address and the registry's: they must find Debezium's form.

confluent-kafka's ``AvroDeserializer``, ClickHouse's format ``AvroConfluent``. ClickHouse runs by ``bash .ci/outside``,
which says in ``DONGBO_TEST_CHDB`` which Python has the package chdb (800 MB); elsewhere its test is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from sync.kafka.client import read_all
from tests.integration.capturing import Database, Source, at_least

CHDB = os.environ.get("DONGBO_TEST_CHDB", "")

QUERY = """
import sys, chdb
place, registry = sys.argv[1:]
print(chdb.query(
    f"select op, before, after, source from file('{place}', 'AvroConfluent') order by ts_ns "
    f"settings format_avro_schema_registry_url='{registry}'",
    "JSONEachRow",
))
"""

TYPES = {
    "b": ("boolean", "true", True),
    "i2": ("smallint", "-5", -5),
    "i8": ("bigint", "9223372036854775807", 2**63 - 1),
    "f4": ("real", "1.5", 1.5),
    "f8": ("double precision", "-0.125", -0.125),
    "n": ("numeric(7,2)", "-12345.67", Decimal("-12345.67")),
    "v": ("varchar(20)", "'Nguyễn Văn A'", "Nguyễn Văn A"),
    "t": ("text", "''", ""),
    "u": ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "j": ("jsonb", """'{"a": [1]}'""", '{"a": [1]}'),
    "d": ("date", "'2025-07-01'", 20270),
    "ti": ("time", "'07:08:09.5'", 25_689_500_000),
    "ts": ("timestamp", "'2025-07-01 00:00:00.000001'", 1_751_328_000_000_001),
    "tz": ("timestamptz", "'2025-07-01 07:00:00+07'", "2025-07-01T00:00:00.000000Z"),
    "e": ("trang_thai", "'nghỉ hưu'", "nghỉ hưu"),
    "ta": ("text[]", """ARRAY['a', NULL, 'b"c']""", ["a", None, 'b"c']),
    "ia": ("int[]", "ARRAY[1, NULL]", [1, None]),
    "ip": ("inet", "'10.0.0.1'", "10.0.0.1"),
}
WANTED = {name: value for name, (_, _, value) in TYPES.items()}


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("outside"), kafka, registry_url)
    made.config |= {"table.include.list": r"public\.kieu", "dongbo.mappings": ""}
    made.topic = f"{made.name}.public.kieu"
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in TYPES.items())
    values = ", ".join(value for _, value, _ in TYPES.values())
    made.execute(
        "create type trang_thai as enum ('làm việc', 'nghỉ hưu')",
        f"create table kieu (id int primary key, {columns})",
        "alter table kieu replica identity full",
        f"insert into kieu values (1, {values})",
    )
    made.start()
    made.wait(at_least(1))
    made.execute(
        "insert into kieu values (2)",
        # A second version of the schema.
        "alter table kieu add ghi_chu text default 'không'",
        "update kieu set ghi_chu = 'có' where id = 1",
        "delete from kieu where id = 2",
    )
    made.wait(at_least(5))
    made.stop()
    yield made
    made.registry.close()


def messages(source: Source) -> list[Message]:
    return list(read_all(source.kafka, source.topic))


def test_confluents_deserializer_reads_every_record(source: Source, registry_url: str) -> None:
    with SchemaRegistryClient({"url": registry_url}) as registry:
        deserialize = AvroDeserializer(registry)

        def read(data: bytes | None, kind: MessageField) -> Any:
            return deserialize(data, SerializationContext(source.topic, kind))

        keys = [read(message.key(), MessageField.KEY) for message in messages(source)]
        values = [read(message.value(), MessageField.VALUE) for message in messages(source)]
    assert keys == [{"id": 1}, {"id": 2}, {"id": 1}, {"id": 2}, {"id": 2}]
    assert [value and value["op"] for value in values] == ["r", "c", "u", "d", None]
    assert values[0]["after"] == {"id": 1, **WANTED}
    assert values[1]["after"] == {"id": 2, **dict.fromkeys(TYPES)}
    assert values[2]["after"] == {"id": 1, **WANTED, "ghi_chu": "có"}
    assert values[3]["before"]["id"] == 2


@pytest.mark.skipif(not CHDB, reason="ClickHouse reads by `bash .ci/outside`")
def test_clickhouse_reads_every_record(source: Source, registry_url: str, tmp_path: Path) -> None:
    rows = [row for part in by_schema(source) for row in clickhouse(part, registry_url, tmp_path / "values")]
    assert [row["op"] for row in rows] == ["r", "c", "u", "d"]
    wanted = WANTED | {"n": -12345.67}
    assert rows[0]["after"] == {"id": 1, **wanted}
    # ClickHouse has no null array.
    assert rows[1]["after"] == {"id": 2, **dict.fromkeys(TYPES), "ta": [], "ia": []}
    assert rows[2]["after"] == {"id": 1, **wanted, "ghi_chu": "có"}
    assert rows[3]["after"] is None
    assert rows[3]["before"]["id"] == 2
    assert {row["source"]["table"] for row in rows} == {"kieu"}


def by_schema(source: Source) -> list[bytes]:
    """The values of each version of the schema: ClickHouse reads rows into one tuple, of one version's fields."""
    parts: dict[bytes, bytes] = {}
    for message in messages(source):
        if (value := message.value()) is not None:
            parts[value[1:5]] = parts.get(value[1:5], b"") + value
    return list(parts.values())


def clickhouse(values: bytes, registry_url: str, place: Path) -> list[dict[str, Any]]:
    place.write_bytes(values)
    done = subprocess.run(
        [CHDB, "-c", QUERY, str(place), registry_url], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line]
