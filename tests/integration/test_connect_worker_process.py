"""A real worker process: registers a real source, survives SIGKILL, ends on SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sync.connect.client import Client
from sync.connect.problem import BadRequest, NotReady
from sync.connect.registrations import registrations
from sync.errors import Unavailable
from sync.kafka.client import read_all, topic_names
from sync.kafka.registrations import Registrations
from tests.eventually import START, eventually

pytestmark = pytest.mark.integration

WAIT = 30.0


@dataclass
class Running:
    """One worker process and where its log is."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""

    def wait_until_healthy(self) -> None:
        assert eventually(self._healthy, START), self.log.read_text()

    def _healthy(self) -> bool:
        found = [line.rpartition(" ")[2] for line in self.log.read_text().splitlines() if " serves http" in line]
        self.url = found[0] if found else ""
        if not self.url:
            assert self.process.poll() is None, self.log.read_text()
            return False
        try:
            with Client(self.url) as client:
                return client.health()["status"] == "healthy"
        except (Unavailable, NotReady):
            return False


@dataclass
class Group:
    """Workers that share a group and its topics, which are the test's own."""

    bootstrap: str
    registry_url: str
    folder: Path
    secret: str
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    started: list[Running] = field(default_factory=list)

    def worker(self, worker_id: str, port: int = 0, more: Sequence[str] = ()) -> Running:
        log = self.folder / f"{len(self.started)}.log"
        command = [sys.executable, "-c", "from sync.connect.command import app; app()", "worker"]
        options = {
            "--bootstrap-servers": self.bootstrap,
            "--schema-registry-url": self.registry_url,
            "--rest-port": str(port),
            "--worker-id": worker_id,
            "--group": self.name,
            "--configs-topic": f"{self.name}-configs",
            "--offsets-topic": f"{self.name}-offsets",
            "--status-topic": f"{self.name}-status",
        }
        arguments = [part for pair in options.items() for part in pair]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, *arguments, *more],
                stdout=output,
                stderr=output,
                env={**os.environ, "SOURCE_PW": self.secret},
            )
        running = Running(process, log)
        self.started.append(running)
        return running


@pytest.fixture
def source_database(database: Callable[[str], str]) -> dict[str, Any]:
    dsn = database("connect_source")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE can_bo (so_cccd text PRIMARY KEY, ho_ten text)")
        connection.execute("INSERT INTO can_bo VALUES ('000000000001', 'A')")
    return conninfo_to_dict(dsn)


@pytest.fixture
def group(kafka: str, registry_url: str, tmp_path: Path, source_database: dict[str, Any]) -> Iterator[Group]:
    group = Group(kafka, registry_url, tmp_path, str(source_database.get("password", "")))
    yield group
    for running in group.started:
        if running.process.poll() is None:
            running.process.terminate()
    for running in group.started:
        running.process.wait(10)
    # Origins belong to the whole server, which other tests share, and their number is limited.
    with psycopg.connect(**source_database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname LIKE %s",
            (f"%{group.name}%",),
        )


@pytest.fixture
def config(source_database: dict[str, Any], group: Group) -> dict[str, Any]:
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": source_database["host"],
        "database.port": source_database["port"],
        "database.user": source_database["user"],
        "database.password": "${env:SOURCE_PW}",
        "database.dbname": source_database["dbname"],
        "topic.prefix": f"src_{group.name}",
        "slot.name": f"slot_{group.name}",
        "plugin.name": "pgoutput",
        "publication.name": f"pub_{group.name}",
        "publication.autocreate.mode": "filtered",
        "table.include.list": "public.can_bo",
        "dongbo.source.authority": "locality",
        "dongbo.source.locality": "01",
        "dongbo.mappings": "public.can_bo:civil_servant/vn_short",
        "unknown.key": "x",
    }


def task_state(client: Client, name: str) -> str:
    tasks = client.status(name)["tasks"]
    return str(tasks[0]["state"]) if tasks else ""


def captured(group: Group) -> int:
    topic = f"src_{group.name}.public.can_bo"
    return sum(1 for _ in read_all(group.bootstrap, topic)) if topic in topic_names(group.bootstrap) else 0


def test_a_source_is_registered_over_rest_and_survives_sigkill(group: Group, config: dict[str, Any]) -> None:
    first = group.worker("one")
    first.wait_until_healthy()
    with Client(first.url) as client:
        with pytest.raises(BadRequest) as caught:
            client.apply("src", {**config, "database.password": "wrong-password"})
        assert "wrong-password" not in str(caught.value)
        assert "contains the following" in str(caught.value)
        assert client.names() == []
        told = client.apply("src", config)
        assert told["config"]["database.password"] == "${env:SOURCE_PW}"
        assert eventually(lambda: task_state(client, "src") == "RUNNING"), client.status("src")
    assert eventually(lambda: captured(group) == 1), first.log.read_text()
    first.process.kill()
    first.process.wait(10)
    second = group.worker("one")
    second.wait_until_healthy()
    with Client(second.url) as client:
        assert eventually(lambda: task_state(client, "src") == "RUNNING"), client.status("src")
        assert httpx.get(f"{second.url}/connectors/src/offsets", trust_env=False).json()["offsets"] != []
        assert "dongbo_task_running" in httpx.get(f"{second.url}/metrics", trust_env=False).text
    began = time.monotonic()
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(10) == 0, second.log.read_text()
    assert time.monotonic() - began < 5
    logs = first.log.read_text() + second.log.read_text()
    assert "'unknown.key' was supplied but isn't a known config" in logs
    for secret in (group.secret, "wrong-password", "Traceback"):
        assert secret == "" or secret not in logs


