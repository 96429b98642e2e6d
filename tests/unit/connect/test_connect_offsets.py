"""How offsets that a client sends are read: Connect's rules and words for sinks, PostgreSQL's for its source."""

from __future__ import annotations

from typing import Any

import pytest

from sync.connect.offsets import sink_places
from sync.connect.problem import BadRequest
from sync.errors import ConfigError
from sync.source.postgresql.offset import require_offset

PLACE = {"kafka_topic": "t", "kafka_partition": 0}


def test_numbers_may_be_texts_and_the_last_of_a_partition_wins() -> None:
    pairs: list[Any] = [
        ({"kafka_topic": "t", "kafka_partition": "1", "more": 1}, {"kafka_offset": "7"}),
        (PLACE, {"kafka_offset": 1}),
        (PLACE, None),
    ]
    assert sink_places(pairs) == {("t", 1): 7, ("t", 0): None}


@pytest.mark.parametrize(
    ("partition", "offset", "message"),
    [
        (None, None, "The partition for a sink connector offset cannot be null or missing"),
        ({"kafka_topic": "t"}, None, "must contain the keys 'kafka_topic' and 'kafka_partition'"),
        ({**PLACE, "kafka_topic": None}, None, "Kafka topic names must be valid strings and may not be null"),
        ({**PLACE, "kafka_partition": None}, None, "Kafka partitions must be valid numbers and may not be null"),
        ({**PLACE, "kafka_partition": 1.5}, None, "Kafka partition value in the provided offsets: '1.5'."),
        ({**PLACE, "kafka_partition": 1 << 31}, None, "Kafka partition value in the provided offsets: '2147483648'."),
        (PLACE, {}, "should either be null or contain the key 'kafka_offset'"),
        (PLACE, {"kafka_offset": None}, "Kafka offset value in the provided offsets: 'null'."),
        (PLACE, {"kafka_offset": "x"}, "Kafka offset value in the provided offsets: 'x'."),
    ],
)
def test_what_is_wrong_with_a_sinks_offset_is_told_in_connects_words(partition: Any, offset: Any, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        sink_places([(partition, offset)])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "offset", [None, {"lsn": 0}, {"lsn": 5, "lsn_proc": 5, "txId": 7, "ts_usec": 1}, {"lsn": 5, "snapshot": True}]
)
def test_a_postgresql_source_takes_its_own_and_debeziums_offsets(offset: Any) -> None:
    require_offset("p", {"server": "p"}, offset)


@pytest.mark.parametrize(
    ("partition", "offset", "message"),
    [
        ({}, None, "the partition of this connector is"),
        ({"server": "q"}, {"lsn": 1}, "the partition of this connector is"),
        ({"server": "p"}, {}, "the offset's lsn is not a whole number"),
        ({"server": "p"}, {"lsn": "5"}, "the offset's lsn is not a whole number"),
        ({"server": "p"}, {"lsn": True}, "the offset's lsn is not a whole number"),
        ({"server": "p"}, {"lsn": -1}, "the offset's lsn is not a whole number"),
        ({"server": "p"}, {"lsn": 1, "events": 1.5}, "the offset's events is not a whole number"),
        ({"server": "p"}, {"lsn": 1, "snapshot": "last"}, "the offset's snapshot is not true or false"),
    ],
)
def test_a_postgresql_source_refuses_an_offset_that_it_could_not_go_on_from(
    partition: Any, offset: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        require_offset("p", partition, offset)
