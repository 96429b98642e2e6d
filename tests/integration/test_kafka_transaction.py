"""Kafka transactions on a real broker: visibility, fencing, expiry, large ones, source offsets with them."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from sync.errors import Fenced, Refused, Unavailable
from sync.kafka import Message, TopicPartition
from sync.kafka.client import Topic, committed_offsets, consumer, end_offsets, ensure_topics, read_all
from sync.kafka.offset import OffsetStore
from sync.kafka.transaction import Transactions

pytestmark = pytest.mark.integration


def fresh(name: str) -> str:
    return f"h3.{name}.{uuid.uuid4().hex[:8]}"


@pytest.fixture
def topic(kafka: str) -> str:
    name = fresh("topic")
    ensure_topics(kafka, [Topic(name, partitions=3)])
    return name


@pytest.fixture
def transactions(kafka: str) -> Iterator[Transactions]:
    made = Transactions(kafka, fresh("id"))
    made.open()
    yield made
    made.close()


def pairs(messages: Iterator[Message]) -> list[tuple[bytes | None, bytes | None]]:
    return sorted((message.key(), message.value()) for message in messages)


def test_a_committed_transaction_is_seen_whole_with_its_input_offsets(
    kafka: str, topic: str, transactions: Transactions
) -> None:
    group, source = fresh("group"), fresh("source")
    ensure_topics(kafka, [Topic(source)])
    member = consumer(kafka, group)
    items = [(f"k{number}".encode(), b"v") for number in range(100)]

    transactions.commit({topic: items}, offsets=[TopicPartition(source, 0, 42)], group=member.consumer_group_metadata())

    assert pairs(read_all(kafka, topic)) == sorted(items)
    assert committed_offsets(kafka, group) == {(source, 0): 42}
    member.close()


def test_an_aborted_transaction_is_never_seen_and_the_producer_goes_on(
    kafka: str, topic: str, transactions: Transactions
) -> None:
    transactions.begin()
    transactions.produce(topic, [(b"a", b"1"), (b"b", None, 2)])
    transactions.abort()
    assert pairs(read_all(kafka, topic)) == []

    transactions.commit({topic: [(b"c", b"2")]})

    assert pairs(read_all(kafka, topic)) == [(b"c", b"2")]


def test_an_item_may_name_its_partition(kafka: str, topic: str, transactions: Transactions) -> None:
    transactions.commit({topic: [(b"same key", b"0", 0), (b"same key", b"1", 1), (b"same key", b"2", 2)]})

    assert {(message.partition(), message.value()) for message in read_all(kafka, topic)} == {
        (0, b"0"),
        (1, b"1"),
        (2, b"2"),
    }


def test_keys_go_to_the_partitions_that_java_s_clients_choose(
    kafka: str, topic: str, transactions: Transactions
) -> None:
    keys = [b"", b"a", b"ab", b"abc", b"abcd", b"\xff\xfe\xfd\xfc\xfb", "Nguyễn Văn An".encode()]

    transactions.commit({topic: [(key, b"v") for key in keys]})

    assert {message.key(): message.partition() for message in read_all(kafka, topic)} == {
        key: (murmur2(key) & 0x7FFFFFFF) % 3 for key in keys
    }


def murmur2(data: bytes) -> int:
    """The hash of Kafka's BuiltInPartitioner (org.apache.kafka.common.utils.Utils.murmur2), as 32 bits."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    for at in range(0, len(data) - len(data) % 4, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    tail = data[len(data) - len(data) % 4 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_a_transaction_larger_than_the_producer_s_queue_is_written_whole(kafka: str, topic: str) -> None:
    transactions = Transactions(kafka, fresh("id"), queue_buffering_max_messages=1000)
    transactions.open()
    transactions.begin()
    for part in range(5):
        transactions.produce(topic, [(f"{part}-{number}".encode(), b"v" * 100) for number in range(5000)])
    transactions.finish()

    assert len({message.key() for message in read_all(kafka, topic)}) == 25_000
    transactions.close()


def test_a_second_holder_of_the_id_fences_the_first_and_ends_its_transaction(kafka: str, topic: str) -> None:
    name = fresh("id")
    first, second = Transactions(kafka, name), Transactions(kafka, name)
    first.open()
    first.begin()
    first.produce(topic, [(b"first", b"1")])

    second.open()
    second.commit({topic: [(b"second", b"2")]})

    with pytest.raises(Fenced):
        first.finish()
    assert not first.usable
    with pytest.raises(Unavailable):
        first.begin()
    assert pairs(read_all(kafka, topic)) == [(b"second", b"2")]
    first.close()
    second.close()


def test_a_transaction_open_for_too_long_is_no_rival_and_the_id_can_be_opened_again(kafka: str, topic: str) -> None:
    transactions = Transactions(kafka, fresh("id"), timeout_ms=1000)
    transactions.open()
    transactions.begin()
    transactions.produce(topic, [(b"late", b"1")])
    transactions._producer.flush()  # type: ignore[union-attr]  # so that the broker knows of the transaction
    # The broker looks for expired transactions every ten seconds; its abort marker moves the stable offset on.
    assert len(list(read_all(kafka, topic, timeout=30))) == 0

    with pytest.raises(Unavailable):
        transactions.finish()

    if not transactions.usable:
        transactions.open()
    transactions.commit({topic: [(b"again", b"2")]})
    assert pairs(read_all(kafka, topic)) == [(b"again", b"2")]
    transactions.close()


