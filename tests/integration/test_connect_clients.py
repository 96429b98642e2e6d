"""Tools of others at a real worker: the exact calls of kcctl and of ducktape's Connect service, replayed.

Neither can be had from a package registry (kcctl's releases are binaries, kafkatest is in Kafka's repository only), so
their requests were read from their sources: ``org.kcctl.service.KafkaConnectApi`` and the commands that use it, and
``tests/kafkatest/services/connect.py``. What they take from an answer is asserted, not what they pass over.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from sync.kafka.client import Topic, ensure_topics
from tests.eventually import eventually
from tests.worker_process import OurWorker

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
PLUGIN = "io.debezium.connector.jdbc.JdbcSinkConnector"


@dataclass
class Kcctl:
    """kcctl's commands, as far as they talk to the worker."""

    http: httpx.Client

    def ask(self, method: str, path: str, content: object = None, **params: Any) -> Any:
        """One call of its REST client; the parsed body, None where it is empty."""
        body = None if content is None else json.dumps(content)
        answer = self.http.request(method, path, content=body, params=params or None, headers=JSON)
        if not answer.is_success:
            error = answer.json()
            raise LookupError(error["error_code"], error["message"])
        return answer.json() if answer.content else None

    def version(self) -> tuple[int, int]:
        """What decides which commands it offers."""
        major, minor = self.ask("GET", "/")["version"].split(".")[:2]
        return int(major), int(minor)

    def apply(self, file: dict[str, Any]) -> str:
        name = file["name"]
        if name in self.ask("GET", "/connectors/"):
            self.ask("PUT", f"/connectors/{name}/config", file["config"])
            return "Updated"
        self.ask("POST", "/connectors/", file)
        return "Created"

    def dry_run(self, config: dict[str, Any]) -> dict[str, list[str]]:
        plugin, complete = config["connector.class"].rpartition(".")[2], {"name": "dummy-name", **config}
        found = self.ask("PUT", f"/connector-plugins/{plugin}/config/validate", complete)
        errors = {c["definition"]["name"]: c["value"]["errors"] for c in found["configs"] if c["value"]["errors"]}
        assert found["error_count"] == sum(map(len, errors.values()))
        return errors

    def connectors(self) -> list[tuple[str, str, str, list[tuple[int, str]]]]:
        found = [entry["status"] for entry in self.ask("GET", "/connectors", expand="status").values()]
        return [
            (of["name"], of["type"], of["connector"]["state"], [(task["id"], task["state"]) for task in of["tasks"]])
            for of in found
        ]

    def describe(self, name: str) -> dict[str, Any]:
        """All that ``describe connector --tasks-config`` prints."""
        info, status = self.ask("GET", f"/connectors/{name}"), self.ask("GET", f"/connectors/{name}/status")
        config, tasks = self.ask("GET", f"/connectors/{name}/config"), self.ask("GET", f"/connectors/{name}/tasks")
        assert info["config"] == config
        assert {f"{task['id']['connector']}-{task['id']['task']}" for task in tasks} == {
            f"{name}-{task['id']}" for task in status["tasks"]
        }
        assert status["connector"]["worker_id"]
        [topics] = [entry["topics"] for entry in self.ask("GET", f"/connectors/{name}/topics").values()]
        return {"state": status["connector"]["state"], "config": config, "topics": topics}

    def patch(self, name: str, setting: dict[str, str], removed: list[str]) -> None:
        config = {**self.ask("GET", f"/connectors/{name}/config"), **setting}
        self.ask("PUT", f"/connectors/{name}/config", {key: config[key] for key in config.keys() - set(removed)})


@pytest.fixture
def kcctl(http: httpx.Client) -> Kcctl:
    return Kcctl(http)


def test_kcctl_registers_looks_at_changes_and_removes_a_connector(kcctl: Kcctl, sink: dict[str, Any]) -> None:
    name = f"kcctl-{uuid.uuid4().hex[:8]}"
    assert kcctl.version() >= (3, 7)
    assert {"commit", "kafka_cluster_id"} <= kcctl.ask("GET", "/").keys()
    assert kcctl.dry_run(sink) == {}
    assert set(kcctl.dry_run({**sink, "tasks.max": "none"})) == {"tasks.max"}
    assert kcctl.apply({"name": name, "config": sink}) == "Created"
    assert eventually(lambda: (name, "sink", "RUNNING", [(0, "RUNNING")]) in kcctl.connectors())
    assert kcctl.apply({"name": name, "config": {**sink, "batch.size": "100"}}) == "Updated"
    assert kcctl.describe(name)["config"]["batch.size"] == "100"
    kcctl.patch(name, {"consumer.override.fetch.min.bytes": "1"}, ["batch.size"])
    told = kcctl.describe(name)["config"]
    assert (told["consumer.override.fetch.min.bytes"], told.get("batch.size")) == ("1", None)
    kcctl.ask("DELETE", f"/connectors/{name}")
    with pytest.raises(LookupError, match="404"):
        kcctl.describe(name)


