"""Registrations and states in real Kafka: durable, fenced, followed by readers."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sync.connect.registrations import PAUSED, STOPPED, KafkaRegistry, Registration, registrations, removal
from sync.connect.status import KafkaStatusLog, State, Status
from sync.errors import Fenced
from sync.kafka.client import producer, read_all
from sync.kafka.registrations import Registrations

pytestmark = pytest.mark.integration


WAIT = 10.0


def eventually(condition: Callable[[], bool]) -> bool:
    """Ask again and again, for ``WAIT`` seconds at most, whether ``condition`` holds."""
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            return False
    return True


@dataclass(frozen=True)
class Place:
    """A group and a configs topic of one test's own."""

    bootstrap: str
    group: str
    topic: str

    def registry(self) -> KafkaRegistry:
        return KafkaRegistry(self.bootstrap, self.group, self.topic)


@pytest.fixture
def place(kafka: str) -> Place:
    name = uuid.uuid4().hex
    return Place(kafka, name, f"configs-{name}")


def source(name: str, prefix: str) -> tuple[Registration, dict[str, str]]:
    config = {"name": name, "connector.class": "x", "topic.prefix": prefix, "database.password": "hunter2"}
    return Registration(name, config), {"name": name, "topic.prefix": prefix}


def test_what_is_written_is_there_for_the_next_worker(place: Place) -> None:
    first = place.registry()
    assert first.open("one") == {}
    registration, declaration = source("Hà Nội", "tinh_01")
    first.write(registration.changes(declaration))
    first.write(Registration("b", {"name": "b"}, PAUSED).changes())
    first.write(Registration("c", {"name": "c"}, STOPPED).changes())
    first.write(Registration("d", {"name": "d"}).changes())
    first.write(removal("d"))
    first.close()
    second = place.registry()
    assert second.open("two") == {
        "Hà Nội": registration,
        "b": Registration("b", {"name": "b"}, PAUSED),
        "c": Registration("c", {"name": "c"}, STOPPED),
    }
    second.close()
    assert registrations(place.bootstrap, place.topic)["Hà Nội"] == registration.config


def test_a_second_worker_fences_the_first_and_names_itself(place: Place) -> None:
    first, second = place.registry(), place.registry()
    first.open("one")
    assert first.successor() is None
    second.open("two")
    with pytest.raises(Fenced):
        first.write(Registration("a", {"name": "a"}).changes())
    assert eventually(lambda: first.successor() == "two")
    assert second.successor() is None
    second.write(Registration("a", {"name": "a"}).changes())
    # A fenced writer stays fenced: it must not fence its successor back by opening again.
    with pytest.raises(Fenced, match="two"):
        first.write(Registration("b", {"name": "b"}).changes())
    assert list(registrations(place.bootstrap, place.topic)) == ["a"]
    first.close()
    second.close()


def test_a_reader_follows_the_sources_and_never_sees_a_secret(place: Place) -> None:
    reader = Registrations(place.bootstrap, place.topic)
    assert reader.poll() is False
    assert reader.sources() == []
    registry = place.registry()
    registry.open("one")
    registration, declaration = source("a", "tinh_01")
    registry.write(registration.changes(declaration))
    assert eventually(lambda: reader.poll(WAIT))
    assert reader.sources() == [declaration]
    assert reader.poll() is False
    registry.write(removal("a"))
    registration, other = source("b", "tinh_79")
    registry.write(registration.changes(other))
    assert eventually(lambda: reader.poll(WAIT))
    assert reader.sources() == [declaration, other]
    assert "hunter2" not in repr(vars(reader))
    reader.close()
    registry.close()


def test_garbage_in_the_configs_topic_harms_nobody(place: Place) -> None:
    registry = place.registry()
    registry.open("one")
    client = producer(place.bootstrap)
    for key, value in ((None, b"{}"), (b"\xff", b"{}"), (b"connector-x", b"\x00\x01"), (b"connector-y", b"[]")):
        client.produce(place.topic, key=key, value=value)
    client.flush(10)
    assert registrations(place.bootstrap, place.topic) == {}
    registry.close()


def test_states_are_written_as_connect_writes_them_and_a_former_workers_are_cleared(kafka: str) -> None:
    topic = f"status-{uuid.uuid4().hex}"
    first = KafkaStatusLog(kafka, "one", "1", topic)
    first.publish(Status("a", None, State.RUNNING))
    first.publish(Status("a", 0, State.FAILED, "trace"))
    first.close()
    records = {m.key(): json.loads(m.value() or b"null") for m in read_all(kafka, topic)}
    assert records == {
        b"status-connector-a": {
            "state": "RUNNING",
            "trace": None,
            "worker_id": "one",
            "generation": 1,
            "version": "1",
        },
        b"status-task-a-0": {"state": "FAILED", "trace": "trace", "worker_id": "one", "generation": 1, "version": "1"},
    }
    second = KafkaStatusLog(kafka, "two", "1", topic)
    second.close()
    assert {m.key(): m.value() for m in read_all(kafka, topic)} == dict.fromkeys(records)
