"""Snapshots on real servers: by several connections while others write, gone on with after a kill, by each mode."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from sync import metrics
from sync.errors import PositionLost
from sync.kafka.offset import OffsetStore
from sync.progress import Progress
from tests.eventually import meanwhile
from tests.integration.capturing import Database, Source, at_least
from tests.integration.writing import Writer, settle
from tests.postgresql_server import EVERY_SERVER

pytestmark = pytest.mark.integration


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("snapshot"), kafka, registry_url)
    made.config["heartbeat.interval.ms"] = 100
    made.execute("create table can_bo (id int primary key, ho_ten text, ngay_sinh date)")
    yield made
    made.stop()
    made.registry.close()


def histories(source: Source) -> dict[int, list[Any]]:
    """The events of each key in the order of the topic."""
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for key, value in source.read():
        if value is not None:
            found[key["id"]].append(value)
    return found


def check_histories(source: Source) -> None:
    """Each key's events follow from each other: nothing missing, nothing twice, and the end is the table's row."""
    rows = source.rows()
    found = histories(source)
    for key, events in found.items():
        alive = False
        for place, event in enumerate(events):
            if event["op"] == "r":
                assert place == 0, f"a read after changes: {[(e['op'], e['source']['lsn']) for e in events]}"
            elif event["op"] == "c":
                assert not alive
            else:
                assert alive, [e["op"] for e in events]
            alive = event["op"] != "d"
        positions = [event["source"]["lsn"] for event in events]
        assert positions == sorted(positions)
        assert len(set(positions)) == len(positions)
        assert (events[-1]["after"] or {}).get("ho_ten") == rows.get(key)
    assert {key for key, events in found.items() if events[-1]["op"] != "d"} == rows.keys()


def kill_within(source: Source, least: int) -> None:
    """Run the connector in a process and kill it once so many records are in the topic."""
    process = source.spawn()
    try:
        assert meanwhile(process, lambda: source.started() >= least)
    finally:
        process.kill()
        process.wait()


@EVERY_SERVER
def test_given_several_threads_and_writers_then_each_keys_history_is_whole(source: Source) -> None:
    source.execute("insert into can_bo select n, 'người ' || n from generate_series(1, 40000) n")
    source.config |= {"snapshot.max.threads": 3, "max.batch.size": 2000}
    with Writer(source, 40_000) as writer:
        writer.wait(20)
        source.start()
        source.wait_committed(39_000)
        writer.wait(writer.transactions + 200)
    settle(source)
    check_histories(source)
    markers = [value["source"]["snapshot"] for _, value in source.read() if value and value["op"] == "r"]
    assert markers[0] == "first"
    assert markers[-1] == "last"
    assert set(markers[1:-1]) == {"true"}


@pytest.mark.parametrize("threads", [1, 3])
def test_given_kills_within_the_snapshot_while_others_write_then_each_keys_history_is_whole(
    source: Source, threads: int
) -> None:
    source.execute("insert into can_bo select n, 'người ' || n from generate_series(1, 40000) n")
    source.config |= {"snapshot.max.threads": threads, "max.batch.size": 50}
    with Writer(source, 40_000) as writer:
        kill_within(source, 1000)
        [stored] = OffsetStore(source.kafka).load(source.name).values()
        assert stored["snapshot"]
        assert stored["progress"]["tables"]["public.can_bo"]["parts"]
        writer.wait(writer.transactions + 100)
        before = source.committed()
        kill_within(source, before + 1000)
        [stored] = OffsetStore(source.kafka).load(source.name).values()
        assert len(stored["progress"]["views"]) == 1
        assert source.committed() < 38_000
        writer.wait(writer.transactions + 100)
        source.config["max.batch.size"] = 5000
        source.start()
        source.wait_committed(39_000)
        writer.wait(writer.transactions + 100)
    settle(source)
    check_histories(source)
    assert source.counted()["captured"] == sum(map(len, histories(source).values()))


def test_given_a_kill_when_nobody_reads_by_key_then_no_row_is_written_twice_and_none_stays_behind(
    source: Source,
) -> None:
    source.execute(
        "drop table can_bo",
        "create table can_bo (ma text primary key, id int not null, ho_ten text)",
        "insert into can_bo select 'M' || n, n, 'người ' || n from generate_series(1, 30000) n",
    )
    source.config["max.batch.size"] = 100
    kill_within(source, 1000)
    assert source.committed() < 30_000
    source.execute("delete from can_bo where id = 2", "update can_bo set ho_ten = 'sửa' where id = 3")
    source.config["max.batch.size"] = 5000
    source.start()
    source.wait_committed(30_002)
    source.execute("update can_bo set ho_ten = 'hết' where id = 4")
    source.wait(lambda found: any(value and value["op"] == "u" for _, value in found))
    source.stop()
    ops = defaultdict(list)
    for key, value in source.read():
        if value is not None:
            ops[key["ma"]].append(value["op"])
    assert ops.pop("M2") == ["r", "d"]
    assert ops.pop("M3") == ["r", "r"]
    assert ops.pop("M4") == ["r", "u"]
    assert set(map(tuple, ops.values())) == {("r",)}
    assert len(ops) == 29_997


def test_given_a_slot_lost_within_the_snapshot_then_it_begins_anew_and_writes_nothing_twice(source: Source) -> None:
    source.execute("insert into can_bo select n, 'người ' || n from generate_series(1, 30000) n")
    source.config["max.batch.size"] = 100
    kill_within(source, 1000)
    source.drop_slot()
    source.execute("delete from can_bo where id = 2", "update can_bo set ho_ten = 'sửa' where id = 3")
    source.config["max.batch.size"] = 5000
    source.start()
    source.wait_committed(30_002)
    settle(source)
    ops = {key: [event["op"] for event in events] for key, events in histories(source).items()}
    assert ops.pop(2) == ["r", "d"]
    assert ops.pop(3) == ["r", "r"]
    assert set(map(tuple, ops.values())) == {("r",)}
    assert {key: row["ho_ten"] for key, row in source.state().items()} == source.rows()


def test_a_lost_position_is_a_new_snapshot_when_needed(source: Source) -> None:
    source.config["snapshot.mode"] = "when_needed"
    source.execute("insert into can_bo values (1, 'một')")
    source.start()
    source.wait(at_least(1))
    source.stop()
    source.start()
    source.execute("insert into can_bo values (2, 'hai')")
    source.wait(at_least(2))
    source.stop()
    source.drop_slot()
    source.start()
    records = source.wait(at_least(4))
    source.stop()
    assert [(key["id"], value["op"]) for key, value in records] == [(1, "r"), (2, "c"), (1, "r"), (2, "r")]
    source.config["snapshot.mode"] = "initial"
    source.drop_slot()
    source.start()
    assert isinstance(source.outcome(), PositionLost)


class Recorded(Progress):
    """Remembers what was told of the snapshot."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, int] | None] = []
        super().__init__()

    def __setattr__(self, name: str, value: object) -> None:
        if name == "snapshot":
            self.told.append(cast("Mapping[str, int] | None", value))
        super().__setattr__(name, value)