def test_kcctl_steers_a_connector_and_moves_its_offsets(kcctl: Kcctl, sink: dict[str, Any], running: OurWorker) -> None:
    name, topic = f"kcctl-{uuid.uuid4().hex[:8]}", sink["topics"]
    ensure_topics(running.bootstrap, [Topic(topic)])
    kcctl.apply({"name": name, "config": sink})

    def is_now(state: str, task: str | None) -> bool:
        return (name, "sink", state, [] if task is None else [(0, task)]) in kcctl.connectors()

    for verb, state, task in (("pause", "PAUSED", "PAUSED"), ("resume", "RUNNING", "RUNNING")):
        assert kcctl.ask("PUT", f"/connectors/{name}/{verb}") is None
        assert eventually(lambda state=state, task=task: is_now(state, task)), (verb, kcctl.connectors())
    assert kcctl.ask("POST", f"/connectors/{name}/restart") is None
    assert kcctl.ask("POST", f"/connectors/{name}/restart", includeTasks="true", onlyFailed="false")["name"] == name
    assert kcctl.ask("POST", f"/connectors/{name}/tasks/0/restart") is None
    assert eventually(lambda: is_now("RUNNING", "RUNNING"))
    assert kcctl.ask("PUT", f"/connectors/{name}/stop") is None
    assert eventually(lambda: is_now("STOPPED", None))
    place = {"kafka_topic": topic, "kafka_partition": 0}
    sent = {"offsets": [{"partition": place, "offset": {"kafka_offset": 7}}]}
    assert kcctl.ask("PATCH", f"/connectors/{name}/offsets", sent)["message"]
    assert kcctl.ask("GET", f"/connectors/{name}/offsets") == sent
    assert kcctl.ask("DELETE", f"/connectors/{name}/offsets")["message"]
    assert kcctl.ask("GET", f"/connectors/{name}/offsets") == {"offsets": []}
    kcctl.ask("DELETE", f"/connectors/{name}")


def test_kcctl_lists_plugins_and_sets_levels(kcctl: Kcctl) -> None:
    plugins = kcctl.ask("GET", "/connector-plugins", connectorsOnly="false")
    assert {"sink", "source", "transformation", "predicate"} <= {plugin["type"] for plugin in plugins}
    assert all({"class", "type", "version"} == plugin.keys() for plugin in plugins)
    keys = kcctl.ask("GET", f"/connector-plugins/{PLUGIN}/config")
    assert all({"name", "type", "required", "default_value", "documentation"} <= key.keys() for key in keys)
    assert "level" in kcctl.ask("GET", "/admin/loggers/")["root"]
    assert kcctl.ask("GET", "/admin/loggers/root")["level"]
    logger = "/admin/loggers/org.apache.kafka.connect.runtime"
    assert "sync.connect" in kcctl.ask("PUT", logger, {"level": "DEBUG"})
    assert "sync.connect" in kcctl.ask("PUT", logger, {"level": "WARN"}, scope="worker")
    assert (
        kcctl.ask("PUT", "/admin/loggers/org.apache.kafka.connect.runtime", {"level": "INFO"}, scope="cluster") is None
    )


@dataclass
class Ducktape:
    """The client in Kafka's system tests, ``ConnectServiceBase``: its paths, its reading of statuses, its retries."""

    http: httpx.Client

    def rest(self, path: str, body: object = None, method: str = "GET") -> Any:
        answer = self.http.request(method, path, json=body) if body is not None else self.http.request(method, path)
        if answer.status_code > 400:
            raise LookupError(answer.status_code, answer.text)
        return None if answer.status_code in (202, 204) else answer.json()

    def with_retry(self, path: str, body: object = None, method: str = "GET") -> Any:
        found: list[Any] = []

        def answered() -> bool:
            try:
                found.append(self.rest(path, body, method))
            except LookupError as error:
                if error.args[0] not in (404, 409):
                    raise
                return False
            return True

        assert eventually(answered, 10.0)
        return found[0]


def test_ducktapes_connect_service_does_what_kafkas_system_tests_do(http: httpx.Client, sink: dict[str, Any]) -> None:
    service, name = Ducktape(http), f"ducktape-{uuid.uuid4().hex[:8]}"
    config = {**sink, "name": name}
    assert service.with_retry("/connectors") is not None
    kinds = {plugin["class"] for plugin in service.rest("/connector-plugins/")}
    assert sink["connector.class"] in kinds
    found = service.rest(f"/connector-plugins/{sink['connector.class']}/config/validate", config, "PUT")
    assert (found["name"], found["error_count"]) == (sink["connector.class"], 0)
    made = service.with_retry("/connectors", {"name": name, "config": config}, "POST")
    assert (made["name"], made["config"].keys()) == (name, config.keys())
    assert name in service.with_retry("/connectors")

    def status() -> tuple[str, list[tuple[int, str]]]:
        told = service.rest(f"/connectors/{name}/status")
        return told["connector"]["state"], [(task["id"], task["state"]) for task in told["tasks"]]

    assert eventually(lambda: status() == ("RUNNING", [(0, "RUNNING")])), status()
    assert service.with_retry(f"/connectors/{name}")["tasks"] == [{"connector": name, "task": 0}]
    changed = {**config, "batch.size": "17"}
    assert service.with_retry(f"/connectors/{name}/config", changed, "PUT")["config"]["batch.size"] == "17"
    assert service.with_retry(f"/connectors/{name}/config")["batch.size"] == "17"
    [task] = service.with_retry(f"/connectors/{name}/tasks")
    assert (task["id"], task["config"]["batch.size"]) == ({"connector": name, "task": 0}, "17")
    service.rest(f"/connectors/{name}/pause", method="PUT")
    assert eventually(lambda: status() == ("PAUSED", [(0, "PAUSED")])), status()
    service.rest(f"/connectors/{name}/resume", method="PUT")
    assert eventually(lambda: status() == ("RUNNING", [(0, "RUNNING")])), status()
    service.with_retry(f"/connectors/{name}/restart", method="POST")
    service.with_retry(f"/connectors/{name}/restart?onlyFailed=false&includeTasks=true", method="POST")
    service.rest(f"/connectors/{name}/tasks/0/restart", method="POST")
    assert eventually(lambda: status() == ("RUNNING", [(0, "RUNNING")])), status()
    service.with_retry(f"/connectors/{name}", method="DELETE")
    assert name not in service.with_retry("/connectors")
