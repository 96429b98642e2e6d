"""Capture: pgoutput messages → Debezium envelopes, positions and counts."""

from __future__ import annotations

from dataclasses import replace

import fastavro
import pytest

from sync.record import Position
from sync.source.postgresql import envelope
from sync.source.postgresql.pgoutput import EPOCH_MICROS
from sync.source.postgresql.table import Column, Identity, PgType, Table
from tests.pgoutput_log import NOW_NS, TABLE, UNCHANGED, World


def test_an_insert_becomes_a_debezium_create_that_fastavro_reads() -> None:
    world = World()
    world.transaction(1000, ("1", "Trần Thị Bình", "1990-02-28"))
    batch = world.capture.take()
    [(key, value)] = world.records(batch)
    assert key == {"id": 1}
    assert value["before"] is None
    assert value["after"] == {"id": 1, "ho_ten": "Trần Thị Bình", "ngay_sinh": 7363}
    assert value["op"] == "c"
    assert (value["ts_ms"], value["ts_us"], value["ts_ns"]) == (NOW_NS // 10**6, NOW_NS // 1000, NOW_NS)
    assert value["transaction"] is None
    micros = EPOCH_MICROS + 1_000_000
    assert value["source"] == {
        "version": envelope.VERSION,
        "connector": "postgresql",
        "name": "tinh",
        "ts_ms": micros // 1000,
        "snapshot": "false",
        "db": "bonoivu",
        "sequence": '[null,"951"]',
        "ts_us": micros,
        "ts_ns": micros * 1000,
        "schema": "public",
        "table": "can_bo",
        "txId": 5,
        "lsn": 951,
        "xmin": None,
        "origin": None,
        "origin_lsn": None,
    }
    assert batch.captured == {("tinh.public.can_bo", "c"): 1}
    assert batch.position == Position(1008)


def test_schemas_are_valid_avro_and_named_as_debeziums() -> None:
    world = World()
    world.transaction(1000, ("1", "x", None))
    subjects = dict(world.registry.schemas)
    for schema in subjects.values():
        fastavro.parse_schema(schema)
    value = subjects["tinh.public.can_bo-value"]
    assert value["connect.name"] == "tinh.public.can_bo.Envelope"
    assert value["fields"][0]["type"][1]["connect.name"] == "tinh.public.can_bo.Value"
    assert subjects["tinh.public.can_bo-key"]["connect.name"] == "tinh.public.can_bo.Key"


def test_a_full_identity_update_holds_both_rows_and_fills_unchanged_values_from_the_old_one() -> None:
    world = World(Table(TABLE.id, TABLE.columns, TABLE.key, Identity.FULL))
    world.log.begin(500)
    world.log.relation(world.table)
    world.log.change(b"U", (b"O", ("1", "cũ", None)), (b"N", ("1", UNCHANGED, "2000-01-01")))
    world.log.commit(500)
    [(_, value)] = world.records(world.capture.take())
    assert value["op"] == "u"
    assert value["before"] == {"id": 1, "ho_ten": "cũ", "ngay_sinh": None}
    assert value["after"] == {"id": 1, "ho_ten": "cũ", "ngay_sinh": 10957}


def test_an_unchanged_value_without_the_old_row_is_debeziums_placeholder() -> None:
    world = World()
    world.log.begin(500)
    world.log.relation()
    world.log.change(b"U", (b"N", ("1", UNCHANGED, None)))
    world.log.commit(500)
    [(_, value)] = world.records(world.capture.take())
    assert value["after"]["ho_ten"] == "__debezium_unavailable_value"


def test_an_update_of_the_key_is_a_delete_a_tombstone_and_a_create() -> None:
    world = World()
    world.log.begin(500)
    world.log.relation()
    world.log.change(b"U", (b"K", ("1", None, None)), (b"N", ("2", "An", None)))
    world.log.commit(500)
    batch = world.capture.take()
    (old, deleted), (again, nothing), (new, created) = world.records(batch)
    assert old == again == {"id": 1}
    assert nothing is None
    assert (deleted["op"], deleted["after"], deleted["before"]["id"]) == ("d", None, 1)
    assert new == {"id": 2}
    assert (created["op"], created["before"], created["after"]["ho_ten"]) == ("c", None, "An")
    assert sum(batch.captured.values()) == 2


@pytest.mark.parametrize("tombstones", [True, False])
def test_a_delete_is_followed_by_a_tombstone_when_asked_for(tombstones: bool) -> None:
    world = World(tombstones=tombstones)
    world.log.begin(500)
    world.log.relation()
    world.log.change(b"D", (b"K", ("1", None, None)))
    world.log.commit(500)
    records = world.records(world.capture.take())
    assert records[0][1]["op"] == "d"
    assert records[1:] == ([({"id": 1}, None)] if tombstones else [])


def test_changes_of_our_own_origin_are_counted_but_not_written() -> None:
    world = World()
    world.transaction(500, ("1", "a", None), ("2", "b", None), origin=b"dongbo_sink_0")
    world.transaction(600, ("3", "c", None), origin=b"other")
    batch = world.capture.take()
    assert batch.suppressed == {"tinh.public.can_bo": 2}
    [(_, value)] = world.records(batch)
    assert (value["source"]["origin"], value["source"]["origin_lsn"]) == ("other", 3)
    assert batch.changes == 3


def test_given_a_batch_cut_inside_a_transaction_when_restarted_then_nothing_is_lost_or_twice() -> None:
    first = World()
    first.transaction(500, ("1", "a", None))
    first.log.begin(600)
    first.log.relation()
    first.log.insert("2", "b", None)
    batch = first.capture.take()
    assert batch.position == Position(508, 600, 1)
    assert [key["id"] for key, _ in first.records(batch)] == [1, 2]

    second = World(position=batch.position)
    # The server sends whole transactions again, possibly more than were confirmed.
    second.transaction(500, ("1", "a", None))
    assert second.capture.position == batch.position
    second.transaction(600, ("2", "b", None), ("3", "c", None))
    second.transaction(700, ("4", "d", None))
    rest = second.capture.take()
    assert [key["id"] for key, _ in second.records(rest)] == [3, 4]
    assert rest.position == Position(708)


def test_a_position_inside_a_transaction_survives_a_restart_before_its_first_new_change() -> None:
    world = World(position=Position(508, 600, 2))
    world.log.begin(600)
    assert world.capture.position == Position(508, 600, 2)
    world.log.relation()
    world.log.insert("2", "b", None)
    assert world.capture.position == Position(508, 600, 2)
    assert not world.capture.take()


def test_a_null_from_before_a_not_null_constraint_makes_the_column_nullable() -> None:
    strict = Table(TABLE.id, (TABLE.columns[0], Column("ho_ten", PgType("text"), optional=False)), ("id",))
    world = World(strict)
    world.transaction(500, ("1", None))
    [(_, value)] = world.records(world.capture.take())
    assert value["after"] == {"id": 1, "ho_ten": None}


def test_an_idle_server_moves_the_position_but_not_inside_a_transaction() -> None:
    world = World()
    world.capture.advance(5000)
    assert world.capture.position == Position(5000)
    world.log.begin(6000)
    world.capture.advance(7000)
    assert world.capture.position == Position(5000)


def test_the_columns_of_a_key_keep_the_order_of_the_index() -> None:
    table = Table(TABLE.id, (*TABLE.columns[:1], Column("ho_ten", PgType("text"), optional=False)), ("ho_ten", "id"))
    world = World(table)
    world.transaction(500, ("1", "An"))
    [(key, _)] = world.records(world.capture.take())
    assert list(key) == ["ho_ten", "id"]


def test_an_update_that_changes_nothing_captured_is_left_out_when_asked_for_and_its_place_counts() -> None:
    hidden = replace(TABLE.columns[1], captured=False)
    table = replace(TABLE, columns=(TABLE.columns[0], hidden, TABLE.columns[2]), identity=Identity.FULL)
    world = World(table, skip_unchanged=True)
    world.log.begin(500)
    world.log.relation(world.table)
    world.log.change(b"U", (b"O", ("1", "cũ", None)), (b"N", ("1", "mới", None)))
    world.log.change(b"U", (b"O", ("1", "mới", None)), (b"N", ("1", "mới", "2000-01-01")))
    [(_, value)] = world.records(world.capture.take())
    assert (value["before"]["ngay_sinh"], value["after"]["ngay_sinh"]) == (None, 10957)
    assert world.capture.position == Position(0, 500, 2)


def test_without_full_identity_no_update_is_left_out() -> None:
    world = World(skip_unchanged=True)
    world.log.begin(500)
    world.log.relation()
    world.log.change(b"U", (b"N", ("1", "cũ", None)))
    world.log.change(b"U", (b"K", ("1", None, None)), (b"N", ("1", None, None)))
    assert [value["op"] for _, value in world.records(world.capture.take())] == ["u", "u"]
