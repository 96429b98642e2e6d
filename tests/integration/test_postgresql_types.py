"""On real servers: every type of tests/differential/types.sql, by snapshot and by log, is what Debezium gave.

What we write of a text that PostgreSQL prints is held against Debezium in tests/unit/source/test_pg_types.py; here the
catalogs, the sessions' settings and the snapshot's casts are looked at, so both ways must give that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sync.kafka.client import read_all
from tests.differential.form import from_avro
from tests.integration.capturing import Database, Source
from tests.postgresql_server import EVERY_SERVER
from tests.type_table import MODES, TypeTable, type_tables
from tests.type_written import Written


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("types"), kafka, registry_url)
    made.config |= {"dongbo.mappings": "", "table.include.list": r"public\..*", "max.batch.size": 2000}
    yield made
    made.stop()
    made.registry.close()


def rows(source: Source, table: str, op: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The fields of the row in the newest schema, and ``after`` of the records with an op."""
    fields: dict[str, Any] = {}
    found = []
    for message in read_all(source.kafka, f"{source.name}.public.{table}"):
        side = from_avro(message.value(), source.registry.schema)
        if side is not None and side.payload["op"] == op:
            row = next(field for field in side.schema["fields"] if field["field"] == "after")
            fields = {field.pop("field"): field for field in row["fields"]}
            found.append(side.payload["after"])
    return fields, found


def wait_for_the_end(source: Source, count: int) -> None:
    source.topic = f"{source.name}.public.type_end"
    source.wait(lambda records: len(records) >= count, 120)


@EVERY_SERVER
@pytest.mark.parametrize("mode", ["fourth"])
def test_snapshot_and_log_give_each_type_as_debezium(source: Source, mode: str) -> None:
    source.config |= MODES[mode]
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        tables = [table for table in type_tables() if table.possible(connection)]
        for table in tables:
            table.make(connection)
        connection.execute("create table type_end (id int primary key)")
        connection.execute("insert into type_end values (1)")
        source.start()
        wait_for_the_end(source, 1)
        for table in tables:
            table.change(connection)
        connection.execute("insert into type_end values (2)")
        wait_for_the_end(source, 2)
    source.stop()
    for table in tables:
        if not table.fails:
            _compare(source, table, mode)


def _compare(source: Source, table: TypeTable, mode: str) -> None:
    written = Written(table.name, mode)
    wanted = [written.row(values) for values in written.texts()]
    fields, read = rows(source, table.name, "r")
    _, created = rows(source, table.name, "c")
    # A generated column is in no log and so in no snapshot.
    assert fields.keys() == written.fields.keys() - {"gs"}
    for name, field in fields.items():
        assert field == written.fields[name], f"{table.name}.{name}"
        texts = [row[name] for row in wanted]
        assert [row[name] for row in read] == texts, f"{table.name}.{name} of the snapshot"
        if name in (created[0] if created else {}):
            assert [row[name] for row in created[: len(texts)]] == texts, f"{table.name}.{name} of the log"
