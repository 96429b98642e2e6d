"""Workers of one group: processes share connectors through kills, joins, freezes, cuts, stops and a common restart.

At every moment each task runs at most once, within ten seconds of a disturbance exactly once, and the numbers that the
tasks write (``light_worker``) are in their topic without gap or repetition.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from sync.connect.client import Client
from tests.cable import Cable
from tests.eventually import eventually
from tests.integration.worker_group import EVEN, HEAL, Group, Process, alone, counted, made


def test_workers_share_tasks_through_kill_join_freeze_and_stop(kafka: str, tmp_path: Path) -> None:
    with made(kafka, tmp_path) as group:
        _disturb(group)


def _disturb(group: Group) -> None:
    crashed: dict[str, float] = {}
    one = group.add("one").wait_until_healthy()
    two = group.add("two").wait_until_healthy()
    # Some of these are answered by another worker than the one that is asked.
    group.register(two)
    began = time.monotonic()
    assert group.heals([one, two], began), group.logs()
    assert eventually(lambda: group.even([one, two]), EVEN), group.logs()

    three = group.add("three").wait_until_healthy()
    joined = time.monotonic()
    assert group.heals([one, two, three], joined), group.logs()
    assert eventually(lambda: group.even([one, two, three]), EVEN), group.logs()

    crashed["two"] = time.monotonic()
    two.process.kill()
    assert group.heals([one, three], crashed["two"]), group.logs()

    # The leader is frozen for longer than the group waits for it.
    crashed["one"] = time.monotonic()
    one.process.send_signal(signal.SIGSTOP)
    assert group.heals([three], crashed["one"]), group.logs()
    with Client(three.url) as client:
        client.pause(group.connectors[0])
        client.resume(group.connectors[0])
    one.process.send_signal(signal.SIGCONT)
    thawed = time.monotonic()
    assert group.heals([one, three], thawed), group.logs()
    assert eventually(lambda: group.even([one, three]), EVEN), group.logs()

    stopped = time.monotonic()
    three.process.terminate()
    assert three.process.wait(HEAL) == 0, group.logs()
    assert group.heals([one], stopped), group.logs()

    one.process.terminate()
    assert one.process.wait(HEAL) == 0, group.logs()
    counted(group)
    alone(group, crashed)


def test_a_worker_that_is_cut_off_from_kafka_gives_its_tasks_up_and_is_fenced(kafka: str, tmp_path: Path) -> None:
    cable = Cable(int(kafka.rpartition(":")[2]), kafka=True)
    with made(kafka, tmp_path, size=4) as group:
        # The first worker leads.
        one = group.add("one", f"127.0.0.1:{cable.port}").wait_until_healthy()
        two = group.add("two").wait_until_healthy()
        group.register(one)
        assert group.heals([one, two], time.monotonic()), group.logs()
        assert eventually(lambda: group.even([one, two]), EVEN), group.logs()

        cut = time.monotonic()
        cable.cut()
        assert group.heals([two], cut), group.logs()
        # It learns by itself that nobody hears it.
        assert eventually(lambda: not one.healthy(), HEAL), group.logs()
        assert eventually(lambda: not one.running_tasks(), HEAL), group.logs()

        cable.mend()
        mended = time.monotonic()
        assert group.heals([one, two], mended), group.logs()
        assert eventually(lambda: group.even([one, two]), EVEN), group.logs()
        for process in (one, two):
            process.process.terminate()
            assert process.process.wait(HEAL) == 0, group.logs()
        counted(group)
        alone(group, {"one": cut})
    cable.close()


def test_workers_that_are_all_killed_at_once_come_back_to_the_same_state(kafka: str, tmp_path: Path) -> None:
    with made(kafka, tmp_path, size=4) as group:
        workers = [group.add(name).wait_until_healthy() for name in ("one", "two")]
        group.register(workers[0])
        assert group.heals(workers, time.monotonic()), group.logs()
        paused, stopped, *running = group.connectors
        with Client(workers[0].url) as client:
            client.pause(paused)
            client.stop(stopped)
            assert eventually(lambda: _tasks(client, paused) == ["PAUSED"] and not _tasks(client, stopped), HEAL)
            client.alter_offsets(stopped, {"offsets": [{"partition": {"counter": "0"}, "offset": {"next": 700}}]})
        assert eventually(lambda: _states(workers[1]) == _states(workers[0])), group.logs()
        before, written = _states(workers[0]), group.numbers()

        crashed = {worker.name: time.monotonic() for worker in workers}
        for worker in workers:
            worker.process.kill()
            worker.process.wait()
        workers = [group.add(name).wait_until_healthy() for name in ("one", "two")]
        for worker in workers:
            assert eventually(lambda worker=worker: _states(worker) == before, HEAL), (before, group.logs())
        now = group.numbers()
        assert eventually(lambda: all(group.follow()[name]["number"] >= len(now[name]) for name in running), HEAL)
        assert {name: len(now[name]) for name in (paused, stopped)} == {
            name: len(written[name]) for name in (paused, stopped)
        }
        counted(group)
        alone(group, crashed)
        with Client(workers[0].url) as client:
            client.resume(stopped)
            assert eventually(lambda: group.follow()[stopped]["number"] >= 700, HEAL), group.logs()


def _tasks(client: Client, name: str) -> list[str]:
    return [task["state"] for task in client.status(name)["tasks"]]


def _states(worker: Process) -> dict[str, Any]:
    """What a worker tells of every connector: configuration, target, tasks and offsets, without whose they are."""
    with Client(worker.url) as client:
        return {
            name: {
                "info": entry["info"],
                "state": entry["status"]["connector"]["state"],
                "tasks": [task["state"] for task in entry["status"]["tasks"]],
                "offsets": client.offsets(name) if entry["status"]["connector"]["state"] != "RUNNING" else None,
            }
            for name, entry in client.statuses().items()
        }
