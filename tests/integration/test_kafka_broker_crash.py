"""Transactions and positions while the broker is killed and comes back (invariants 1, 2 and 8)."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from sync.embedded.stack import Stack
from sync.errors import Unavailable
from sync.kafka.client import Topic, ensure_topics, read_all
from sync.kafka.offset import OffsetStore
from sync.kafka.transaction import Transactions

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that may be broken."""
    own = Stack(tmp_path_factory.mktemp("crash"), lifetime="parent")
    own.up()
    yield own
    own.reset()


class Counter:
    """Writes the numbers in order, some a transaction, and goes on from its committed position after each failure."""

    def __init__(self, bootstrap: str, topic: str, store: OffsetStore) -> None:
        self.progress = threading.Condition()
        self.written = 0
        self.restarts = 0
        self._bootstrap, self._topic, self._store = bootstrap, topic, store
        self._name = f"counter-{uuid.uuid4().hex}"

    def reached(self, goal: int, timeout: float) -> bool:
        with self.progress:
            return self.progress.wait_for(lambda: self.written >= goal, timeout)

    def run(self, total: int) -> None:
        while True:
            try:
                self._run(total)
                return
            except Unavailable:
                self.restarts += 1

    def _run(self, total: int) -> None:
        transactions = Transactions(self._bootstrap, self._name)
        try:
            transactions.open()
            position = self._store.load(self._name)
            at = next(iter(position.values()))["next"] if position else 0
            while at < total:
                end = min(at + 50, total)
                items = [(str(number).encode(), b"v") for number in range(at, end)]
                transactions.commit(
                    {self._topic: items, self._store.topic: [self._store.encode(self._name, {"a": 1}, {"next": end})]}
                )
                at = end
                with self.progress:
                    self.written = at
                    self.progress.notify_all()
        finally:
            transactions.close()


def test_each_record_is_there_once_after_the_broker_was_killed_three_times(own_stack: Stack) -> None:
    bootstrap, total = own_stack.endpoints().bootstrap, 20_000
    topic = f"crash.{uuid.uuid4().hex[:8]}"
    store = OffsetStore(bootstrap, f"{topic}.offsets")
    ensure_topics(bootstrap, [Topic(topic, partitions=3)])
    store.ensure()
    counter = Counter(bootstrap, topic, store)
    thread = threading.Thread(target=counter.run, args=(total,), daemon=True)
    thread.start()

    for goal in (1000, 4000, 8000):
        assert counter.reached(goal, timeout=90)
        own_stack.kill("kafka")
        own_stack.restart("kafka")
    thread.join(120)

    assert not thread.is_alive()
    numbers = sorted(int(message.key() or b"") for message in read_all(bootstrap, topic))
    assert numbers == list(range(total))


def test_a_transaction_begun_before_the_broker_died_ends_one_way_or_the_other(own_stack: Stack) -> None:
    bootstrap, name = own_stack.endpoints().bootstrap, uuid.uuid4().hex
    ensure_topics(bootstrap, [Topic(name)])
    transactions = Transactions(bootstrap, name)
    transactions.open()
    transactions.begin()
    transactions.produce(name, [(b"k", b"1")])
    own_stack.kill("kafka")
    own_stack.restart("kafka")

    started = time.monotonic()
    committed = True
    try:
        transactions.finish()
    except Unavailable:
        committed = False
    finally:
        transactions.close()

    again = Transactions(bootstrap, name)
    again.open()
    assert len(list(read_all(bootstrap, name))) == committed
    assert time.monotonic() - started < 40
    again.close()
