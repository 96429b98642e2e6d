"""The worker over fakes: what is registered runs, heals, pauses, is restored, and is lost to a successor."""

from __future__ import annotations

from typing import Any

import pytest
from connect_cluster import Cluster
from connect_fakes import WAIT, FakePlugin, MemoryLog, MemoryStatusLog

from sync.connect.problem import BadRequest, Conflict, NotFound
from sync.connect.registrations import PAUSED, STARTED, STOPPED
from sync.connect.status import State
from sync.connect.supervision import Healing
from sync.connect.worker import Worker
from sync.errors import Fenced, Refused, Unavailable
from tests.eventually import eventually

Config = dict[str, str | None]


def states(worker: Worker, name: str) -> list[str]:
    return [task["state"] for task in worker.status(name)["tasks"]]


def awaits(worker: Worker, name: str, *wanted: str) -> None:
    assert worker.wait(lambda: states(worker, name) == list(wanted), WAIT), worker.status(name)


def test_a_registered_connector_runs_its_tasks(worker: Worker, source: FakePlugin, config: Config) -> None:
    info = worker.create("cbccvc", {**config, "tasks.max": "2"})
    assert info["type"] == "source"
    assert [task["task"] for task in info["tasks"]] == [0, 1]
    awaits(worker, "cbccvc", "RUNNING", "RUNNING")
    assert worker.wait(lambda: len(source.running) == 2, WAIT)
    assert {task.values["task.number"] for task in source.running} == {"0", "1"}
    assert {task.context.transactional_id for task in source.running} == {
        "dongbo-connect-cbccvc-0",
        "dongbo-connect-cbccvc-1",
    }


def test_a_taken_name_is_a_conflict(worker: Worker, config: Config) -> None:
    worker.create("a", config)
    with pytest.raises(Conflict, match="Connector a already exists"):
        worker.create("a", config)


def test_an_invalid_configuration_is_refused_with_every_error(worker: Worker, config: Config) -> None:
    broken = {**config, "topic.prefix": None, "tasks.max": "many", "snapshot.locking": "none", "transforms": "t"}
    with pytest.raises(BadRequest) as caught:
        worker.create("a", broken)
    text = str(caught.value)
    assert "contains the following 4 error(s):" in text
    assert "Configuration snapshot.locking is not supported" in text
    assert worker.names() == []


def test_what_the_plugin_finds_on_the_live_system_refuses_the_connector(
    worker: Worker, source: FakePlugin, config: Config
) -> None:
    source.found = {"database.password": ["password authentication failed. Remedy: correct it"]}
    with pytest.raises(BadRequest, match="correct it"):
        worker.create("a", config)


def test_two_connectors_cannot_be_the_same_source(worker: Worker, config: Config) -> None:
    worker.create("a", config)
    with pytest.raises(BadRequest, match="already names the source of connector a"):
        worker.create("b", config)


