"""Notifications and blocking snapshots on real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sync.kafka.offset import OffsetStore
from tests.eventually import meanwhile
from tests.integration.capturing import Database, Source, at_least
from tests.integration.writing import Writer, settle

ROWS = 3000


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("notification"), kafka, registry_url)
    made.config |= {
        "signal.data.collection": "public.tin_hieu",
        "notification.enabled.channels": "sink",
        "notification.sink.topic.name": f"{made.name}.thong_bao",
    }
    made.execute(
        "create table can_bo (id int primary key, ho_ten text, ngay_sinh date)",
        "create table tin_hieu (id text primary key, type text not null, data text)",
        f"insert into can_bo select n, 'người ' || n from generate_series(1, {ROWS}) n",
    )
    yield made
    made.stop()
    made.registry.close()


def ask(source: Source, name: str, **more: Any) -> None:
    data = {"data-collections": [r"public\.can_bo"], "type": "blocking", **more}
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute("insert into tin_hieu values (%s, 'execute-snapshot', %s)", (name, json.dumps(data)))


def told(source: Source) -> list[tuple[str, dict[str, str]]]:
    return [(value["type"], value["additional_data"]) for _, value in source.read(f"{source.name}.thong_bao")]


def wait_told(source: Source, count: int) -> list[str]:
    source.wait_for(f"{source.name}.thong_bao", count)
    return [kind for kind, _ in told(source)]


WHOLE = ["STARTED", "IN_PROGRESS", "TABLE_SCAN_COMPLETED", "COMPLETED"]


def test_a_blocking_snapshot_reads_the_table_while_it_is_written_and_the_stream_goes_on(source: Source) -> None:
    source.start()
    assert wait_told(source, 4) == WHOLE
    with Writer(source, ROWS) as writer:
        writer.wait(10)
        ask(source, "1")
        assert wait_told(source, 8) == WHOLE * 2
        writer.wait(writer.transactions + 20)
    settle(source)
    ends = [data["total_rows_scanned"] for kind, data in told(source) if kind == "TABLE_SCAN_COMPLETED"]
    assert ends[0] == f"{ROWS}"
    assert {key: row["ho_ten"] for key, row in source.state().items()} == source.rows()
    # The rows of the table of signals are no data.
    assert [value["op"] for _, value in source.read(f"{source.name}.public.tin_hieu")] == ["c"]


def test_a_statement_that_the_server_refuses_ends_the_blocking_snapshot_only(source: Source) -> None:
    source.config["snapshot.mode"] = "no_data"
    source.start()
    assert wait_told(source, 1) == ["SKIPPED"]
    ask(source, "1", **{"additional-conditions": [{"data-collection": ".*", "filter": "select nothing"}]})
    assert wait_told(source, 2)[1:] in (["ABORTED"], ["STARTED", "ABORTED"])
    some = "select * from public.can_bo where id between 1 and 10"
    ask(source, "2", **{"additional-conditions": [{"data-collection": ".*", "filter": some}]})
    source.wait(at_least(10))
    source.execute("insert into can_bo values (-1, 'cuối')")
    records = source.wait(at_least(11))
    assert [(key["id"], value["op"]) for key, value in records] == [*((n, "r") for n in range(1, 11)), (-1, "c")]


def test_a_blocking_snapshot_that_was_interrupted_begins_anew(source: Source) -> None:
    source.config |= {"snapshot.mode": "no_data", "max.batch.size": 100, "dongbo.mappings": ""}
    # Reading the last rows waits for a lock that the test holds.
    source.execute(
        "create function cho(id int) returns bool language plpgsql volatile as $$ begin "
        f"if id >= {ROWS} then perform pg_advisory_xact_lock_shared(42); end if; return true; end $$"
    )
    statement = {"data-collection": ".*", "filter": "select * from public.can_bo where public.cho(id)"}
    process = source.spawn()
    try:
        assert meanwhile(process, lambda: bool((source.slot() or (None, False))[1]))
        with psycopg.connect(source.dsn, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(42)")
            ask(source, "1", **{"additional-conditions": [statement]})
            assert meanwhile(process, lambda: source.started() >= 500)
            process.kill()
            process.wait()
    finally:
        process.kill()
        process.wait()
    before = len(source.read())
    assert 0 < before < ROWS
    source.start()
    records = source.wait(at_least(before + ROWS))
    source.execute("insert into can_bo values (-1, 'cuối')")
    records = source.wait(at_least(before + ROWS + 1))
    source.stop()
    assert [key["id"] for key, _ in records[before:]] == [*range(1, ROWS + 1), -1]
    stored = next(iter(OffsetStore(source.kafka).load(source.name).values()))
    assert "incremental" not in stored
