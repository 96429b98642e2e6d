"""Changes of tables while their log is followed, and read again after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sync.errors import Incompatible, Refused
from tests.integration.capturing import Database, Source, at_least
from tests.postgresql_cluster import await_


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("ddl"), kafka, registry_url)
    made.execute(
        "create table can_bo (id int primary key, ho_ten text, luong int, ma text)",
        "insert into can_bo values (1, 'một', 10, 'A1')",
    )
    made.config |= {"dongbo.mappings": "", "snapshot.mode": "initial", "heartbeat.interval.ms": 100}
    yield made
    made.stop()
    made.registry.close()


def afters(records: list[tuple[Any, Any]]) -> list[Any]:
    return [value["after"] for _, value in records if value is not None]


def begin(source: Source) -> None:
    source.start()
    await_(lambda: (source.slot() or (0, False))[1] or source.error)


CHANGES = (
    "alter table can_bo add email text",
    "insert into can_bo values (2, 'hai', 20, 'A2', 'b@x')",
    "alter table can_bo rename ho_ten to ten",
    "insert into can_bo values (3, 'ba', 30, 'A3', null)",
    "alter table can_bo drop email",
    "insert into can_bo values (4, 'bốn', 40, 'A4')",
    "alter table can_bo alter luong type bigint",
    "insert into can_bo values (5, 'năm', 5000000000, 'A5')",
    "alter table can_bo alter luong set not null",
    "alter table can_bo add cap smallint not null default 7",
    "insert into can_bo values (6, 'sáu', 60, 'A6')",
    "update can_bo set ten = 'SÁU' where id = 6",
    "delete from can_bo where id = 2",
)
EXPECTED = [
    {"id": 1, "ho_ten": "một", "luong": 10, "ma": "A1"},
    {"id": 2, "ho_ten": "hai", "luong": 20, "ma": "A2", "email": "b@x"},
    {"id": 3, "ten": "ba", "luong": 30, "ma": "A3", "email": None},
    {"id": 4, "ten": "bốn", "luong": 40, "ma": "A4"},
    {"id": 5, "ten": "năm", "luong": 5000000000, "ma": "A5"},
    {"id": 6, "ten": "sáu", "luong": 60, "ma": "A6", "cap": 7},
    {"id": 6, "ten": "SÁU", "luong": 60, "ma": "A6", "cap": 7},
    None,
]


@pytest.mark.parametrize("identity", ["default", "full"])
@pytest.mark.parametrize("restarted", [False, True])
def test_columns_are_added_renamed_dropped_and_retyped_by_compatible_versions(
    source: Source, identity: str, restarted: bool
) -> None:
    source.execute(f"alter table can_bo replica identity {identity}")
    begin(source)
    source.wait(at_least(1))
    if restarted:
        # All of it is read when the catalogs are long past it.
        source.stop()
    for change in CHANGES:
        source.execute(change)
    if restarted:
        begin(source)
    records = source.wait(at_least(len(EXPECTED) + 1))
    assert afters(records) == EXPECTED
    assert [key["id"] for key, _ in records] == [1, 2, 3, 4, 5, 6, 6, 2, 2]


@pytest.mark.parametrize("identity", ["default", "full"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_key_that_is_renamed_or_replaced_is_a_compatible_version(
    source: Source, identity: str, restarted: bool
) -> None:
    source.execute(f"alter table can_bo replica identity {identity}")
    begin(source)
    source.wait(at_least(1))
    if restarted:
        source.stop()
    source.execute(
        "insert into can_bo values (2, 'hai', 20, 'A2')",
        "alter table can_bo rename id to so",
        "insert into can_bo values (3, 'ba', 30, 'A3')",
    )
    if restarted:
        begin(source)
    # With full identity the log doesn't tell the key: it is what the catalogs say when the change is read.
    source.wait(at_least(3))
    source.execute(
        "alter table can_bo drop constraint can_bo_pkey",
        "alter table can_bo add primary key (ma)",
        "insert into can_bo values (4, 'bốn', 40, 'A4')",
        "delete from can_bo where ma = 'A3'",
    )
    records = source.wait(at_least(6))
    keys = [key for key, _ in records]
    assert keys == [{"id": 1}, {"id": 2}, {"so": 3}, {"ma": "A4"}, {"ma": "A3"}, {"ma": "A3"}]
    assert records[3][1]["after"] == {"so": 4, "ho_ten": "bốn", "luong": 40, "ma": "A4"}


def test_a_change_that_the_subject_forbids_names_table_column_subject_and_remedy(source: Source) -> None:
    begin(source)
    source.wait(at_least(1))
    source.execute(
        "alter table can_bo alter ma type int using 7",
        "insert into can_bo values (2, 'bí mật', 20, 8)",
    )
    error = source.outcome()
    assert isinstance(error, Incompatible)
    for part in ("public.can_bo", "column ma was string and is int", f"{source.topic}-value"):
        assert part in str(error)
    assert "NONE" in error.hint
    assert "bí mật" not in str(error)
    # Nothing was skipped: once the subject allows it, the change comes.
    subject = f"{source.context['registry_url']}/config/{source.topic}-value"
    httpx.put(subject, json={"compatibility": "NONE"}).raise_for_status()
    begin(source)
    assert afters(source.wait(at_least(2)))[1]["ma"] == 8


def test_a_partitioned_table_is_one_topic_where_configured(source: Source) -> None:
    source.config["publish.via.partition.root"] = True
    source.execute(
        "drop table can_bo",
        "create table can_bo (id int primary key, ho_ten text) partition by range (id)",
        "create table can_bo_1 partition of can_bo for values from (0) to (100)",
        "insert into can_bo values (1, 'một')",
    )
    begin(source)
    source.wait(at_least(1))
    source.execute(
        "create table can_bo_2 partition of can_bo for values from (100) to (200)",
        "insert into can_bo values (101, 'hai')",
        "update can_bo set id = 102 where id = 1",
        "alter table can_bo detach partition can_bo_1",
        "insert into can_bo values (103, 'ba')",
    )
    records = source.wait(lambda found: any(key["id"] == 103 for key, _ in found))
    # A row that moves to another partition is deleted and inserted by the server itself.
    found = [(key["id"], value and value["op"]) for key, value in records]
    assert found == [(1, "r"), (101, "c"), (1, "d"), (1, None), (102, "c"), (103, "c")]


def test_each_partition_is_a_topic_also_one_that_comes_later(source: Source) -> None:
    source.config |= {"table.include.list": r"public\.can_bo.*", "dongbo.mappings": ""}
    source.execute(
        "drop table can_bo",
        "create table can_bo (id int primary key, ho_ten text) partition by range (id)",
        "create table can_bo_1 partition of can_bo for values from (0) to (100)",
        "insert into can_bo values (1, 'một')",
    )
    first, second = f"{source.topic}_1", f"{source.topic}_2"
    begin(source)
    source.wait_for(first, 1)
    source.execute(
        "create table can_bo_2 partition of can_bo for values from (100) to (200)",
        "insert into can_bo values (101, 'hai')",
        "update can_bo set id = 102 where id = 1",
    )
    source.wait_for(second, 2)
    found = [(key["id"], value and value["op"]) for topic in (first, second) for key, value in source.read(topic)]
    assert found == [(1, "r"), (1, "d"), (1, None), (101, "c"), (102, "c")]
    assert not source.read()


def test_a_partitioned_table_without_its_partitions_is_an_error_with_a_remedy(source: Source) -> None:
    source.execute(
        "drop table can_bo",
        "create table can_bo (id int primary key, ho_ten text) partition by range (id)",
        "create table can_bo_1 partition of can_bo for values from (0) to (100)",
    )
    source.start()
    error = source.outcome()
    assert isinstance(error, Refused)
    assert "public.can_bo is partitioned" in str(error)
    assert "publish.via.partition.root=true" in error.hint


def test_the_key_of_an_index_as_identity_is_the_index(source: Source) -> None:
    source.execute(
        "alter table can_bo alter ma set not null",
        "create unique index theo_ma on can_bo (ma)",
        "alter table can_bo replica identity using index theo_ma",
    )
    begin(source)
    source.wait(at_least(1))
    source.execute("update can_bo set luong = 11", "update can_bo set ma = 'B1'", "delete from can_bo")
    records = source.wait(at_least(7))
    found = [(key["ma"], value and value["op"]) for key, value in records]
    assert found == [("A1", "r"), ("A1", "u"), ("A1", "d"), ("A1", None), ("B1", "c"), ("B1", "d"), ("B1", None)]


def test_a_large_value_that_did_not_change_is_the_placeholder_or_the_old_rows(source: Source) -> None:
    source.execute(
        "alter table can_bo alter ho_ten set storage external",
        "update can_bo set ho_ten = repeat('ế', 10000)",
    )
    begin(source)
    source.wait(at_least(1))
    source.execute("update can_bo set luong = 11")
    source.execute("alter table can_bo replica identity full")
    source.execute("update can_bo set luong = 12")
    records = source.wait(at_least(3))
    assert [row["ho_ten"] for row in afters(records)] == ["ế" * 10000, "__debezium_unavailable_value", "ế" * 10000]


def test_a_large_value_that_did_not_change_is_read_again_where_configured(source: Source) -> None:
    source.execute(
        "alter table can_bo alter ho_ten set storage external, alter ma set storage external",
        "alter table can_bo drop constraint can_bo_pkey, add primary key (luong, id)",
        "insert into can_bo select n, repeat(n || ' ế', 3000), n, repeat(n || ' mã', 3000)"
        " from generate_series(2, 40) n",
        "update can_bo set ho_ten = repeat('1 ế', 3000) where id = 1",
    )
    source.config["dongbo.reselect.unavailable"] = True
    begin(source)
    source.wait(at_least(40))
    source.execute(
        "update can_bo set ma = 'ngắn' where id <= 20",
        # A new key, and a row that is gone when it is read again.
        "begin; update can_bo set luong = 1000 where id = 3; update can_bo set luong = 1001 where id = 4;"
        " delete from can_bo where id = 4; commit",
    )
    records = source.wait(at_least(40 + 20 + 3 + 3 + 2))
    changed = [row for row in afters(records)[40:] if row is not None]
    assert sorted(row["id"] for row in changed[:20]) == list(range(1, 21))
    assert [row["id"] for row in changed[20:]] == [3, 4]
    for row in changed[:-1]:
        assert row["ma"] == "ngắn"
        assert row["ho_ten"] in (f"{row['id']} ế" * 3000, "__debezium_unavailable_value")
    # Rows 3 and 4 had another key, or were gone, when the first update's values were read again, or not yet.
    assert all(row["ho_ten"] != "__debezium_unavailable_value" for row in changed[:-1] if row["id"] not in (3, 4))
    assert changed[-2]["ho_ten"] == "3 ế" * 3000
    assert changed[-1]["ho_ten"] == "__debezium_unavailable_value"
