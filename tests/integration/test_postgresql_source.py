"""The PostgreSQL source on real servers: nothing lost, nothing twice, clear refusals."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sync.errors import PositionLost, Refused
from sync.kafka.client import end_offsets, read_all
from sync.kafka.offset import OffsetStore
from sync.ports import TaskContext
from sync.schema.avro import decode_one, split
from sync.schema.derived import LEDGER_TOPIC
from sync.schema.registry import RegistryClient
from sync.source.postgresql import PLUGIN

pytestmark = pytest.mark.integration

Database = Callable[[str], str]

RUNNER = """
import json, sys, threading
from sync.ports import TaskContext
from sync.source.postgresql import PLUGIN
context, config = json.loads(sys.argv[1])
parsed = PLUGIN.config.parse(config)
assert not parsed.errors, parsed.errors
PLUGIN.task(TaskContext(**context), parsed.values).run(threading.Event())
"""


class Source:
    """A source database, a connector on it, and its topics."""

    def __init__(self, dsn: str, kafka: str, registry_url: str) -> None:
        self.dsn = dsn
        self.kafka = kafka
        self.registry = RegistryClient(registry_url)
        self.name = f"src_{uuid.uuid4().hex[:10]}"
        server = conninfo_to_dict(dsn)
        self.context: dict[str, Any] = {
            "connector": self.name,
            "task": 0,
            "tasks": 1,
            "bootstrap": kafka,
            "registry_url": registry_url,
        }
        self.config: dict[str, Any] = {
            "database.hostname": server["host"],
            "database.port": server["port"],
            "database.user": server["user"],
            "database.password": server.get("password", ""),
            "database.dbname": server["dbname"],
            "topic.prefix": self.name,
            "slot.name": self.name,
            "publication.name": f"pub_{self.name}",
            "publication.autocreate.mode": "filtered",
            "table.include.list": r"public\.can_bo",
            "dongbo.mappings": "public.can_bo:civil_servant/vn_short",
            "dongbo.source.locality": "01",
            "poll.interval.ms": 100,
        }
        self.topic = f"{self.name}.public.can_bo"
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def parsed(self) -> dict[str, Any]:
        parsed = PLUGIN.config.parse(self.config)
        assert not parsed.errors
        return parsed.values

    def start(self) -> None:
        self._stop.clear()
        self.error = None
        task = PLUGIN.task(TaskContext(**self.context), self.parsed())

        def run() -> None:
            try:
                task.run(self._stop)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.error = error

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join(20)
            assert not self._thread.is_alive()
            self._thread = None

    def spawn(self) -> subprocess.Popen[bytes]:
        arguments = json.dumps([self.context, self.config])
        return subprocess.Popen([sys.executable, "-c", RUNNER, arguments])

    def outcome(self) -> BaseException | None:
        """The error with which the task ends by itself."""
        assert self._thread is not None
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._thread = None
        return self.error

    def read(self, topic: str | None = None) -> list[tuple[Any, Any]]:
        try:
            messages = list(read_all(self.kafka, topic or self.topic))
        except Refused:
            return []
        return [(self._decode(message.key()), self._decode(message.value())) for message in messages]

    def _decode(self, data: bytes | None) -> Any:
        if data is None:
            return None
        number, datum = split(data)
        return decode_one(self.registry.schema(number), datum)

    def wait(self, enough: Callable[[list[tuple[Any, Any]]], bool], seconds: float = 30) -> list[tuple[Any, Any]]:
        deadline = time.monotonic() + seconds
        while True:
            records = self.read()
            if enough(records):
                return records
            if self.error is not None:
                raise self.error
            assert time.monotonic() < deadline, f"only {len(records)} records after {seconds} s"

    def committed(self) -> int:
        """The last stable offset of the topic: its committed records and the markers of their transactions."""
        return end_offsets(self.kafka, [self.topic], read_committed=True)[self.topic, 0]

    def started(self) -> int:
        """As ``committed``, 0 where the topic does not exist yet."""
        try:
            return self.committed()
        except Refused:
            return 0

    def wait_committed(self, records: int, seconds: float = 60) -> None:
        """Wait until so many changes are in the ledger."""
        deadline = time.monotonic() + seconds
        while self.counted()["captured"] < records:
            if self.error is not None:
                raise self.error
            assert time.monotonic() < deadline

    def state(self) -> dict[Any, Any]:
        """Rows as a reader of the topic sees them: by key, the last after."""
        rows: dict[Any, Any] = {}
        for key, value in self.read():
            if value is None or value["after"] is None:
                rows.pop(key["id"], None)
            else:
                rows[key["id"]] = value["after"]
        return rows

    def counted(self) -> Counter[str]:
        """The ledger's counts of the topic, by outcome."""
        counts: Counter[str] = Counter()
        for key, value in self.read(LEDGER_TOPIC):
            if key["topic"] == self.topic:
                counts[value["outcome"]] += value["count"]
        return counts

    def rows(self) -> dict[Any, Any]:
        with psycopg.connect(self.dsn) as connection:
            return dict(connection.execute("select id, ho_ten from can_bo").fetchall())

    def slot(self) -> Any:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(
                "select confirmed_flush_lsn - '0/0'::pg_lsn, active from pg_replication_slots where slot_name = %s",
                (self.name,),
            ).fetchone()


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("capture"), kafka, registry_url)
    made.execute("create table can_bo (id int primary key, ho_ten text, ngay_sinh date)")
    yield made
    made.stop()
    made.registry.close()