def test_aborting_a_transaction_that_expired_does_not_look_like_a_rival_either(kafka: str, topic: str) -> None:
    transactions = Transactions(kafka, fresh("id"), timeout_ms=1000)
    transactions.open()
    transactions.begin()
    transactions.produce(topic, [(b"late", b"1")])
    transactions._producer.flush()  # type: ignore[union-attr]  # so that the broker knows of the transaction
    assert len(list(read_all(kafka, topic, timeout=30))) == 0

    try:
        transactions.abort()
    except Unavailable:
        transactions.open()

    transactions.commit({topic: [(b"again", b"2")]})
    assert pairs(read_all(kafka, topic)) == [(b"again", b"2")]
    transactions.close()


def test_a_missing_topic_is_refused_and_named(kafka: str) -> None:
    missing = fresh("missing")
    transactions = Transactions(kafka, fresh("id"), message_timeout_ms=3000, topic_metadata_propagation_max_ms=500)
    transactions.open()

    with pytest.raises(Refused, match=missing):
        transactions.commit({missing: [(b"k", b"v")]})
    transactions.close()


def test_a_record_that_is_too_large_is_refused_and_the_producer_goes_on(
    kafka: str, topic: str, transactions: Transactions
) -> None:
    with pytest.raises(Refused, match=r"max\.message\.bytes"):
        transactions.commit({topic: [(b"k", b"fits"), (b"k", b"x" * 2_000_000)]})

    transactions.commit({topic: [(b"k", b"small")]})
    assert pairs(read_all(kafka, topic)) == [(b"k", b"small")]


def test_offsets_of_a_generation_that_is_over_are_not_committed(
    kafka: str, topic: str, transactions: Transactions
) -> None:
    group = fresh("group")
    old = consumer(kafka, group)
    old.subscribe([topic])
    deadline = time.monotonic() + 30
    while not old.assignment() and time.monotonic() < deadline:
        old.poll(0.1)
    stale = old.consumer_group_metadata()
    old.close()
    new = consumer(kafka, group)
    new.subscribe([topic])
    while not new.assignment() and time.monotonic() < deadline:
        new.poll(0.1)

    with pytest.raises(Unavailable):
        transactions.commit({topic: [(b"k", b"v")]}, offsets=[TopicPartition(topic, 0, 1)], group=stale)

    assert pairs(read_all(kafka, topic)) == []
    assert committed_offsets(kafka, group) == {}
    transactions.commit(
        {topic: [(b"k", b"v")]}, offsets=[TopicPartition(topic, 0, 1)], group=new.consumer_group_metadata()
    )
    assert committed_offsets(kafka, group) == {(topic, 0): 1}
    new.close()


def test_nothing_listening_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        Transactions("127.0.0.1:1", fresh("id")).open(timeout=1.0)


def test_reading_waits_for_a_transaction_open_at_the_call_and_sees_what_was_committed_behind_it(kafka: str) -> None:
    topic = fresh("wait")
    ensure_topics(kafka, [Topic(topic)])
    slow, quick = Transactions(kafka, fresh("id")), Transactions(kafka, fresh("id"))
    slow.open()
    quick.open()
    slow.begin()
    slow.produce(topic, [(b"slow", b"1")])
    slow._producer.flush()  # type: ignore[union-attr]  # the record must stand before the other's
    quick.commit({topic: [(b"quick", b"2")]})
    found: list[tuple[bytes | None, bytes | None]] = []
    reading = threading.Thread(target=lambda: found.extend(pairs(read_all(kafka, topic))))
    reading.start()

    slow.finish()
    reading.join(30)

    assert found == [(b"quick", b"2"), (b"slow", b"1")]
    slow.close()
    quick.close()


def test_a_topic_that_ends_in_aborted_records_is_read_to_its_end(
    kafka: str, topic: str, transactions: Transactions
) -> None:
    transactions.commit({topic: [(b"k", b"v", 0)]})
    transactions.begin()
    transactions.produce(topic, [(b"gone", b"v", 0), (b"gone", b"v", 1)])
    transactions._producer.flush()  # type: ignore[union-attr]  # an abort forgets what wasn't sent
    transactions.abort()

    started = time.monotonic()
    assert pairs(read_all(kafka, topic)) == [(b"k", b"v")]
    assert time.monotonic() - started < 10
    assert sum(end_offsets(kafka, [topic]).values()) == 6
    assert pairs(read_all(kafka, topic, read_committed=False)) == [(b"gone", b"v"), (b"gone", b"v"), (b"k", b"v")]


def test_source_offsets_come_back_as_last_committed_for_each_connector(kafka: str, transactions: Transactions) -> None:
    store = OffsetStore(kafka, fresh("offsets"))
    store.ensure()
    one, two = {"server": "tỉnh_01"}, {"server": "b", "database": "x"}
    assert store.load("first") == {}

    transactions.commit({store.topic: [store.encode("first", one, {"lsn": 1}), store.encode("other", one, {"lsn": 9})]})
    transactions.commit({store.topic: [store.encode("first", one, {"lsn": 2, "snapshot": False})]})
    transactions.commit({store.topic: [store.encode("first", two, {"lsn": 3}), store.encode("first", two, None)]})
    transactions.begin()
    transactions.produce(store.topic, [store.encode("first", one, {"lsn": 4})])
    transactions.abort()

    assert store.load("first") == {'{"server":"tỉnh_01"}': {"lsn": 2, "snapshot": False}}
    assert list(store.load("other").values()) == [{"lsn": 9}]
