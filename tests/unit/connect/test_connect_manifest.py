"""Files of connectors, and the commands that apply, check and steer them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from connect_fakes import WAIT
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sync.connect.command import app
from sync.connect.manifest import APPLIED, CHANGED, CREATED, UNCHANGED, Change, plan, read_document, texts
from sync.connect.worker import Worker
from sync.errors import ConfigError
from sync.secret import MASK

Config = dict[str, str | None]


def run(url: str, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["connector", *arguments, "--url", url], input=stdin)
    return result.exit_code, result.output


@pytest.fixture
def files(tmp_path: Path, config: Config) -> Path:
    """A folder with two connectors, one in JSON and one in YAML."""
    (tmp_path / "a.json").write_text(json.dumps({"name": "a", "config": config}))
    other = {**config, "topic.prefix": "other"}
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in other.items())
    (tmp_path / "b.yaml").write_text(f"name: b\nconfig:\n{lines}")
    return tmp_path


def test_a_dry_run_tells_what_would_change_and_changes_nothing(url: str, files: Path, worker: Worker) -> None:
    code, told = run(url, "apply", "-f", str(files), "--dry-run")
    assert code == 0
    assert "a: created (dry run)" in told
    assert "+ topic.prefix: other" in told
    assert worker.names() == []

    run(url, "apply", "-f", str(files))
    config = json.loads((files / "a.json").read_text())["config"]
    (files / "a.json").write_text(json.dumps({"name": "a", "config": {**config, "tasks.max": 1, "poll.ms": 5}}))
    code, told = run(url, "apply", "-f", str(files), "--dry-run", "--json")
    assert code == 0
    first, second = json.loads(told)
    assert first["action"] == CHANGED
    assert {"key": "poll.ms", "before": None, "after": "5"} in first["changes"]
    assert second == {"name": "b", "action": UNCHANGED, "changes": [], "errors": {}}
    assert "poll.ms" not in worker.config("a")


def test_the_same_files_again_change_nothing_and_say_so(url: str, files: Path) -> None:
    assert run(url, "apply", "-f", str(files)) == (0, "a: created\nb: created\n")
    assert run(url, "apply", "-f", str(files)) == (0, "a: unchanged\nb: unchanged\n")


def test_one_refused_connector_does_not_keep_the_others_back(url: str, files: Path, worker: Worker) -> None:
    (files / "0.yaml").write_text("name: wrong\nconnector.class: Nobody\n")

    code, told = run(url, "apply", "-f", str(files))

    assert code == 1
    assert "wrong: refused" in told
    assert "Nobody" in told
    assert worker.names() == ["a", "b"]


def test_validate_tells_each_wrong_key_and_registers_nothing(url: str, files: Path, worker: Worker) -> None:
    assert run(url, "validate", "-f", str(files)) == (0, "a: valid\nb: valid\n")

    code, told = run(url, "validate", "-f", "-", "--json", stdin="name: a\nconnector.class: FakeSource\ntasks.max: x\n")

    assert code == 1
    (one,) = json.loads(told)
    assert not one["valid"]
    assert {"topic.prefix", "tasks.max"} <= one["errors"].keys()
    assert worker.names() == []


def test_verbs_take_several_names_and_do_what_they_can(url: str, files: Path, worker: Worker) -> None:
    run(url, "apply", "-f", str(files))
    assert worker.wait(lambda: worker.status("b")["tasks"][0]["state"] == "RUNNING", WAIT)

    code, told = run(url, "stop", "a", "nobody", "b")

    assert code == 1
    assert "nobody" in told
    assert worker.wait(lambda: {worker.status(n)["connector"]["state"] for n in "ab"} == {"STOPPED"}, WAIT)
    assert run(url, "resume", "a", "b") == (0, "")
    assert worker.wait(lambda: worker.status("b")["tasks"][0]["state"] == "RUNNING", WAIT)
    assert run(url, "restart", "a", "--task", "0") == (0, "")
    assert run(url, "restart", "a", "--task", "7")[0] == 1
    assert run(url, "restart", "a", "--task", "0", "--only-failed")[0] == 2
    assert run(url, "delete", "a", "b") == (0, "")


def test_plugins_and_the_keys_of_one_are_told(url: str) -> None:
    code, told = run(url, "plugins")
    assert code == 0
    assert "source" in told
    found = json.loads(run(url, "plugins", "--json")[1])
    code, told = run(url, "plugins", found[0]["class"])
    assert code == 0
    assert "topic.prefix" in told


def test_names_complete_from_the_worker_and_nothing_completes_without_one(
    url: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(url, "apply", "-f", str(files))

    assert complete(monkeypatch, f"dongbo connector status --url {url} ") == ["a", "b"]
    assert complete(monkeypatch, "dongbo connector status --url http://127.0.0.1:1 ") == []


def complete(monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """What bash is offered at the end of a line."""
    from sync.cli import app as whole

    monkeypatch.setenv("_DONGBO_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    return CliRunner().invoke(whole, [], prog_name="dongbo").output.split()


@pytest.fixture
def offsets() -> Iterator[tuple[str, list[Any]]]:
    """A worker's offsets endpoint, and what was asked of it."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked.append((self.command, self.path, json.loads(self.rfile.read(length)) if length else None))
            held = {"offsets": [{"partition": {"server": "x"}, "offset": {"lsn": 7}}]}
            body = json.dumps(held if self.command == "GET" else {"message": "Done."}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_offsets_are_shown_altered_from_what_was_shown_and_reset(
    offsets: tuple[str, list[Any]], tmp_path: Path
) -> None:
    url, asked = offsets
    code, shown = run(url, "offsets", "a/b", "--json")
    assert code == 0
    (tmp_path / "o.json").write_text(shown)

    assert "lsn=7" in run(url, "offsets", "a/b")[1]
    assert run(url, "offsets", "a/b", "--alter", str(tmp_path / "o.json")) == (0, "Done.\n")
    assert run(url, "offsets", "a/b", "--reset") == (0, "Done.\n")
    assert run(url, "offsets", "a/b", "--reset", "--alter", "x")[0] == 2
    path = "/connectors/a%2Fb/offsets"
    assert [one[:2] for one in asked] == [("GET", path)] * 2 + [("PATCH", path), ("DELETE", path)]
    assert asked[2][2] == json.loads(shown)


def test_secrets_never_show_in_a_plan() -> None:
    former = {"k": "1", "db.password": MASK, "other.password": "${env:P}"}
    wanted = {"k": 1, "db.password": "hunter2", "other.password": "hunter3"}

    found = plan(former, wanted)

    assert found.action == CHANGED
    assert found.changes == (Change("db.password", MASK, MASK), Change("other.password", "${env:P}", MASK))
    assert plan(former, {**wanted, "other.password": "${env:P}"}).action == APPLIED
    assert "hunter" not in str(plan(None, wanted))


CONFIGS = st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.booleans() | st.lists(st.integers()))


@given(CONFIGS)
def test_a_configuration_differs_from_none_and_not_from_itself(config: dict[str, Any]) -> None:
    assert plan(None, config).action == CREATED
    assert plan(texts(config), config) == plan({}, {})


def test_a_file_with_several_documents_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("a: 1\n---\nb: 2\n")

    with pytest.raises(ConfigError, match=r"two\.yaml holds 2 documents"):
        read_document(str(tmp_path / "two.yaml"))
