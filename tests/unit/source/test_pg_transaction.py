"""Transaction metadata, truncates and skipped operations: what is told of a transaction besides its rows."""

from __future__ import annotations

import json
from typing import Any

import fastavro
import pytest

from sync.errors import ProtocolViolation
from sync.record import Position
from sync.source.postgresql.batch import Batch
from sync.source.postgresql.table import Identity, Table
from sync.source.postgresql.transaction import KEY_SCHEMA, SCHEMA
from tests.pgoutput_log import START, TABLE, Log, World

META = "tinh.transaction"
FULL = Table(TABLE.id, TABLE.columns, TABLE.key, Identity.FULL)


def world(position: Position = START, *, skipped: str = "", metadata: bool = True) -> World:
    return World(FULL, position, skipped=skipped, metadata=metadata)


def play(log: Log) -> None:
    """Three transactions: of rows of several kinds, of a truncate, of an unselected table's row."""
    log.begin(500, xid=7)
    log.relation(FULL)
    log.insert("1", "a", None)
    log.change(b"U", (b"O", ("1", "a", None)), (b"N", ("2", "a", None)))
    log.change(b"D", (b"O", ("2", "a", None)))
    log.insert("3", "c", None)
    log.commit(500)
    log.begin(600, xid=8)
    log.truncate(7)
    log.insert("4", "d", None)
    log.commit(600)
    log.begin(700, xid=9)
    log.origin(b"dongbo_x_0")
    log.insert("5", "e", None)
    log.commit(700)


def told(stage: World, batch: Batch) -> list[Any]:
    rows = [(value["op"], value["transaction"]) if value else None for _, value in stage.records(batch)]
    return [rows, stage.records(batch, META)]


def test_a_transaction_is_told_as_debezium_tells_it() -> None:
    stage = world()
    play(stage.log)
    rows, records = told(stage, stage.capture.take())

    def place(xid: int, lsn: int, total: int) -> dict[str, Any]:
        return {"id": f"{xid}:{lsn}", "total_order": total, "data_collection_order": total}

    assert rows == [
        ("c", place(7, 451, 1)),
        # A new key is a delete, its tombstone and a create of one change.
        ("d", place(7, 452, 2)),
        None,
        ("c", place(7, 452, 3)),
        ("d", place(7, 453, 4)),
        None,
        ("c", place(7, 454, 5)),
        ("t", place(8, 551, 1)),
        ("c", place(8, 552, 2)),
    ]
    ms = 946_684_801_000

    def told_of(status: str, xid: int, lsn: int, count: int | None) -> tuple[Any, Any]:
        tables = None if count is None else [{"data_collection": "public.can_bo", "event_count": count}]
        name = f"{xid}:{lsn}"
        value = {"status": status, "id": name, "event_count": count, "data_collections": tables, "ts_ms": ms}
        return {"id": name}, value

    assert records == [
        told_of("BEGIN", 7, 450, None),
        told_of("END", 7, 508, 5),
        told_of("BEGIN", 8, 550, None),
        told_of("END", 8, 608, 2),
    ]


class Cut(Exception):
    """The connector ends here."""


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("skipped", ["", "t", "d", "u"])
def test_given_a_batch_cut_anywhere_when_restarted_then_all_is_told_once_and_counted_on(
    metadata: bool, skipped: str
) -> None:
    def outcome(stage: World, batch: Batch) -> list[Any]:
        return [stage.records(batch), stage.records(batch, META)]

    whole = world(skipped=skipped, metadata=metadata)
    messages: list[bytes] = []
    whole.log.deliver = messages.append
    play(whole.log)
    for message in messages:
        whole.capture.feed(message)
    wanted = json.dumps(without_sequence(outcome(whole, whole.capture.take())))
    for cut in range(1, len(messages)):
        first = world(skipped=skipped, metadata=metadata)
        for message in messages[:cut]:
            first.capture.feed(message)
        batch = first.capture.take()
        second = world(batch.position, skipped=skipped, metadata=metadata)
        for message in messages:
            second.capture.feed(message)
        rest = second.capture.take()
        found = [a + b for a, b in zip(outcome(first, batch), outcome(second, rest), strict=True)]
        assert json.dumps(without_sequence(found)) == wanted, cut


def without_sequence(outcome: list[Any]) -> list[Any]:
    """The last committed position in ``sequence`` is what the connector knows of, not the log."""
    for _, value in outcome[0]:
        if value:
            value["source"]["sequence"] = None
    return outcome


def test_a_transaction_without_captured_rows_is_told_too() -> None:
    stage = world(skipped="c")
    stage.transaction(500, ("1", "a", None))
    batch = stage.capture.take()
    assert batch
    _, ((_, begin), (_, end)) = told(stage, batch)
    assert (begin["status"], end["status"], end["event_count"], end["data_collections"]) == ("BEGIN", "END", 0, [])


def test_a_truncate_is_a_record_without_key_and_rows_for_each_table_that_is_captured() -> None:
    stage = world(metadata=False)
    stage.log.begin(500)
    stage.log.relation(FULL)
    stage.log.truncate(99, 7)
    stage.log.commit(500)
    batch = stage.capture.take()
    [(key, value)] = stage.records(batch)
    assert key is None
    assert (value["op"], value["before"], value["after"], value["transaction"]) == ("t", None, None, None)
    assert value["source"]["lsn"] == 451
    assert batch.captured == {("tinh.public.can_bo", "t"): 1}


def test_a_truncate_by_our_own_sink_is_counted_and_not_written() -> None:
    stage = world()
    stage.log.begin(500)
    stage.log.origin(b"dongbo_x_0")
    stage.log.relation(FULL)
    stage.log.truncate(7)
    stage.log.commit(500)
    batch = stage.capture.take()
    assert batch.suppressed == {"tinh.public.can_bo": 1}
    assert told(stage, batch) == [[], []]


def test_a_truncate_is_passed_over_by_default_and_told() -> None:
    stage = World()
    stage.log.begin(500)
    stage.log.relation()
    stage.log.truncate(7)
    stage.log.commit(500)
    assert not stage.capture.take()
    assert stage.capture.ignored_truncates == 1


def test_a_truncate_of_fewer_tables_than_it_says_breaks_the_protocol() -> None:
    stage = world()
    stage.log.begin(500)
    with pytest.raises(ProtocolViolation):
        stage.log.send(b"T\0\0\0\2\0\0\0\0\7", 460)


@pytest.mark.parametrize(("skipped", "ops"), [("c", "ud"), ("u", "cd"), ("d", "cu"), ("cud", "")])
def test_skipped_operations_are_not_captured(skipped: str, ops: str) -> None:
    stage = world(skipped=skipped, metadata=False)
    stage.log.begin(500)
    stage.log.relation(FULL)
    stage.log.insert("1", "a", None)
    stage.log.change(b"U", (b"O", ("1", "a", None)), (b"N", ("1", "b", None)))
    stage.log.change(b"D", (b"O", ("1", "b", None)))
    stage.log.commit(500)
    batch = stage.capture.take()
    assert [value["op"] for _, value in stage.records(batch) if value] == list(ops)
    assert batch.position == Position(508)


def test_the_schemas_are_valid_avro() -> None:
    for schema in (KEY_SCHEMA, SCHEMA):
        fastavro.parse_schema(schema)
