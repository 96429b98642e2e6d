"""What the driver's errors mean, and the shape of source offsets."""

from __future__ import annotations

import pytest

from sync.errors import ConfigError, Decision, Fenced, PositionLost, Refused, SyncError, Unavailable
from sync.kafka import KafkaError, KafkaException
from sync.kafka.client import consumer, producer, translate
from sync.kafka.offset import encode, partition_key


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (KafkaError._FENCED, Fenced),
        (KafkaError.INVALID_PRODUCER_EPOCH, Fenced),
        (KafkaError._AUTHENTICATION, Refused),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Refused),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, Refused),
        (KafkaError.MSG_SIZE_TOO_LARGE, Refused),
        (KafkaError._AUTO_OFFSET_RESET, PositionLost),
        (KafkaError.OFFSET_OUT_OF_RANGE, PositionLost),
        (KafkaError._INVALID_ARG, ConfigError),
        (KafkaError._TRANSPORT, Unavailable),
        (KafkaError._ALL_BROKERS_DOWN, Unavailable),
        (KafkaError._TIMED_OUT, Unavailable),
        (KafkaError.NOT_LEADER_FOR_PARTITION, Unavailable),
        (KafkaError.ILLEGAL_GENERATION, Unavailable),
        (KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, Unavailable),
    ],
)
def test_each_error_of_the_driver_has_its_meaning(code: int, meaning: type[SyncError]) -> None:
    assert type(translate(KafkaException(KafkaError(code)))) is meaning
    assert type(translate(KafkaError(code), "topic x")) is meaning


def test_only_what_may_pass_by_itself_is_tried_again() -> None:
    assert translate(KafkaError(KafkaError._TRANSPORT)).decision is Decision.RETRY
    assert translate(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)).decision is Decision.STOP


def test_a_refusal_names_the_thing_and_a_remedy() -> None:
    error = translate(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), "topic x")

    assert "topic x" in str(error)
    assert error.hint


def test_an_exception_without_the_driver_s_error_is_unavailable() -> None:
    assert type(translate(KafkaException("odd"))) is Unavailable


def test_a_setting_that_does_not_exist_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"no\.such"):
        producer("localhost:9", no_such="x")
    with pytest.raises(ConfigError):
        consumer("localhost:9", "g", isolation_level="sometimes")


def test_source_offsets_have_connect_s_form() -> None:
    assert encode("c", {"server": "p", "db": "d"}, {"lsn": 5}) == (b'["c",{"db":"d","server":"p"}]', b'{"lsn":5}')
    assert encode("c", {"server": "p"}, None) == (b'["c",{"server":"p"}]', None)
    assert partition_key({"b": 1, "a": "ế"}) == '{"a":"ế","b":1}'
