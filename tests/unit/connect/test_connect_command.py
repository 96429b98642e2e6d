"""The commands of people and scripts, against a real REST server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from connect_fakes import WAIT, FakePlugin
from typer.testing import CliRunner

from sync.connect.client import Client
from sync.connect.command import app
from sync.connect.manifest import read_connectors
from sync.connect.problem import BadRequest, Conflict, NotFound
from sync.connect.worker import Worker
from sync.errors import ConfigError, Refused, Unavailable

Config = dict[str, str | None]


def run(url: str, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["connector", *arguments, "--url", url], input=stdin)
    return result.exit_code, result.output


@pytest.fixture
def file(tmp_path: Path, config: Config) -> Path:
    path = tmp_path / "source.json"
    path.write_text(json.dumps({"name": "a", "config": {**config, "database.password": "hunter2"}}))
    return path


def test_apply_creates_and_then_changes_nothing(url: str, file: Path, source: FakePlugin, worker: Worker) -> None:
    assert run(url, "apply", "-f", str(file)) == (0, "a: created\n")
    assert worker.wait(lambda: len(source.running) == 1, WAIT)
    before = list(source.running)
    assert run(url, "apply", "-f", str(file)) == (0, "a: applied\n")
    assert source.running == before


def test_a_connector_is_listed_shown_paused_resumed_restarted_and_deleted(url: str, file: Path, worker: Worker) -> None:
    run(url, "apply", "-f", str(file))
    assert worker.wait(lambda: worker.status("a")["tasks"][0]["state"] == "RUNNING", WAIT)
    code, told = run(url, "list")
    assert code == 0
    assert "RUNNING" in told
    assert json.loads(run(url, "list", "--json")[1])["a"]["status"]["type"] == "source"
    shown = run(url, "get", "a")[1]
    assert "topic.prefix" in shown
    assert "hunter2" not in shown + run(url, "get", "a", "--json")[1]
    for verb in ("pause", "resume", "restart"):
        assert run(url, verb, "a") == (0, "")
    assert run(url, "status", "a")[0] == 0
    assert run(url, "delete", "a") == (0, "")
    code, told = run(url, "status", "a")
    assert code == 1
    assert "No status found for connector a" in told


def test_status_of_a_failed_connector_ends_with_exit_code_1(
    url: str, file: Path, source: FakePlugin, worker: Worker
) -> None:
    source.faults = [Refused("no table", hint="create it")]
    run(url, "apply", "-f", str(file))
    assert worker.wait(lambda: worker.status("a")["tasks"][0]["state"] == "FAILED", WAIT)
    code, told = run(url, "status", "a", "--json")
    assert code == 1
    assert "create it" in told


def test_an_invalid_connector_is_refused_with_the_reason(url: str) -> None:
    code, told = run(url, "apply", "-f", "-", stdin="name: a\nconfig:\n  connector.class: FakeSource\n")
    assert code == 1
    assert 'Missing required configuration "topic.prefix"' in told


def test_nobody_there_is_an_error_with_a_remedy() -> None:
    code, told = run("http://127.0.0.1:1", "list")
    assert code == 1
    assert "dongbo worker" in told
    with Client("http://127.0.0.1:1") as client, pytest.raises(Unavailable):
        client.names()


def test_refusals_arrive_by_their_class(url: str, config: Config) -> None:
    with Client(url) as client:
        assert client.health()["status"] == "healthy"
        with pytest.raises(NotFound):
            client.info("x")
        with pytest.raises(BadRequest):
            client.apply("x", {})
        client.apply("a b/c", config)
        assert client.names() == ["a b/c"]
        assert client.info("a b/c")["name"] == "a b/c"
        with pytest.raises(Conflict):
            client._call("POST", "/connectors", {"name": "a b/c", "config": config})


def test_files_may_hold_one_or_many_flat_or_nested(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{"name": "a", "config": {"k": 1}}')
    (tmp_path / "three.yaml").write_text("- {name: b, k: 2}\n- {name: c, config: {k: 3}}\n---\nname: d\nk: 4\n")
    (tmp_path / "readme.md").write_text("not a connector")
    assert [(one.name, one.config) for one in read_connectors(str(tmp_path))] == [
        ("a", {"k": 1}),
        ("b", {"name": "b", "k": 2}),
        ("c", {"k": 3}),
        ("d", {"name": "d", "k": 4}),
    ]


def test_a_new_connector_begins_in_the_state_that_its_file_names(url: str, file: Path, worker: Worker) -> None:
    content = {**json.loads(file.read_text()), "initial_state": "STOPPED"}
    file.write_text(json.dumps(content))
    assert run(url, "apply", "-f", str(file)) == (0, "a: created\n")
    assert worker.wait(lambda: worker.status("a")["connector"]["state"] == "STOPPED", WAIT)
    assert worker.status("a")["tasks"] == []
    # One that is there keeps its state.
    assert run(url, "resume", "a") == (0, "")
    assert worker.wait(lambda: worker.status("a")["connector"]["state"] == "RUNNING", WAIT)
    file.write_text(json.dumps({**content, "config": {**content["config"], "poll.ms": 7}}))
    assert run(url, "apply", "-f", str(file)) == (0, "a: changed\n")
    assert worker.status("a")["connector"]["state"] == "RUNNING"

    file.write_text(json.dumps({**content, "name": "b", "initial_state": "ASLEEP"}))
    code, told = run(url, "apply", "-f", str(file))
    assert code == 1
    assert "initial_state" in told
    assert worker.names() == ["a"]


def test_what_get_shows_can_be_applied(url: str, file: Path, tmp_path: Path) -> None:
    run(url, "apply", "-f", str(file))
    shown = tmp_path / "shown.json"
    shown.write_text(run(url, "get", "a", "--json")[1])
    code, told = run(url, "apply", "-f", str(shown))
    assert (code, told.partition(":")[0]) == (0, "a")


def test_a_properties_file_of_connects_standalone_mode_says_what_it_said_there(tmp_path: Path) -> None:
    path = tmp_path / "one.properties"
    path.write_text("name=a\ntable.include.list=public\\\\.can_bo,\\\n    public\\\\.don_vi\n")
    assert [one.config["table.include.list"] for one in read_connectors(str(path))] == [
        r"public\.can_bo,public\.don_vi"
    ]
    for content in (b"a=\\u00", "a=\u1ebf".encode("utf-16")):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"one\.properties"):
            list(read_connectors(str(path)))


@pytest.mark.parametrize(
    "content",
    ["{", "[1]", '{"name": "a", "config": {}, "tasks.max": 2}', '{"config": {}}', '{"name": "a", "config": 1}'],
)
def test_a_file_that_is_no_connector_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"wrong\.json"):
        list(read_connectors(str(path)))
