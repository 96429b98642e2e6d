"""Several workers of one group over fakes: who runs what, who leads, and what each of them tells."""

from __future__ import annotations

import pytest
from connect_cluster import Cluster
from connect_fakes import WAIT, FakePlugin, MemoryLog

from sync.connect.logger import Loggers
from sync.connect.problem import NotFound, Rebalancing
from sync.connect.registrations import CONNECTOR, PAUSED, STARTED, STOPPED, Owner, Registration
from sync.connect.status import State, Status
from sync.connect.worker import Worker
from tests.eventually import eventually

Config = dict[str, str | None]


def places(worker: Worker) -> dict[str, list[tuple[str, str]]]:
    """State and worker of each task, as ``worker`` tells it."""
    return {name: [(t["state"], t["worker_id"]) for t in worker.status(name)["tasks"]] for name in worker.names()}


def runners(source: FakePlugin) -> list[tuple[str, int, str]]:
    """Connector, task and worker of what runs now."""
    return sorted((t.context.connector, t.context.task, t.context.worker_id) for t in list(source.running))


def create(worker: Worker, config: Config, count: int) -> list[str]:
    names = [f"c{number}" for number in range(count)]
    for name in names:
        worker.create(name, {**config, "topic.prefix": name})
    return names


def shared(source: FakePlugin, names: list[str], *workers: str) -> bool:
    """Whether each of the tasks runs once, spread evenly over the workers."""
    found = runners(source)
    counts = [sum(place == worker for _, _, place in found) for worker in workers]
    return [name for name, _, _ in found] == names and sum(counts) == len(names) and max(counts) - min(counts) <= 1


def test_workers_share_tasks_evenly_and_tell_the_same(cluster: Cluster, source: FakePlugin, config: Config) -> None:
    first, second = cluster.worker("one"), cluster.worker("two")
    assert (first.leading, second.leading) == (True, False)
    names = create(first, config, 6)
    assert eventually(lambda: shared(source, names, "one", "two")), runners(source)
    assert eventually(lambda: all(state == "RUNNING" for told in places(second).values() for state, _ in told))
    # Each worker hears of the other's tasks a moment after they run.
    assert eventually(lambda: places(first) == places(second)), (places(first), places(second))
    assert second.names() == names
    assert second.config("c0") == first.config("c0")
    assert second.leader_url == "http://one"
    assert first.leader_url == ""


def test_a_worker_that_joins_takes_its_share_and_the_other_tasks_go_on(
    cluster: Cluster, source: FakePlugin, config: Config
) -> None:
    names = create(cluster.worker("one"), config, 4)
    assert eventually(lambda: shared(source, names, "one"))
    before = {id(task) for task in source.running}
    cluster.worker("two")
    assert eventually(lambda: shared(source, names, "one", "two")), runners(source)
    assert len({id(task) for task in source.running} & before) == 2


def test_a_worker_that_stops_hands_its_tasks_over(cluster: Cluster, source: FakePlugin, config: Config) -> None:
    first, second = cluster.worker("one"), cluster.worker("two")
    names = create(first, config, 4)
    assert eventually(lambda: shared(source, names, "one", "two"))
    assert first.stop()
    assert eventually(lambda: shared(source, names, "two")), runners(source)
    assert eventually(lambda: second.leading)
    second.delete("c0")
    assert second.names() == names[1:]


def test_a_worker_that_was_given_up_stops_its_tasks_and_says_nothing_of_them(
    cluster: Cluster, source: FakePlugin, config: Config
) -> None:
    first, second = cluster.worker("one"), cluster.worker("two")
    names = create(first, config, 4)
    assert eventually(lambda: shared(source, names, "one", "two"))
    said = len(cluster.status_log("one").published)
    cluster.memberships["one"].expire()
    assert eventually(lambda: shared(source, names, "two")), runners(source)
    assert [s.state for s in cluster.status_log("one").published[said:] if s.task is not None] == []
    assert first.health()[0] == 503
    assert eventually(lambda: second.leading)


def test_what_a_zombie_said_last_is_put_right(cluster: Cluster, source: FakePlugin, config: Config) -> None:
    first, second = cluster.worker("one"), cluster.worker("two")
    names = create(first, config, 1)
    assert eventually(lambda: shared(source, names, "one", "two"))
    owner = runners(source)[0][2]
    zombie = "two" if owner == "one" else "one"
    cluster.status_log(zombie).publish(Status("c0", 0, State.FAILED, "fenced"))
    assert eventually(lambda: places(second) == places(first) == {"c0": [("RUNNING", owner)]})


def test_only_the_leader_writes(cluster: Cluster, config: Config, log: MemoryLog) -> None:
    first, second = cluster.worker("one"), cluster.worker("two")
    with pytest.raises(Rebalancing):
        second.create("a", config)
    first.create("a", config)
    # A leader that was deposed, and does not know it yet, is refused by the log itself.
    log.leader = "another"
    with pytest.raises(Rebalancing):
        first.delete("a")
    # It still has the leader's slot, so it leads anew.
    assert eventually(lambda: first.leading)
    first.delete("a")
    assert eventually(lambda: second.names() == [])


