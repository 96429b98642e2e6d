"""Incremental snapshots on real servers: signals, windows under concurrent writes, restarts, read-only sources."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sync.kafka.client import producer
from sync.kafka.offset import OffsetStore
from tests.eventually import meanwhile
from tests.integration.capturing import Database, Source, at_least
from tests.integration.writing import Writer, settle
from tests.postgresql_server import EVERY_SERVER

pytestmark = pytest.mark.integration

ROWS = 3000


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("incremental"), kafka, registry_url)
    made.config |= {
        "heartbeat.interval.ms": 100,
        "snapshot.mode": "no_data",
        "signal.data.collection": "public.tin_hieu",
        "incremental.snapshot.chunk.size": 100,
    }
    made.execute(
        "create table can_bo (id int primary key, ho_ten text, ngay_sinh date)",
        "create table tin_hieu (id text primary key, type text not null, data text)",
        f"insert into can_bo select n, 'người ' || n from generate_series(1, {ROWS}) n",
    )
    yield made
    made.stop()
    made.registry.close()


def signal(source: Source, kind: str, **data: Any) -> None:
    text = json.dumps({name.replace("_", "-"): value for name, value in data.items()})
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute("insert into tin_hieu values (gen_random_uuid()::text, %s, %s)", (kind, text))


def everything(source: Source) -> None:
    signal(source, "execute-snapshot", data_collections=[r"public\.can_.*"], type="incremental")


def stored(source: Source) -> dict[str, Any]:
    offsets = OffsetStore(source.kafka).load(source.name)
    return next(iter(offsets.values()), {}).get("incremental", {})


def wait_stored(source: Source, condition: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def holds() -> bool:
        nonlocal found
        found = stored(source)
        return bool(condition(found))

    assert source.eventually(holds, 60), found
    return found


def begin(source: Source) -> None:
    """Start, and wait until the log is followed."""
    source.start()
    source.wait_streaming()


def check(source: Source) -> None:
    """No row is read after a change of it that the row lacks, none is read twice, and the end is the table."""
    found = defaultdict(list)
    for key, value in source.read():
        if value is not None:
            found[key["id"]].append(value)
    rows = source.rows()
    for key, events in found.items():
        assert [event["op"] for event in events].count("r") <= 1
        last = None
        for event in events:
            if event["op"] == "r" and last is not None:
                # The log said this before, and nothing else since.
                told = [(one["op"], one["after"], one["source"]["lsn"]) for one in events]
                assert event["after"] == last["after"], told
            last = event
        assert (events[-1]["after"] or {}).get("ho_ten") == rows.get(key)
    assert {key for key, events in found.items() if events[-1]["op"] != "d"} == rows.keys()


@EVERY_SERVER
def test_given_writers_then_what_was_read_and_the_log_give_the_table_and_no_stale_row(source: Source) -> None:
    begin(source)
    with Writer(source, ROWS) as writer:
        writer.wait(10)
        everything(source)
        source.wait(lambda found: any(value and value["op"] == "r" for _, value in found))
        wait_stored(source, lambda state: not state.get("queue"))
        writer.wait(writer.transactions + 50)
    settle(source)
    check(source)
    reads = [value["source"] for _, value in source.read() if value and value["op"] == "r"]
    assert {read["snapshot"] for read in reads} == {"incremental"}
    assert len(reads) > ROWS / 2


def test_a_restart_goes_on_after_the_last_chunk(source: Source) -> None:
    # Reading the rows in the middle waits for a lock that the test holds.
    source.execute(
        "create function cho(id int) returns bool language plpgsql volatile as $$ begin "
        "if id between 1500 and 1600 then perform pg_advisory_xact_lock_shared(42); end if; return true; end $$"
    )
    # By the index a chunk's rows only are looked at; sorted, all rows are, and the first chunk would wait already.
    for plan in ("seqscan", "bitmapscan", "sort"):
        source.execute(
            f"do $$ begin execute format('alter database %I set enable_{plan} = off', current_database()); end $$"
        )
    process = source.spawn()
    try:
        assert meanwhile(process, lambda: bool((source.slot() or (None, False))[1]))
        with psycopg.connect(source.dsn, autocommit=True) as connection, Writer(source, ROWS):
            connection.execute("select pg_advisory_lock(42)")
            condition = {"data-collection": r"public\.can_bo", "filter": "public.cho(id)"}
            signal(source, "execute-snapshot", data_collections=["public.can_bo"], additional_conditions=[condition])
            wait_stored(source, lambda found: found.get("queue") and int(found["queue"][0].get("last", "0")[0]) > 1000)
            process.kill()
            process.wait()
            state = stored(source)
            assert int(state["queue"][0]["last"][0]) < 1600
            connection.execute("select pg_advisory_unlock(42)")
            source.start()
            wait_stored(source, lambda found: not found.get("queue"))
        settle(source)
    finally:
        process.kill()
        process.wait()
    check(source)


def test_a_snapshot_is_paused_resumed_and_stopped_by_signals(source: Source) -> None:
    begin(source)
    signal(source, "pause-snapshot")
    everything(source)
    state = wait_stored(source, lambda found: found.get("queue"))
    assert state["paused"]
    source.execute("insert into can_bo values (-1, 'vẫn đọc')")
    records = source.wait(at_least(1))
    assert [(key["id"], value["op"]) for key, value in records] == [(-1, "c")]
    signal(source, "resume-snapshot")
    wait_stored(source, lambda found: not found.get("queue"))
    assert len(source.read()) == ROWS + 2
    signal(source, "pause-snapshot")
    everything(source)
    wait_stored(source, lambda found: found.get("queue"))
    signal(source, "stop-snapshot", data_collections=[r"public\.khac"], type="incremental")
    signal(source, "stop-snapshot", data_collections=[r"public\.can_bo"], type="incremental")
    signal(source, "log", message="đến đây")
    signal(source, "resume-snapshot")
    wait_stored(source, lambda found: not found)
    source.stop()
    assert len(source.read()) == ROWS + 2


def test_conditions_surrogate_keys_and_bad_signals(source: Source) -> None:
    source.execute(
        "create table doi (a text, b int, c int unique not null, primary key (a, b))",
        "insert into doi select 'x' || n % 7, n, 1000 - n from generate_series(1, 500) n",
        "create table khong_khoa (a int)",
        "alter table khong_khoa replica identity full",
    )
    source.config["table.include.list"] = r"public\.(can_bo|doi|khong_khoa)"
    begin(source)
    signal(source, "execute-snapshot")
    signal(source, "execute-snapshot", data_collections=["public.khac"])
    signal(source, "nham")
    signal(source, "execute-snapshot", data_collections=[r"public\.khong_khoa"])
    signal(
        source,
        "execute-snapshot",
        data_collections=[r"public\.can_bo"],
        additional_conditions=[{"data-collection": r"public\.can_bo", "filter": "id / 0 = 1"}],
    )
    signal(
        source,
        "execute-snapshot",
        data_collections=[r"public\.can_bo"],
        additional_conditions=[{"data-collection": r"public\.can_bo", "filter": "id % 10 = 3"}],
    )
    signal(source, "execute-snapshot", data_collections=[r"public\.doi"])
    signal(source, "execute-snapshot", data_collections=[r"public\.doi"], surrogate_key="c")
    records = source.wait(at_least(ROWS // 10))
    assert sorted(key["id"] for key, _ in records) == list(range(3, ROWS, 10))
    source.topic = f"{source.name}.public.doi"
    records = source.wait(at_least(1000))
    source.stop()
    read = [value["after"] for _, value in records]
    assert [(row["a"], row["b"]) for row in read[:500]] == sorted((f"x{n % 7}", n) for n in range(1, 501))
    assert [row["c"] for row in read[500:]] == list(range(500, 1000))


def test_a_read_only_source_takes_signals_from_kafka_and_is_not_written_to(source: Source) -> None:
    del source.config["signal.data.collection"]
    source.config |= {"read.only": True, "signal.enabled.channels": "kafka"}
    source.execute("drop table tin_hieu")
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        name = connection.execute("select current_database()").fetchone()
        assert name is not None
        begin(source)
        connection.execute(f"alter database {name[0]} set default_transaction_read_only = on")
    sender = producer(source.kafka)
    data = {"data-collections": [r"public\.can_bo"], "type": "INCREMENTAL"}
    topic = f"{source.name}-signal"
    sender.produce(topic, key=b"someone else", value=json.dumps({"type": "execute-snapshot", "data": data}).encode())
    sender.produce(topic, key=source.name.encode(), value=b"not json")
    value = json.dumps({"id": "1", "type": "execute-snapshot", "data": data}).encode()
    sender.produce(topic, key=source.name.encode(), value=value)
    assert sender.flush(30) == 0
    source.wait(at_least(ROWS), 60)
    wait_stored(source, lambda found: found == {"offset": 3})
    source.stop()
    source.start()
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute("insert into can_bo values (-1, 'cuối')")
    records = source.wait(at_least(ROWS + 1))
    source.stop()
    assert [value["op"] for _, value in records] == ["r"] * ROWS + ["c"]