def at_least(count: int) -> Callable[[Sequence[Any]], bool]:
    return lambda records: len(records) >= count


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


def test_given_kills_at_any_moment_then_each_change_is_captured_once(source: Source) -> None:
    source.config["max.batch.size"] = 100
    source.execute("insert into can_bo values (0, 'đầu')")
    source.start()
    source.wait(at_least(1))
    source.stop()
    # Transactions larger than a batch: kills fall between two batches of the same transaction.
    for start in range(1, 30_000, 10_000):
        source.execute(f"insert into can_bo select n, 'x' from generate_series({start}, {start + 9_999}) n")
    committed = source.committed()
    for _ in range(3):
        process = source.spawn()
        try:
            deadline = time.monotonic() + 60
            while source.committed() < committed + 3000:
                assert process.poll() is None
                assert time.monotonic() < deadline
        finally:
            process.kill()
            process.wait()
        committed = source.committed()
    assert committed < 30_000
    source.start()
    source.wait_committed(30_001)
    source.stop()
    identifiers = [key["id"] for key, _ in source.read()]
    assert identifiers == list(range(30_001))
    assert source.counted() == {"captured": 30_001}


def test_given_a_kill_within_the_snapshot_then_no_row_is_written_twice_and_none_stays_behind(source: Source) -> None:
    source.config["max.batch.size"] = 100
    source.execute("insert into can_bo select n, 'người ' || n from generate_series(1, 30000) n")
    process = source.spawn()
    try:
        deadline = time.monotonic() + 60
        while source.started() < 1000:
            assert process.poll() is None
            assert time.monotonic() < deadline
    finally:
        process.kill()
        process.wait()
    assert source.committed() < 30_000
    stored = OffsetStore(source.kafka).load(source.name)
    assert [offset["snapshot"] for offset in stored.values()] == [True]
    source.execute("delete from can_bo where id = 2", "update can_bo set ho_ten = 'sửa' where id = 3")
    source.config["max.batch.size"] = 5000
    source.start()
    source.wait_committed(30_002)
    source.stop()
    ops = Counter((key["id"], value["op"]) for key, value in source.read() if value is not None)
    assert ops[2, "r"] == ops[2, "d"] == 1
    assert ops[3, "r"] == 2
    assert sum(ops.values()) == 30_002
    assert {number: row["ho_ten"] for number, row in source.state().items()} == source.rows()
    assert source.counted() == {"captured": 30_002}


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
    deadline = time.monotonic() + 20
    while source.slot()[0] <= before + 500_000:
        assert time.monotonic() < deadline
    source.stop()
    assert len(source.read()) == 1


def test_a_slot_that_is_gone_or_made_anew_is_a_lost_position(source: Source) -> None:
    source.start()
    source.execute("insert into can_bo values (1, 'một')")
    source.wait(at_least(1))
    source.stop()
    source.execute(f"select pg_drop_replication_slot('{source.name}')")
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
    ("numeric", "12.50", "12.50"),
    ("char(4)", "'ab'", "ab  "),
    ("varchar(9)", "E'a\\tb\\\\\\n'", "a\tb\\\n"),
    ("text", "''", ""),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("jsonb", """'{"a":1}'""", '{"a": 1}'),
    ("json", """'{"a":1}'""", '{"a":1}'),
    ("date", "'2025-07-01'", 20270),
    ("date", "'0044-03-15 BC'", -735_160),
    ("time", "'07:08:09.5'", 25_689_500_000),
    ("timetz", "'07:08:09.5+07'", "00:08:09.500000Z"),
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
    ("interval", "'1 day 02:00'", "1 day 02:00:00"),
]


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
