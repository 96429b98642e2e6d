"""Topics that a source creates: Kafka Connect's groups of settings."""

from __future__ import annotations

from typing import Any

import pytest

from sync.errors import ConfigError
from sync.kafka.client import Topic
from sync.source.creation import KEYS, Creation


def read(**given: str) -> Creation:
    parsed = KEYS.parse({f"topic.creation.{name.replace('__', '.')}": value for name, value in given.items()})
    assert not parsed.errors
    assert not parsed.warnings
    return Creation.read(parsed.values)


def test_the_first_group_that_includes_a_topic_decides_and_the_default_fills_up() -> None:
    creation = read(
        groups="big, all",
        default__partitions="2",
        default__cleanup__policy="delete",
        big__include=r"tinh\.public\.(a|b)",
        big__exclude=r".*\.b",
        big__partitions="6",
        big__replication__factor="3",
        big__compression__type="zstd",
        all__include="tinh.*",
        all__partitions="4",
        all__cleanup__policy="compact",
    )
    settings = (("cleanup.policy", "delete"), ("compression.type", "zstd"))
    assert creation.topic("tinh.public.a") == Topic("tinh.public.a", 6, replication=3, settings=settings)
    assert creation.topic("tinh.public.b").settings == (("cleanup.policy", "compact"),)
    assert creation.topic("khac") == Topic("khac", 2, settings=(("cleanup.policy", "delete"),))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"big__partitions": "2"}, "topic.creation.big.partitions"),
        ({"groups": "big"}, "topic.creation.groups"),
    ],
)
def test_a_group_that_is_not_listed_or_has_no_topics_is_an_error(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(**given)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("topic.creation.default.partitions", "0"),
        ("topic.creation.default.replication.factor", "0"),
        ("topic.creation.big.include", "("),
        ("topic.creation.big.partitions", "x"),
    ],
)
def test_a_wrong_value_names_its_key(key: str, value: str) -> None:
    assert list(KEYS.parse({key: value}).errors) == [key]
