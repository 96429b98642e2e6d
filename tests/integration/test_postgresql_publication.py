"""What stands between a slot and its publication, and who moves the slot, on a real server."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sync.errors import Refused
from sync.source.postgresql import PLUGIN
from tests.integration.capturing import Database, Source, at_least


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("publication"), kafka, registry_url)
    made.execute("create table can_bo (id int primary key, ho_ten text)", "insert into can_bo values (1, 'An')")
    yield made
    made.stop()
    made.registry.close()


def started(source: Source) -> None:
    source.start()
    source.wait(at_least(1))
    source.wait_streaming()


def test_a_publication_that_would_be_newer_than_its_slot_is_refused(source: Source) -> None:
    started(source)
    source.stop()
    source.execute(f"drop publication {source.config['publication.name']}", "insert into can_bo values (2, 'mất')")
    source.start()
    error = source.outcome()
    assert isinstance(error, Refused)
    assert source.config["publication.name"] in str(error)
    assert f"drop slot {source.name}" in error.hint
    # A slot of somebody else's is taken over in the same way.
    source.config |= {"topic.prefix": f"{source.name}_khac", "snapshot.mode": "no_data"}
    source.context["connector"] = f"{source.name}_khac"
    source.start()
    assert isinstance(source.outcome(), Refused)
    assert source.value("select count(*) from pg_publication") == 0


def test_a_publication_made_by_hand_after_the_slot_is_told(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    source.execute(f"select pg_create_logical_replication_slot('{source.name}', 'pgoutput')")
    source.execute(f"create publication {source.config['publication.name']} for table can_bo")
    source.config["snapshot.mode"] = "no_data"
    source.start()
    source.wait_streaming()
    assert "was made or altered after the position of slot" in caplog.text


def test_tables_that_a_publication_gets_and_loses_are_told(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    started(source)
    source.stop()
    assert "publication" not in caplog.text
    source.execute("create table moi (id int primary key)")
    source.config |= {"table.include.list": r"public\.moi", "dongbo.mappings": ""}
    source.start()
    source.wait_streaming()
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("added" in line and "public.moi" in line and "incremental snapshot" in line for line in told)
    assert any("taken out" in line and "public.can_bo" in line for line in told)


@pytest.mark.parametrize("manual", [{"lsn.flush.mode": "manual"}, {"flush.lsn.source": False}])
def test_with_manual_flushing_the_slot_stays_where_it_is(source: Source, manual: dict[str, Any]) -> None:
    source.config |= {**manual, "status.update.interval.ms": 50}
    started(source)
    before, _ = source.slot()
    source.execute("insert into can_bo values (2, 'Bình')")
    source.wait(at_least(2))
    # That it is written is told, so that a look at the server shows how far the connector is.
    deadline = time.monotonic() + 30
    query = (
        f"select coalesce(write_lsn - '0/0'::pg_lsn > {before}, false) from pg_stat_replication r "
        f"join pg_replication_slots s on s.active_pid = r.pid where slot_name = '{source.name}'"
    )
    while not source.value(query):
        assert time.monotonic() < deadline
    assert source.slot()[0] == before
    source.stop()
    source.start()
    source.execute("insert into can_bo values (3, 'Chi')")
    assert [key["id"] for key, _ in source.wait(at_least(3))] == [1, 2, 3]


def test_without_identity_inserts_are_captured_where_nothing_else_is_published(source: Source) -> None:
    source.execute(
        "alter table can_bo replica identity nothing",
        f"create publication {source.config['publication.name']} for table can_bo with (publish = 'insert')",
    )
    source.config["publication.autocreate.mode"] = "disabled"
    started(source)
    source.execute("insert into can_bo values (2, 'Bình')", "update can_bo set ho_ten = 'x'", "delete from can_bo")
    source.execute("insert into can_bo values (3, 'Chi')")
    records = source.wait(at_least(3))
    assert [(key["id"], value["op"]) for key, value in records] == [(1, "r"), (2, "c"), (3, "c")]


def test_without_identity_a_table_that_the_connector_would_publish_is_refused(source: Source) -> None:
    source.execute("alter table can_bo replica identity nothing")
    source.start()
    error = source.outcome()
    assert isinstance(error, Refused)
    assert "REPLICA IDENTITY FULL" in error.hint
    # The source is as it was: its rows can be changed.
    source.execute("update can_bo set ho_ten = 'x'")


def test_a_database_in_sql_ascii_is_refused_with_a_remedy(source: Source) -> None:
    name = f"ascii_{uuid.uuid4().hex[:8]}"
    source.execute(f"create database {name} encoding 'SQL_ASCII' template template0 locale_provider libc locale 'C'")
    try:
        source.config["database.dbname"] = name
        source.start()
        error = source.outcome()
        assert isinstance(error, Refused)
        assert "SQL_ASCII" in str(error)
        assert "ENCODING 'UTF8'" in error.hint
        assert "SQL_ASCII" in PLUGIN.check(source.parsed())["database.dbname"][0]
    finally:
        with psycopg.connect(source.dsn, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())
