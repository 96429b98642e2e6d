"""The PostgreSQL source on real servers: nothing lost, nothing twice, clear refusals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from sync.errors import Fenced, PositionLost, Refused
from sync.kafka.offset import OffsetStore
from sync.source.postgresql import PLUGIN
from tests.eventually import meanwhile
from tests.integration.capturing import Database, Source, at_least
from tests.postgresql_server import EVERY_SERVER

pytestmark = pytest.mark.integration


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("capture"), kafka, registry_url)
    made.execute("create table can_bo (id int primary key, ho_ten text, ngay_sinh date)")
    yield made
    made.stop()
    made.registry.close()


@EVERY_SERVER
def test_a_snapshot_is_followed_by_the_changes_without_a_gap_under_concurrent_writes(source: Source) -> None:
    source.execute("insert into can_bo select n, 'người ' || n from generate_series(1, 3000) n")
    source.config["max.batch.size"] = 500
    halt = threading.Event()

    def write() -> None:
        number = 10_000
        with psycopg.connect(source.dsn, autocommit=True) as connection:
            while not halt.is_set() or number < 10_200:
                number += 1
                connection.execute("insert into can_bo values (%s, 'mới')", (number,))
                connection.execute("update can_bo set ho_ten = 'sửa ' || %s where id = %s", (number, number % 3000 + 1))
                connection.execute("delete from can_bo where id = %s", (number - 50,))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        source.start()
        source.wait(lambda records: any(value and value["op"] == "u" for _, value in records))
    finally:
        halt.set()
        writer.join()
    source.execute("insert into can_bo values (-1, 'hết')")
    records = source.wait(lambda found: any(key["id"] == -1 for key, _ in found))
    source.stop()
    assert {number: row["ho_ten"] for number, row in source.state().items()} == source.rows()
    events = [value for _, value in records if value is not None]
    reads = [value["after"]["id"] for value in events if value["op"] == "r"]
    assert len(reads) == len(set(reads)) >= 3000
    assert events[0]["source"]["snapshot"] == "first"
    assert [value["source"]["snapshot"] for value in events if value["op"] == "r"][-1] == "last"
    creates = [value["after"]["id"] for value in events if value["op"] == "c"]
    assert len(creates) == len(set(creates))
    assert not set(creates) & set(reads)
    assert source.counted() == {"captured": len(events)}


@EVERY_SERVER
def test_a_stopped_task_goes_on_where_it_was(source: Source) -> None:
    source.start()
    source.execute("insert into can_bo values (1, 'một')")
    source.wait(at_least(1))
    source.stop()
    source.execute("insert into can_bo values (2, 'hai')", "delete from can_bo where id = 1")
    source.start()
    records = source.wait(at_least(4))
    source.stop()
    found = [(key["id"], value and value["op"]) for key, value in records]
    assert found[1:] == [(2, "c"), (1, "d"), (1, None)]


def test_the_first_change_and_a_full_batch_are_committed_at_once_others_together(source: Source) -> None:
    source.config |= {"dongbo.linger.ms": 3_600_000, "max.batch.size": 20}
    source.start()
    source.wait_streaming()
    source.execute("insert into can_bo values (0, 'một')")
    source.wait(at_least(1))
    source.execute(*(f"insert into can_bo values ({number}, 'hai')" for number in range(1, 21)))
    records = source.wait(at_least(21))
    source.stop()
    assert [key["id"] for key, _ in records] == list(range(21))
    # Each Kafka transaction leaves a marker.
    assert source.committed() - len(records) == 2


def test_given_kills_at_any_moment_then_each_change_is_captured_once(source: Source) -> None:
    source.config["max.batch.size"] = 100
    source.execute("insert into can_bo values (0, 'đầu')")
    source.start()
    source.wait(at_least(1))
    source.stop()
    # Transactions larger than a batch: kills fall between two batches of the same transaction.
    for start in range(1, 60_000, 20_000):
        source.execute(f"insert into can_bo select n, 'x' from generate_series({start}, {start + 19_999}) n")
    killed_at = [source.committed()]
    for _ in range(3):
        process = source.spawn()
        try:
            # On a busy machine a look takes long enough for the rest to be captured before the last kill.
            goal = min(killed_at[-1] + 3000, 60_001)
            assert meanwhile(process, lambda goal=goal: source.committed() >= goal)
        finally:
            process.kill()
            process.wait()
        killed_at.append(source.committed())
    assert killed_at[1] < 60_000
    source.start()
    source.wait_committed(60_001)
    source.stop()
    identifiers = [key["id"] for key, _ in source.read()]
    assert identifiers == list(range(60_001))
    assert source.counted() == {"captured": 60_001}


def test_a_second_worker_fences_the_first_and_goes_on_without_loss_or_repetition(source: Source) -> None:
    source.start()
    source.execute("insert into can_bo values (1, 'một')")
    source.wait(at_least(1))
    successor = source.spawn()
    try:
        # The first one notices at its next commit.
        source.execute("insert into can_bo values (2, 'hai')")
        number = 2
        while source.error is None:
            number += 1
            source.execute(f"insert into can_bo values ({number}, 'nữa')")
            assert successor.poll() is None
            assert number < 5000
        assert isinstance(source.outcome(), Fenced)
        source.error = None
        records = source.wait(at_least(number), 60)
    finally:
        successor.kill()
        successor.wait()
    assert [key["id"] for key, _ in records] == list(range(1, number + 1))


def test_a_run_that_is_frozen_loses_the_slot_to_its_successor_and_captures_nothing_more(source: Source) -> None:
    frozen = source.spawn()
    try:
        source.execute("insert into can_bo values (1, 'một')")
        source.wait(at_least(1))
        source.wait_streaming()
        frozen.send_signal(signal.SIGSTOP)
        source.execute("insert into can_bo values (2, 'hai')")
        source.start()
        # Without help, the server would keep the slot for the frozen run until wal_sender_timeout, a minute.
        source.wait(at_least(2), 20)
        frozen.send_signal(signal.SIGCONT)
        assert frozen.wait(30) != 0
    finally:
        frozen.kill()
        frozen.wait()
    source.execute("insert into can_bo values (3, 'ba')")
    records = source.wait(at_least(3))
    source.stop()
    assert [key["id"] for key, _ in records] == [1, 2, 3]


@EVERY_SERVER
def test_changes_by_our_own_sinks_are_counted_and_not_captured(source: Source) -> None:
    source.start()
    source.execute("insert into can_bo values (1, 'địa phương')")
    source.wait(at_least(1))
    name = f"dongbo_{source.name}_0"
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute("select pg_replication_origin_create(%s)", (name,))
        try:
            connection.execute("select pg_replication_origin_session_setup(%s)", (name,))
            connection.execute("insert into can_bo values (2, 'trung ương')")
            connection.execute("update can_bo set ho_ten = 'sạch' where id = 1")
            connection.execute("select pg_replication_origin_session_reset()")
            connection.execute("insert into can_bo values (3, 'địa phương')")
            # The log names an origin only while it exists.
            records = source.wait(at_least(2))
        finally:
            connection.execute("select pg_replication_origin_drop(%s)", (name,))
    source.stop()
    assert [key["id"] for key, _ in records] == [1, 3]
    assert source.counted() == {"captured": 4, "suppressed": 2}


def test_an_idle_source_lets_the_server_drop_its_log(source: Source) -> None:
    source.config["heartbeat.interval.ms"] = 100
    source.execute("create table khac (id int)")
    source.start()
    source.execute("insert into can_bo values (1, 'một')")
    source.wait(at_least(1))
    before = source.slot()[0]
    source.execute("insert into khac select generate_series(1, 10000)")
    assert source.eventually(lambda: source.slot()[0] > before + 500_000)
    source.stop()
    assert len(source.read()) == 1


def test_a_slot_that_is_gone_or_made_anew_is_a_lost_position(source: Source) -> None:
    source.start()
    source.execute("insert into can_bo values (1, 'một')")
    source.wait(at_least(1))
    source.stop()
    source.drop_slot()
    source.start()
    error = source.outcome()
    assert isinstance(error, PositionLost)
    assert "offsets" in str(error)
    source.execute(
        "insert into can_bo values (2, 'hai')",
        f"select pg_create_logical_replication_slot('{source.name}', 'pgoutput')",
    )
    source.start()
    assert isinstance(source.outcome(), PositionLost)


def test_a_new_column_and_a_tightened_one_are_compatible_changes(source: Source) -> None:
    source.execute("insert into can_bo values (1, 'một')")
    source.start()
    source.wait(at_least(1))
    source.execute(
        "alter table can_bo add email text not null default 'không'",
        "insert into can_bo (id, ho_ten, email) values (2, 'hai', 'b@x')",
        "alter table can_bo alter ho_ten set not null",
        "alter table can_bo drop ngay_sinh",
        "insert into can_bo (id, ho_ten) values (3, 'ba')",
    )
    records = source.wait(at_least(3))
    source.stop()
    assert records[1][1]["after"] == {"id": 2, "ho_ten": "hai", "ngay_sinh": None, "email": "b@x"}
    assert records[2][1]["after"] == {"id": 3, "ho_ten": "ba", "email": "không"}


def test_a_slot_may_be_dropped_at_the_stop_and_the_next_start_reads_a_snapshot(source: Source) -> None:
    source.config["slot.drop.on.stop"] = True
    source.execute("insert into can_bo values (1, 'một')")
    source.start()
    source.wait(at_least(1))
    source.execute("insert into can_bo values (2, 'hai')")
    source.wait(at_least(2))
    source.stop()
    assert source.slot() is None
    assert OffsetStore(source.kafka).load(source.name) == {}
    source.start()
    records = source.wait(at_least(4))
    assert [value["op"] for _, value in records] == ["r", "c", "r", "r"]


@pytest.mark.parametrize(("mode", "expected"), [("no_data", ["c"]), ("always", ["r", "c"])])
def test_snapshot_modes_decide_what_is_read_before_the_log(source: Source, mode: str, expected: list[str]) -> None:
    source.config["snapshot.mode"] = mode
    source.execute("insert into can_bo values (1, 'một')")
    source.start()
    source.wait(lambda records: len(records) == len(expected) - 1 and (source.slot() or (None,))[0] is not None)
    source.execute("insert into can_bo values (2, 'hai')")
    records = source.wait(at_least(len(expected)))
    assert [value["op"] for _, value in records] == expected


TYPES = [
    ("boolean", "true", True),
    ("smallint", "-5", -5),
    ("bigint", "9223372036854775807", 2**63 - 1),
    ("real", "1.5", 1.5),
    ("double precision", "'Infinity'", float("inf")),
    ("numeric(5,2)", "-2.34", Decimal("-2.34")),
    ("numeric(5,2)", "'NaN'", None),
    ("numeric", "12.50", {"scale": 1, "value": b"\x7d"}),
    ("char(4)", "'ab'", "ab  "),
    ("varchar(9)", "E'a\\tb\\\\\\n'", "a\tb\\\n"),
    ("text", "''", ""),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("jsonb", """'{"a":1}'""", '{"a": 1}'),
    ("json", """'{"a":1}'""", '{"a":1}'),
    ("date", "'2025-07-01'", 20270),
    ("date", "'0044-03-15 BC'", -735_160),
    ("time", "'07:08:09.5'", 25_689_500_000),
    ("timetz", "'07:08:09.5+07'", "00:08:09.5Z"),
    ("timestamp", "'2025-07-01 00:00:00.000001'", 1_751_328_000_000_001),
    ("timestamp(3)", "'2025-07-01 00:00:00.001'", 1_751_328_000_001),
    ("timestamp", "'infinity'", 9_223_372_036_825_200_000),
    ("timestamptz", "'2025-07-01 07:00:00+07'", "2025-07-01T00:00:00.000000Z"),
    ("bytea", r"'\x00ff'", b"\x00\xff"),
    ("trang_thai", "'nghỉ hưu'", "nghỉ hưu"),
    ("text[]", """ARRAY['a', NULL, 'b"c,\\']""", ["a", None, 'b"c,\\']),
    ("int[]", "ARRAY[1, NULL, 3]", [1, None, 3]),
    ("text[]", "'{}'", []),
    ("ma_don_vi", "'A01'", "A01"),
    ("inet", "'10.0.0.1'", "10.0.0.1"),
    ("interval", "'1 day 02:00'", 93_600_000_000),
]


@EVERY_SERVER
def test_each_type_is_the_same_by_snapshot_and_by_log(source: Source) -> None:
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _, _) in enumerate(TYPES))
    values = ", ".join(f"{value}::{kind}" for kind, value, _ in TYPES)
    source.execute(
        "create type trang_thai as enum ('làm việc', 'nghỉ hưu')",
        "create domain ma_don_vi as varchar(10) check (value <> '')",
        f"create table kieu (id int primary key, {columns})",
        f"insert into kieu values (1, {values})",
        "insert into kieu values (2)",
    )
    source.config["table.include.list"] = r"public\.kieu"
    source.config["dongbo.mappings"] = ""
    source.topic = f"{source.name}.public.kieu"
    source.start()
    source.wait(at_least(2))
    source.execute(f"insert into kieu values (3, {values})", "insert into kieu values (4)")
    records = source.wait(at_least(4))
    source.stop()
    rows = [value["after"] for _, value in records]
    for row in (rows[0], rows[2]):
        found = [row[f"c{number}"] for number in range(len(TYPES))]
        assert found == [wanted for *_, wanted in TYPES]
    for row in (rows[1], rows[3]):
        assert set(row.values()) == {row["id"], None}


def test_a_check_names_the_key_that_is_wrong(source: Source) -> None:
    assert PLUGIN.check(source.parsed()) == {}
    source.config["database.password"] = "sai"
    assert list(PLUGIN.check(source.parsed())) == ["database.password"]


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("database.dbname", "khong_co", "database.dbname"),
        ("database.port", "1", "database.hostname"),
        ("table.include.list", r"public\.nham", "table.include.list"),
        ("dongbo.mappings", "public.nham:civil_servant/vn_short", "dongbo.mappings"),
        ("publication.autocreate.mode", "disabled", "publication.name"),
        ("dongbo.source.locality", "", "dongbo.source.locality"),
    ],
)
def test_a_check_finds_what_a_start_would_stumble_over(source: Source, key: str, value: str, where: str) -> None:
    source.config[key] = value
    problems = PLUGIN.check(source.parsed())
    assert list(problems) == [where]
    assert "Remedy" in problems[where][0]


def test_a_role_without_privileges_and_a_table_without_a_key_are_refused_with_a_remedy(source: Source) -> None:
    role = source.name
    source.execute(f"create role {role} login password 'x'", "create table tran (a int)")
    try:
        source.config |= {"database.user": role, "database.password": "x"}
        problems = PLUGIN.check(source.parsed())
        assert "ALTER ROLE" in problems["database.user"][0]
        assert "GRANT SELECT" in problems["table.include.list"][0]
        source.start()
        assert isinstance(source.outcome(), Refused)
    finally:
        source.execute(f"drop role {role}")


def test_a_table_whose_updates_would_fail_once_published_is_refused(source: Source) -> None:
    source.execute("create table tran (a int)")
    source.config["table.include.list"] = r"public\..*"
    assert "REPLICA IDENTITY FULL" in PLUGIN.check(source.parsed())["table.include.list"][0]
    source.start()
    assert isinstance(source.outcome(), Refused)
    source.execute("alter table tran replica identity full")
    assert PLUGIN.check(source.parsed()) == {}
