"""The index of what belongs together: what the relations step asks of it, on RocksDB and in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.kafka.client import Topic, ensure_topics
from sync.process.relation.index import Index
from sync.process.state import Get, Items, StateStore
from tests.relating import Memory

Make = Callable[[str], Index]
"""An index with the partitions 0 and 1 of a topic open."""


def upper(topic: str, items: Items, get: Get) -> Items:
    """A form: keys in capitals, those that change nothing left out."""
    del topic
    made = {key.upper(): value for key, value in items}
    return [(key, made[key]) for key, old in zip(made, get(list(made)), strict=True) if made[key] != old]


def memory(topic: str) -> Index:
    index = Memory(upper)
    for partition in (0, 1):
        index.open(topic, partition)
    return index


@pytest.fixture(params=["memory", pytest.param("rocksdb", marks=pytest.mark.integration)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    if request.param == "memory":
        yield memory
        return
    kafka: str = request.getfixturevalue("kafka")
    store = StateStore(kafka, tmp_path, upper)

    def opened(topic: str) -> Index:
        ensure_topics(kafka, [Topic(topic, partitions=2, compacted=True)])
        for partition in (0, 1):
            store.open(topic, partition)
        return store

    yield opened
    store.close()


@pytest.fixture
def topic() -> str:
    return f"index-{uuid.uuid4().hex[:8]}"


def test_it_tells_what_was_stored_and_holds_the_newest_by_partition(make: Make, topic: str) -> None:
    index = make(topic)
    assert index.write(topic, 0, [(b"a", b"1"), (b"b", b"1"), (b"a", b"2")]) == [(b"A", b"2"), (b"B", b"1")]
    assert index.write(topic, 0, [(b"a", b"2"), (b"b", None), (b"c", None)]) == [(b"B", None)]
    assert index.get(topic, 0, [b"A", b"B", b"a"]) == [b"2", None, None]
    assert index.get(topic, 1, [b"A"]) == [None]
    assert sorted(index.parts(topic)) == [0, 1]
    assert index.parts("another") == []


def test_keys_are_walked_in_order_from_behind_a_key_as_far_as_asked(make: Make, topic: str) -> None:
    index = make(topic)
    keys = [b"B\x00", b"B\x00\x01", b"B1", b"B2", b"B\xff"]
    index.write(topic, 1, [(key, b"") for key in (*reversed(keys), b"A9", b"C")])
    index.write(topic, 1, [(b"B2", None)])
    left = [b"B\x00", b"B\x00\x01", b"B1", b"B\xff"]
    assert index.walk(topic, 1, b"B", b"", 10) == left
    assert index.walk(topic, 1, b"B", left[0], 2) == left[1:3]
    assert index.walk(topic, 1, b"B", left[-1], 10) == []
    assert index.walk(topic, 1, b"", b"", 1) == [b"A9"]
    assert index.walk(topic, 0, b"B", b"", 10) == []
