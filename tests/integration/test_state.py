"""The local store on a real broker: a topic of its own, and one that the processor only reads."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from sync.kafka.client import Topic, ensure_topics, producer
from sync.process.state import StateStore

pytestmark = pytest.mark.integration

KEYS = [b"a", b"b", b"c"]


@pytest.fixture
def topic(kafka: str) -> str:
    """A compacted topic with a = 1, b = 1, a = 2, c = 1, b deleted."""
    name = f"state-{uuid.uuid4().hex[:8]}"
    ensure_topics(kafka, [Topic(name, compacted=True)])
    client = producer(kafka)
    for key, value in ((b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"c", b"1"), (b"b", None)):
        client.produce(name, value, key)
    assert client.flush(30) == 0
    return name


def test_its_own_topic_is_restored_to_its_end(kafka: str, topic: str, tmp_path: Path) -> None:
    store = StateStore(kafka, tmp_path)
    store.open(topic, 0)
    assert store.get(topic, 0, KEYS) == [b"2", None, b"1"]
    store.close()


def test_a_topic_that_is_read_is_restored_to_where_the_group_stands(kafka: str, topic: str, tmp_path: Path) -> None:
    store = StateStore(kafka, tmp_path)
    store.open(topic, 0, until=2)
    assert store.get(topic, 0, KEYS) == [b"1", b"1", None]
    # The batch with offset 2 is committed; the checkpoint is at what was read, and a restart replays nothing else.
    store.put({(topic, 0): [(b"a", b"2")]}, {(topic, 0): 3})
    assert store.get(topic, 0, KEYS) == [b"2", b"1", None]
    store.close()
    store.open(topic, 0, until=3)
    assert store.get(topic, 0, KEYS) == [b"2", b"1", None]
    store.close()


def test_a_group_that_was_set_back_finds_the_state_of_then(kafka: str, topic: str, tmp_path: Path) -> None:
    store = StateStore(kafka, tmp_path)
    store.open(topic, 0, until=5)
    store.close()
    store.open(topic, 0, until=1)
    assert store.get(topic, 0, KEYS) == [b"1", None, None]
    store.close()