def test_a_source_is_known_by_its_prefix_although_its_secrets_are_gone(
    worker: Worker, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETING", "secret")
    worker.create("a", {**config, "database.password": "${env:FLEETING}"})
    monkeypatch.delenv("FLEETING")
    with pytest.raises(BadRequest, match="already names the source of connector a"):
        worker.create("b", config)


def test_a_transient_error_restarts_the_task(
    worker: Worker, source: FakePlugin, statuses: MemoryStatusLog, config: Config
) -> None:
    source.faults = [Unavailable("away"), ConnectionError("reset"), Unavailable("away")]
    worker.create("a", config)
    assert worker.wait(lambda: len(source.running) == 1 and not source.faults, WAIT)
    awaits(worker, "a", "RUNNING")
    seen = statuses.states("a")
    assert seen[0] is State.RUNNING
    assert seen[-1] is State.RUNNING
    assert State.RESTARTING in seen
    assert State.FAILED not in seen


@pytest.mark.parametrize("error", [Refused("no table", hint="create it"), KeyError("Nguyễn Văn A")])
def test_a_permanent_error_fails_the_task_and_tells_no_value(
    worker: Worker, source: FakePlugin, config: Config, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    source.faults = [error]
    worker.create("a", config)
    awaits(worker, "a", "FAILED")
    trace = worker.status("a")["tasks"][0]["trace"]
    assert type(error).__qualname__ in trace
    assert "FakeTask.run" in trace
    assert "Nguyễn" not in trace + caplog.text
    if isinstance(error, Refused):
        assert "Remedy: create it" in trace


def test_a_fenced_task_claims_its_identity_back_a_few_times(worker: Worker, source: FakePlugin, config: Config) -> None:
    source.faults = [Fenced("taken")] * 3
    worker.create("a", config)
    assert worker.wait(lambda: not source.faults and len(source.running) == 1, WAIT)
    awaits(worker, "a", "RUNNING")
    source.faults = [Fenced("taken")]
    worker.restart_task("a", 0)
    awaits(worker, "a", "FAILED")


def test_a_task_that_makes_no_progress_is_told_by_health_and_status(
    cluster: Cluster, source: FakePlugin, config: Config
) -> None:
    worker = cluster.worker(healing=Healing(first=0.01, settle=0.0, patience=0.3))
    source.stuck = True
    worker.create("a", config)
    assert eventually(lambda: worker.health()[0] == 500)
    assert worker.health()[1] == {
        "status": "unhealthy",
        "message": "Tasks that make no progress: a-0. See their status.",
    }
    told = worker.status("a")["tasks"][0]
    assert told["state"] == "RESTARTING"
    assert "has committed nothing" in told["trace"]
    source.stuck = False
    assert eventually(lambda: worker.health()[0] == 200)
    awaits(worker, "a", "RUNNING")


def test_a_secret_in_an_error_is_hidden_in_trace_and_log(
    worker: Worker,
    source: FakePlugin,
    config: Config,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_OF_A", "hunter2!x")
    source.faults = [Refused("connecting with hunter2!x and plain-one failed")]
    worker.create("a", {**config, "database.password": "${env:SECRET_OF_A}", "pin": "plain-one"})
    awaits(worker, "a", "FAILED")
    told = str(worker.status("a")) + str(worker.info("a")) + str(worker.tasks("a")) + caplog.text
    assert "hunter2" not in told
    assert "plain-one" not in told
    assert "connecting with ******** and ******** failed" in told


def test_a_failed_task_runs_again_after_a_restart(worker: Worker, source: FakePlugin, config: Config) -> None:
    source.faults = [Refused("no")]
    worker.create("a", config)
    awaits(worker, "a", "FAILED")
    worker.restart_task("a", 0)
    awaits(worker, "a", "RUNNING")
    assert "trace" not in worker.status("a")["tasks"][0]


def test_restart_of_only_failed_tasks_leaves_the_others_alone(
    worker: Worker, source: FakePlugin, config: Config
) -> None:
    worker.create("a", {**config, "tasks.max": "2"})
    assert worker.wait(lambda: len(source.running) == 2, WAIT)
    before = list(source.running)
    worker.restart("a", include_tasks=True, only_failed=True)
    awaits(worker, "a", "RUNNING", "RUNNING")
    assert source.running == before


def test_paused_means_that_the_task_has_ended(worker: Worker, source: FakePlugin, config: Config) -> None:
    worker.create("a", config)
    assert worker.wait(lambda: len(source.running) == 1, WAIT)
    worker.steer("a", PAUSED)
    awaits(worker, "a", "PAUSED")
    assert source.running == []
    assert worker.status("a")["connector"]["state"] == "PAUSED"
    worker.steer("a", STARTED)
    assert worker.wait(lambda: len(source.running) == 1, WAIT)
    awaits(worker, "a", "RUNNING")


def test_a_stopped_connector_has_no_tasks(worker: Worker, source: FakePlugin, config: Config) -> None:
    worker.create("a", config)
    assert worker.wait(lambda: len(source.running) == 1, WAIT)
    worker.steer("a", STOPPED)
    assert worker.wait(lambda: worker.status("a")["connector"]["state"] == "STOPPED", WAIT)
    assert worker.status("a")["tasks"] == []
    assert source.running == []
    worker.steer("a", STARTED)
    awaits(worker, "a", "RUNNING")


def test_a_new_configuration_starts_after_the_old_task_has_ended(
    worker: Worker, source: FakePlugin, config: Config
) -> None:
    source.deaf = True
    worker.create("a", config)
    assert worker.wait(lambda: len(source.running) == 1, WAIT)
    first = source.running[0]
    worker.put_config("a", {**config, "database.hostname": "elsewhere"})
    assert not worker.wait(lambda: len(source.running) != 1, 0.5)
    assert source.running == [first]
    source.deaf = False
    source.released.set()
    assert worker.wait(lambda: source.running != [] and source.running[0] is not first, WAIT)
    assert source.running[0].values["database.hostname"] == "elsewhere"


def test_the_same_configuration_again_disturbs_nothing(worker: Worker, source: FakePlugin, config: Config) -> None:
    worker.create("a", config)
    assert worker.wait(lambda: len(source.running) == 1, WAIT)
    before = list(source.running)
    _, created = worker.put_config("a", config)
    assert not created
    awaits(worker, "a", "RUNNING")
    assert source.running == before


def test_a_deleted_connector_stops_and_is_unknown(worker: Worker, source: FakePlugin, config: Config) -> None:
    worker.create("a", config)
    assert worker.wait(lambda: len(source.running) == 1, WAIT)
    worker.delete("a")
    assert worker.wait(lambda: source.running == [], WAIT)
    with pytest.raises(NotFound, match="Connector a not found"):
        worker.info("a")


def test_a_masked_answer_written_back_keeps_the_secret(worker: Worker, log: MemoryLog, config: Config) -> None:
    worker.create("a", {**config, "database.password": "clear", "pin": "1234"})
    shown: dict[str, Any] = worker.config("a")
    assert (shown["database.password"], shown["pin"]) == ("********", "********")
    worker.put_config("a", {**shown, "database.hostname": "elsewhere"})
    stored = [value for key, value in log.records if key == "connector-a"][-1]["properties"]
    assert (stored["database.password"], stored["pin"]) == ("clear", "1234")
    assert stored["database.hostname"] == "elsewhere"


def test_a_mask_is_no_password_for_a_new_connector(worker: Worker, config: Config) -> None:
    with pytest.raises(BadRequest, match="masked value"):
        worker.create("a", {**config, "database.password": "********"})


def test_a_patch_changes_and_removes_keys(worker: Worker, config: Config) -> None:
    worker.create("a", {**config, "database.hostname": "here"})
    info = worker.patch_config("a", {"database.hostname": None, "tasks.max": "2"})
    assert "database.hostname" not in info["config"]
    assert info["config"]["tasks.max"] == "2"


def test_a_source_leaves_a_declaration_without_secrets_that_outlives_it(
    worker: Worker, log: MemoryLog, config: Config
) -> None:
    worker.create("a", {**config, "dongbo.mappings": "public.x:civil_servant/vn_short", "database.password": "clear"})
    worker.delete("a")
    declared = dict(log.records)["source-tinh_01"]["properties"]
    assert declared == {
        "name": "a",
        "connector.class": "test.FakeSource",
        "topic.prefix": "tinh_01",
        "dongbo.mappings": "public.x:civil_servant/vn_short",
    }


def test_a_restarted_worker_restores_connectors_and_their_target_states(
    cluster: Cluster, source: FakePlugin, config: Config
) -> None:
    first = cluster.worker()
    first.create("a", config)
    first.create("b", {**config, "topic.prefix": "tinh_79"}, PAUSED)
    first.stop()
    assert source.running == []
    second = cluster.worker()
    awaits(second, "a", "RUNNING")
    awaits(second, "b", "PAUSED")


def test_a_missing_environment_variable_is_an_error_of_its_key(worker: Worker, config: Config) -> None:
    with pytest.raises(BadRequest, match="environment variable NOT_THERE_AT_ALL"):
        worker.create("a", {**config, "database.password": "${env:NOT_THERE_AT_ALL}"})


def test_a_placeholder_that_vanished_fails_the_connector_until_it_is_restarted(
    cluster: Cluster,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PASSWORD_OF_A", "x1")
    first = cluster.worker()
    first.create("a", {**config, "database.password": "${env:PASSWORD_OF_A}"})
    first.stop()
    monkeypatch.delenv("PASSWORD_OF_A")
    second = cluster.worker()
    told = second.status("a")["connector"]
    assert told["state"] == "FAILED"
    assert "PASSWORD_OF_A" in told["trace"]
    monkeypatch.setenv("PASSWORD_OF_A", "x1")
    second.restart("a")
    awaits(second, "a", "RUNNING")


def test_a_sink_needs_topics_one_way_or_the_other(worker: Worker) -> None:
    with pytest.raises(BadRequest, match="Must configure one of topics"):
        worker.create("s", {"connector.class": "FakeSink"})
    with pytest.raises(BadRequest, match="mutually exclusive"):
        worker.create("s", {"connector.class": "FakeSink", "topics": "a", "topics.regex": "b"})
    assert worker.create("s", {"connector.class": "FakeSink", "topics": "a"})["type"] == "sink"


def test_an_unknown_key_is_a_warning(worker: Worker, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    worker.create("a", {**config, "databse.hostname": "secret-host"})
    assert "'databse.hostname' was supplied but isn't a known config" in caplog.text
    assert "secret-host" not in caplog.text
