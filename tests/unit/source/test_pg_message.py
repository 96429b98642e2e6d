"""Logical decoding messages: which are captured, their records and positions."""

from __future__ import annotations

import fastavro
import pytest

from sync.errors import ConfigError, ProtocolViolation
from sync.record import Position
from sync.source.postgresql import PLUGIN
from sync.source.postgresql.kind import Options
from sync.source.postgresql.message import KEY_SCHEMA, Prefixes, value_schema
from sync.source.postgresql.setting import KEYS
from tests.pgoutput_log import NOW_NS, START, World

TOPIC = "tinh.message"
ALL = Prefixes()


def world(position: Position = START, *, metadata: bool = False) -> World:
    return World(position=position, messages=ALL, metadata=metadata)


def play(stage: World) -> None:
    """A message by itself, then one between two rows of a transaction."""
    stage.log.message(b"thu", b"\x00\xff", lsn=400)
    stage.log.begin(500, xid=7)
    stage.log.relation()
    stage.log.insert("1", "a", None)
    stage.log.message("thư".encode(), b"x")
    stage.log.insert("2", "b", None)
    stage.log.commit(500)


def test_the_schemas_are_valid_avro_in_every_form_of_bytes() -> None:
    fastavro.parse_schema(KEY_SCHEMA)
    for form in ("bytes", "base64", "base64-url-safe", "hex"):
        fastavro.parse_schema(value_schema(Options(binaries=form)))


def test_a_message_of_a_transaction_and_one_by_itself_are_records() -> None:
    stage = world()
    play(stage)
    batch = stage.capture.take()
    (alone_key, alone), (key, value) = stage.records(batch, TOPIC)
    assert (alone_key, key) == ({"prefix": "thu"}, {"prefix": "thư"})
    assert (alone["message"], value["message"]) == (
        {"prefix": "thu", "content": b"\x00\xff"},
        {"prefix": "thư", "content": b"x"},
    )
    assert (alone["op"], alone["ts_ms"], alone["transaction"]) == ("m", NOW_NS // 10**6, None)
    assert (alone["source"]["txId"], value["source"]["txId"]) == (None, 7)
    assert (alone["source"]["sequence"], value["source"]["sequence"]) == ('["400","400"]', '["400","452"]')
    assert (value["source"]["schema"], value["source"]["table"], value["source"]["lsn"]) == ("", "", 452)
    assert batch.captured[TOPIC, "m"] == 2
    assert batch.position == Position(508)


def test_without_records_wanted_a_message_still_counts_as_a_place_in_its_transaction() -> None:
    without = World()
    play(without)
    assert not without.capture.batch.outputs[TOPIC]
    stage = World(position=Position(400, 500, 2), messages=Prefixes())
    play(stage)
    batch = stage.capture.take()
    assert [key["id"] for key, _ in stage.records(batch)] == [2]
    assert not stage.records(batch, TOPIC)


@pytest.mark.parametrize("cut", range(1, 6))
def test_given_a_batch_cut_anywhere_when_restarted_then_no_message_is_lost_or_twice(cut: int) -> None:
    first = world(metadata=True)
    left = cut

    def deliver(message: bytes) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            first.capture.feed(message)

    first.log.deliver = deliver
    play(first)
    batch = first.capture.take()
    second = world(batch.position, metadata=True)
    play(second)
    rest = second.capture.take()
    whole = world(metadata=True)
    play(whole)
    wanted = whole.capture.take()
    for topic in (TOPIC, "tinh.public.can_bo", "tinh.transaction"):
        found = first.records(batch, topic) + second.records(rest, topic)
        assert [(key, value) for key, value in found] == whole.records(wanted, topic)


def test_prefixes_match_as_wholes_whatever_their_case() -> None:
    values = KEYS.parse({"message.prefix.include.list": "th.,x"}).values
    assert [prefix in Prefixes.read(values) for prefix in ("THƯ", "thưa", "x", "y")] == [True, False, True, False]
    values = KEYS.parse({"message.prefix.exclude.list": "th.,x"}).values
    assert [prefix in Prefixes.read(values) for prefix in ("THƯ", "thưa")] == [False, True]


def test_both_lists_are_an_error() -> None:
    given = {"message.prefix.include.list": "a", "message.prefix.exclude.list": "b"}
    with pytest.raises(ConfigError, match="together"):
        Prefixes.read(PLUGIN.config.parse(given).values)


def test_what_moves_an_idle_log_on_is_no_message() -> None:
    stage = world()
    stage.log.message(b"dongbo", b"", lsn=400)
    assert not stage.capture.take()


def test_messages_of_our_own_sinks_transactions_are_left_out() -> None:
    stage = world()
    stage.log.begin(500)
    stage.log.origin(b"dongbo_x_0")
    stage.log.message(b"thu", b"x")
    stage.log.commit(500)
    assert stage.capture.take().suppressed == {TOPIC: 1}


def test_a_message_of_a_transaction_outside_one_breaks_the_protocol() -> None:
    with pytest.raises(ProtocolViolation, match="kind 'M'"):
        world().log.message(b"thu", b"x")