def test_restarts_and_target_states_reach_tasks_on_other_workers(
    cluster: Cluster, source: FakePlugin, config: Config
) -> None:
    first, second = cluster.worker("one"), cluster.worker("two")
    names = create(first, config, 4)
    assert eventually(lambda: shared(source, names, "one", "two"))
    away = next(name for name, _, place in runners(source) if place == "two")
    before = next(task for task in source.running if task.context.connector == away)
    first.restart_task(away, 0)
    assert eventually(lambda: len(source.running) == 4 and all(task is not before for task in source.running))
    first.steer(away, PAUSED)
    assert eventually(lambda: places(first)[away] == [("PAUSED", "two")])
    first.steer(away, STOPPED)
    assert eventually(lambda: second.status(away)["connector"]["state"] == "STOPPED")
    assert second.status(away)["tasks"] == []
    first.steer(away, STARTED)
    assert eventually(lambda: len(source.running) == 4)


def test_all_workers_restarted_at_once_come_back_to_the_same(
    cluster: Cluster, source: FakePlugin, config: Config
) -> None:
    first, second = cluster.worker("one"), cluster.worker("two")
    names = create(first, config, 4)
    first.steer("c3", PAUSED)
    first.stop()
    second.stop()
    assert source.running == []
    third, _ = cluster.worker("three"), cluster.worker("four")
    assert eventually(lambda: {name for name, _, _ in runners(source)} == {"c0", "c1", "c2"})
    assert third.names() == names
    assert eventually(lambda: third.status("c3")["connector"]["state"] == "PAUSED")


def test_a_connector_that_was_registered_without_slots_gets_its_tasks(
    cluster: Cluster, source: FakePlugin, config: Config, log: MemoryLog
) -> None:
    given = {key: str(value) for key, value in {**config, "name": "old"}.items()}
    log.records += [(CONNECTOR + "old", {"properties": given}), ("task-old-0", {"properties": {}})]
    log.records.append(("commit-old", {"tasks": 1}))
    worker = cluster.worker("one")
    assert eventually(lambda: [name for name, _, _ in runners(source)] == ["old"])
    assert worker.wait(lambda: worker.status("old")["tasks"][0]["state"] == "RUNNING", WAIT)


class Recorder(Loggers):
    """Notes what it is told; the workers of these tests share the process's loggers."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[str, str]] = []

    def set(self, name: str, level: str) -> list[str]:
        self.given.append((name, level))
        return []


def test_a_level_for_the_cluster_reaches_every_worker(cluster: Cluster) -> None:
    workers = [cluster.worker("one"), cluster.worker("two")]
    told = [Recorder(), Recorder(), Recorder()]
    for worker, recorder in zip(workers, told, strict=False):
        worker.loggers = recorder
    with pytest.raises(NotFound):
        workers[0].set_level("root", "LOUD")
    workers[0].set_level("root", "DEBUG")
    assert eventually(lambda: all(recorder.given == [("root", "DEBUG")] for recorder in told[:2]))
    # As in Connect, a worker that comes later starts with its own levels.
    cluster.worker("three").loggers = told[2]
    workers[0].set_level("root", "INFO")
    assert eventually(lambda: told[2].given == [("root", "INFO")])


def test_an_owners_record_is_read_as_it_was_written() -> None:
    owner = Owner("one", "i", "http://one", 3, 4)
    assert Owner.read(owner.record()) == owner
    assert Owner.read({"worker_id": "old"}) == Owner("old", "")
    assert Registration("a").parts == ()


def test_offsets_wait_for_the_tasks_of_every_worker_to_end(
    cluster: Cluster, source: FakePlugin, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = cluster.worker("one"), cluster.worker("two")
    source.deaf = True
    names = create(first, config, 4)
    assert eventually(lambda: shared(source, names, "one", "two"))
    elsewhere = next(name for name, _, worker in runners(source) if worker == "two")
    monkeypatch.setattr("sync.connect.worker._ENDING_SECONDS", 0.2)
    first.steer(elsewhere, STOPPED)
    with pytest.raises(Rebalancing, match=f"The tasks of connector {elsewhere} have not ended yet"):
        first.stopped(elsewhere)
    assert first.status(elsewhere)["connector"]["state"] == "RUNNING"
    source.released.set()
    monkeypatch.setattr("sync.connect.worker._ENDING_SECONDS", WAIT)
    first.stopped(elsewhere)
    assert eventually(lambda: first.status(elsewhere)["connector"]["state"] == "STOPPED")


def test_what_a_dead_worker_said_of_a_task_that_is_no_more_holds_nothing_up(
    cluster: Cluster, source: FakePlugin, config: Config
) -> None:
    first, second = cluster.worker("one"), cluster.worker("two")
    names = create(first, config, 2)
    assert eventually(lambda: shared(source, names, "one", "two"))
    first.steer("c0", STOPPED)
    first.stopped("c0")
    cluster.memberships["two"].expire()
    cluster.status_log("two").publish(Status("c0", 0, State.RUNNING))
    assert second.stop()
    first.stopped("c0")
    assert eventually(lambda: first.status("c0")["connector"]["state"] == "STOPPED")