def test_a_source_and_a_sink_registered_over_rest_carry_changes(
    group: Group, config: dict[str, Any], source_database: dict[str, Any], database: Callable[[str], str]
) -> None:
    target = conninfo_to_dict(database("connect_target"))
    sink = {
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "connection.url": f"jdbc:postgresql://{target['host']}:{target['port']}/{target['dbname']}",
        "connection.username": target["user"],
        "connection.password": "${env:SOURCE_PW}",
        "topics": f"src_{group.name}.public.can_bo",
        "insert.mode": "upsert",
        "delete.enabled": "true",
        "primary.key.mode": "record_key",
        "schema.evolution": "basic",
        "dongbo.table.map": f"src_{group.name}.public.can_bo:public.central",
    }
    name = f"central_{group.name}"
    worker = group.worker("one")
    worker.wait_until_healthy()

    def central() -> list[tuple[Any, ...]]:
        with psycopg.connect(**target) as connection:
            if connection.execute("SELECT to_regclass('public.central')").fetchone() == (None,):
                return []
            return connection.execute("SELECT so_cccd, ho_ten FROM public.central ORDER BY 1").fetchall()

    with Client(worker.url) as client:
        client.apply("src", config)
        assert eventually(lambda: captured(group) == 1)
        client.apply(name, sink)
        assert eventually(lambda: central() == [("000000000001", "A")]), (
            client.status(name),
            worker.log.read_text(),
        )
        with psycopg.connect(**source_database, autocommit=True) as connection:
            connection.execute("INSERT INTO can_bo VALUES ('000000000002', 'B')")
            connection.execute("DELETE FROM can_bo WHERE so_cccd = '000000000001'")
        assert eventually(lambda: central() == [("000000000002", "B")]), client.status(name)
        offsets = httpx.get(f"{worker.url}/connectors/{name}/offsets", trust_env=False).json()["offsets"]
        assert [entry["partition"]["kafka_topic"] for entry in offsets] == [sink["topics"]]
        topics = httpx.get(f"{worker.url}/connectors/{name}/topics", trust_env=False).json()
        assert topics == {name: {"topics": [sink["topics"]]}}
        client.pause(name)
        assert eventually(lambda: task_state(client, name) == "PAUSED")
        client.delete(name)
        assert client.names() == ["src"]
    assert group.secret not in worker.log.read_text()


def test_a_standalone_worker_runs_the_connectors_of_its_files_and_declares_sources(
    group: Group, config: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "src.properties"
    file.write_text("# a source\n" + "".join(f"{key} = {value}\n" for key, value in {"name": "src", **config}.items()))
    worker = group.worker("alone", more=["--standalone", str(file)])
    worker.wait_until_healthy()
    assert eventually(lambda: captured(group) == 1), worker.log.read_text()
    with Client(worker.url) as client:
        assert eventually(lambda: client.names() == ["src"] and task_state(client, "src") == "RUNNING")
        assert client.status("src")["tasks"][0]["worker_id"] == "alone"
        client.pause("src")
        assert eventually(lambda: task_state(client, "src") == "PAUSED")
    declared = Registrations(group.bootstrap, f"{group.name}-configs")
    declared.poll()
    assert [source["topic.prefix"] for source in declared.sources()] == [f"src_{group.name}"]
    declared.close()
    # Nothing else of it is registered anywhere: no group would take the connector over.
    assert registrations(group.bootstrap, f"{group.name}-configs") == {}
    worker.process.terminate()
    assert worker.process.wait(10) == 0


def test_a_standalone_workers_file_names_the_state_to_begin_in(
    group: Group, config: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "src.json"
    # Numbers and booleans as people write them in JSON.
    content = {**config, "tasks.max": 1, "provide.transaction.metadata": False}
    file.write_text(json.dumps({"name": "src", "config": content, "initial_state": "stopped"}))
    worker = group.worker("alone", more=["--standalone", str(file)])
    worker.wait_until_healthy()
    with Client(worker.url) as client:
        assert eventually(lambda: client.names() == ["src"])
        assert eventually(lambda: client.status("src")["connector"]["state"] == "STOPPED")
        assert client.status("src")["tasks"] == []


def test_a_standalone_worker_with_a_wrong_connector_ends_and_says_why(
    group: Group, config: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "src.json"
    file.write_text(json.dumps({"name": "src", "config": {**config, "database.password": "wrong-password"}}))
    worker = group.worker("alone", more=["--standalone", str(file)])
    assert worker.process.wait(START) == 1
    assert "contains the following" in worker.log.read_text()
    assert "wrong-password" not in worker.log.read_text()


def test_a_taken_port_is_a_clear_error(group: Group) -> None:
    first = group.worker("one")
    first.wait_until_healthy()
    second = group.worker("two", int(first.url.rpartition(":")[2]))
    assert second.process.wait(START) == 1
    assert "choose another by --rest-port" in second.log.read_text()
    assert first.process.poll() is None