def test_a_snapshot_only_reads_what_it_is_told_to(source: Source) -> None:
    source.execute(
        "create table don_vi (id int primary key, ten text)",
        "create table quyen (id int primary key)",
        "insert into don_vi select n, 'đv' || n from generate_series(1, 3) n",
        "insert into quyen values (1)",
        "insert into can_bo select n, 'người ' || n from generate_series(1, 5) n",
    )
    source.config |= {
        "table.include.list": r"public\..*",
        "snapshot.include.collection.list": r"public\.can_bo,public\.don_vi",
        "snapshot.select.statement.overrides": "public.don_vi",
        "snapshot.select.statement.overrides.public.don_vi": "select * from public.don_vi where id > 1 -- not all",
        "snapshot.tables.order.by.row.count": "descending",
    }
    source.execute("analyze")
    progress = source.context["progress"] = Recorded()
    source.start()
    source.wait(at_least(5))
    source.execute("insert into quyen values (2)")
    source.topic = f"{source.name}.public.quyen"
    [(_, event)] = source.wait(at_least(1))
    assert event["op"] == "c"
    source.stop()
    people = source.read(f"{source.name}.public.can_bo")
    units = source.read(f"{source.name}.public.don_vi")
    assert [value["source"]["snapshot"] for _, value in people] == [
        "first",
        *["true"] * 3,
        "last_in_data_collection",
    ]
    assert [(value["after"]["id"], value["source"]["snapshot"]) for _, value in units] == [
        (2, "first_in_data_collection"),
        (3, "last"),
    ]
    first, last = ({"tables": 2, "tables_remaining": left, "rows": rows} for left, rows in ((2, 0), (0, 7)))
    assert progress.told == [None, first, last, None]
    labels = metrics.SNAPSHOT_TABLES.labels(source.name), metrics.SNAPSHOT_TABLES_LEFT.labels(source.name)
    assert [gauge._value.get() for gauge in labels] == [2, 0]
    for topic, expected in ((f"{source.name}.public.can_bo", 5), (f"{source.name}.public.don_vi", 3)):
        # The select that a configuration gives has no part in what the statistics say.
        assert metrics.SNAPSHOT_TABLE_ROWS.labels(source.name, topic)._value.get() == expected
        assert metrics.SNAPSHOT_TABLE_RUNNING.labels(source.name, topic)._value.get() == 0


@EVERY_SERVER
def test_partitions_inheritance_and_large_heaps_are_read_once(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.source.postgresql.snapshot.chunk.CHUNK_BLOCKS", 4)
    source.execute(
        "create table phan (ma text, id int, primary key (ma, id)) partition by hash (id)",
        *(f"create table phan_{n} partition of phan for values with (modulus 3, remainder {n})" for n in range(3)),
        "insert into phan select 'p', n from generate_series(1, 5000) n",
        "create table goc (ma text primary key)",
        "create table con (primary key (ma)) inherits (goc)",
        "insert into goc select 'g' || n from generate_series(1, 5000) n",
        "insert into con select 'c' || n from generate_series(1, 3000) n",
    )
    source.config |= {"table.include.list": r"public\.(phan|goc|con)", "snapshot.max.threads": 2, "dongbo.mappings": ""}
    source.config["publish.via.partition.root"] = True
    source.start()
    for table, count in (("phan", 5000), ("goc", 5000), ("con", 3000)):
        source.topic = f"{source.name}.public.{table}"
        records = source.wait(at_least(count))
        keys = [str(key) for key, _ in records]
        assert len(keys) == len(set(keys)) == count
    source.stop()
