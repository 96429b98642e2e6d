"""Registrations and states in real Kafka: durable, fenced, followed by readers."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

import pytest

from sync.connect.registrations import (
    PAUSED,
    STOPPED,
    Book,
    Deployment,
    Owner,
    Part,
    Registration,
    deployment_changes,
    registrations,
    removal,
)
from sync.connect.registry import KafkaRegistry
from sync.connect.status import KafkaStatusLog, State, Status, Told
from sync.errors import Fenced
from sync.kafka.client import producer, read_all
from sync.kafka.registrations import Registrations
from tests.eventually import eventually

pytestmark = pytest.mark.integration


WAIT = 10.0
SNAPSHOT = {"tables": 3, "tables_remaining": 1, "rows": 7}


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


def leading(place: Place, name: str) -> tuple[KafkaRegistry, Owner]:
    """A registry that has read what there is and leads, and its owner's record."""
    registry, owner = place.registry(), Owner(name, name, f"http://{name}", term=1)
    registry.open()
    registry.lead(owner)
    return registry, owner


def test_what_is_written_is_there_for_the_next_worker(place: Place) -> None:
    first, owner = leading(place, "one")
    registration, declaration = source("Hà Nội-1", "tinh_01")
    parts = [Part({"part": "0"}, 7), Part({"part": "1"}, 40, after="two")]
    first.write({**registration.changes(declaration), **deployment_changes("Hà Nội-1", parts, 7)}, owner)
    for name, target in (("b", PAUSED), ("c", STOPPED), ("d", PAUSED)):
        first.write(Registration(name, {"name": name}, target).changes(), owner)
    first.write(removal(Registration("d")), owner)
    last = Owner("one", "one", "http://one", 1, 5)
    first.write({}, last)
    written = Book().after(first.catch_up())
    first.close()
    second = place.registry()
    book = Book().after(second.open())
    assert book == written
    assert book.owner == last
    assert book.known == {
        "Hà Nội-1": Registration(
            "Hà Nội-1", registration.config, deployment=Deployment(registration.config, tuple(parts), 7)
        ),
        "b": Registration("b", {"name": "b"}, PAUSED),
        "c": Registration("c", {"name": "c"}, STOPPED),
    }
    second.close()
    assert registrations(place.bootstrap, place.topic)["Hà Nội-1"] == registration.config


def test_a_second_leader_fences_the_first_and_is_known_to_it(place: Place) -> None:
    first, mine = leading(place, "one")
    second, its = leading(place, "two")
    with pytest.raises(Fenced):
        first.write(Registration("a", {"name": "a"}).changes(), mine)
    assert Book().after(first.catch_up()).owner == its
    second.write(Registration("b", {"name": "b"}).changes(), its)
    assert list(registrations(place.bootstrap, place.topic)) == ["b"]
    first.close()
    second.close()


def test_a_reader_follows_the_sources_and_never_sees_a_secret(place: Place) -> None:
    reader = Registrations(place.bootstrap, place.topic)
    assert reader.poll() is False
    assert reader.sources() == []
    registry, owner = leading(place, "one")
    registration, declaration = source("a", "tinh_01")
    registry.write(registration.changes(declaration), owner)
    assert eventually(lambda: reader.poll(WAIT))
    assert reader.sources() == [declaration]
    assert eventually(lambda: reader.poll() is False)
    registry.write(removal(registration), owner)
    registration, other = source("b", "tinh_79")
    registry.write(registration.changes(other), owner)
    assert eventually(lambda: reader.poll(WAIT))
    assert reader.sources() == [declaration, other]
    assert "hunter2" not in repr(vars(reader))
    reader.close()
    registry.close()


def test_garbage_in_the_configs_topic_harms_nobody(place: Place) -> None:
    registry = place.registry()
    assert registry.open() == []
    client = producer(place.bootstrap)
    for key, value in ((None, b"{}"), (b"\xff", b"{}"), (b"connector-x", b"\x00\x01"), (b"connector-y", b"[]")):
        client.produce(place.topic, key=key, value=value)
    client.flush(10)
    assert registrations(place.bootstrap, place.topic) == {}
    assert Book().after(registry.catch_up()).known == {}
    registry.close()


def test_states_are_written_as_connect_writes_them_and_read_by_every_worker(kafka: str) -> None:
    topic = f"status-{uuid.uuid4().hex}"
    first, second = KafkaStatusLog(kafka, "one", "1", topic), KafkaStatusLog(kafka, "two", "1", topic)
    first.publish(Status("before", None, State.RUNNING))
    first.open()
    first.generation = 3
    first.publish(Status("a", None, State.RUNNING))
    first.publish(Status("a", 0, State.FAILED, "trace"))
    first.publish(Status("b", 0, State.RUNNING))
    first.flush()
    records = {m.key(): json.loads(m.value() or b"null") for m in read_all(kafka, topic)}
    common = {"worker_id": "one", "generation": 3, "version": "1"}
    assert records == {
        b"status-connector-a": {"state": "RUNNING", "trace": None, **common},
        b"status-task-a-0": {"state": "FAILED", "trace": "trace", **common},
        b"status-task-b-0": {"state": "RUNNING", "trace": None, **common},
    }
    second.open()
    assert second.told("status-task-a-0") == Told(State.FAILED, "one", "trace")
    assert {name: [*tasks] for name, tasks in second.tasks().items()} == {"a": [0], "b": [0]}
    first.forget(Status("b", 0, State.RUNNING))
    second.publish(Status("a", 0, State.RUNNING, snapshot=SNAPSHOT))
    first.close()
    second.flush()

    def told(key: str) -> Told | None:
        second.poll()
        return second.told(key)

    assert eventually(lambda: told("status-task-b-0") is None)
    assert eventually(lambda: told("status-task-a-0") == Told(State.RUNNING, "two", "", SNAPSHOT))
    assert second.tasks() == {"a": {0: Told(State.RUNNING, "two", "", SNAPSHOT)}}
    second.close()
