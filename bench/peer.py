"""The peer: Debezium's PostgreSQL connector and JDBC sink on a standalone Kafka Connect worker, as a user tunes them.

Jars come from Maven Central by coordinates and stay in the user's cache. One JVM: ``java`` of the PATH, else the
wheel's. Settings: ``docs/benchmarks.md``.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bench.program import Programs, register
from bench.workload import STAFF_TABLE
from sync.embedded.endpoint import Endpoints
from sync.embedded.jar import cache_directory
from sync.embedded.kafka import java as wheel_java
from sync.embedded.port import HOST, choose
from sync.errors import Unavailable
from sync.kafka.client import Topic, ensure_topics

CONNECT, DEBEZIUM = "4.1.1", "3.4.0.Final"
SOURCE, TARGET, PREFIX = "peer_source", "peer_target", "peer"

_WORKER_JARS = (
    f"org.apache.kafka:connect-runtime:{CONNECT}+org.apache.kafka:connect-json:{CONNECT}+org.slf4j:slf4j-simple:1.7.36"
)
_PLUGIN_JARS = f"io.debezium:debezium-connector-postgres:{DEBEZIUM}+io.debezium:debezium-connector-jdbc:{DEBEZIUM}"
# As bin/connect-standalone.sh and bin/kafka-run-class.sh of Kafka 4.1 set them.
JVM = (
    *("-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
    *("-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


def java() -> str:
    """The Java program: the PATH's (a user's own), else the wheel's."""
    return shutil.which("java") or wheel_java()


def java_version() -> str:
    """The first line that ``java -version`` prints, with the program's place."""
    told = subprocess.run([java(), "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    return f"{told.splitlines()[0] if told else 'unknown'} ({java()})"


def jars() -> tuple[list[Path], Path]:
    """The worker's class path and the folder for ``plugin.path``; downloads (about 80 MB) what the cache lacks.

    Raises Unavailable without the network.
    """
    home = cache_directory() / f"bench-connect-{CONNECT}-debezium-{DEBEZIUM}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=".bench") as draft:
            whole = Path(draft) / "whole"
            _resolve(_WORKER_JARS, Path(draft) / "m2", whole / "worker")
            _resolve(_PLUGIN_JARS, Path(draft) / "m2", whole / "plugin" / "debezium")
            # They clash with the worker's own: "Jdk8Module not a subtype".
            for clash in (whole / "plugin" / "debezium").glob("jackson-*"):
                clash.unlink()
            whole.rename(home)
    return sorted((home / "worker").glob("*.jar")), home / "plugin"


def _resolve(endpoint: str, repository: Path, target: Path) -> None:
    # Heavy, and only needed once.
    import requests
    from jgo.env import EnvironmentBuilder, LinkStrategy
    from jgo.maven import MavenContext, PythonResolver

    logging.getLogger("jgo").setLevel(logging.ERROR)
    context: Any = MavenContext(resolver=PythonResolver(), repo_cache=repository)
    builder: Any = EnvironmentBuilder(context=context, cache_dir=repository / "env", link_strategy=LinkStrategy.AUTO)
    target.mkdir(parents=True)
    try:
        for jar in builder.from_endpoint(endpoint=endpoint).all_jars:
            shutil.copyfile(jar, target / Path(jar).name)
    except (requests.RequestException, RuntimeError, ValueError) as error:
        raise Unavailable(
            f"The peer's jars could not be downloaded from Maven Central ({type(error).__name__}).",
            hint="the first run needs the network (about 80 MB); check the connection and HTTPS_PROXY",
        ) from error


def source_config(endpoints: Endpoints) -> dict[str, str]:
    """Debezium's PostgreSQL connector."""
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": endpoints.postgres_host,
        "database.port": str(endpoints.postgres_port),
        "database.user": endpoints.postgres_user,
        "database.password": endpoints.postgres_password,
        "database.dbname": SOURCE,
        "topic.prefix": PREFIX,
        "plugin.name": "pgoutput",
        "slot.name": "peer",
        "publication.name": "peer",
        "publication.autocreate.mode": "filtered",
        "table.include.list": f"public.{STAFF_TABLE}",
        "decimal.handling.mode": "string",
        "max.batch.size": "8192",
        "max.queue.size": "32768",
        "producer.override.linger.ms": "20",
        "producer.override.batch.size": "262144",
        "producer.override.compression.type": "lz4",
    }


def sink_config(endpoints: Endpoints) -> dict[str, str]:
    """Debezium's JDBC sink."""
    address = f"{endpoints.postgres_host}:{endpoints.postgres_port}"
    return {
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": "1",
        "topics": f"{PREFIX}.public.{STAFF_TABLE}",
        "connection.url": f"jdbc:postgresql://{address}/{TARGET}?reWriteBatchedInserts=true",
        "connection.username": endpoints.postgres_user,
        "connection.password": endpoints.postgres_password,
        "insert.mode": "upsert",
        "delete.enabled": "true",
        "primary.key.mode": "record_key",
        "schema.evolution": "basic",
        "collection.name.format": STAFF_TABLE,
        "batch.size": "2000",
        "use.reduction.buffer": "true",
        "consumer.override.max.poll.records": "2000",
    }


class Peer:
    """A ``bench.side.Side``: the whole of it is one JVM."""

    name = "peer"
    databases: tuple[str, ...] = (SOURCE, TARGET)
    source = SOURCE
    target, target_table = TARGET, f"public.{STAFF_TABLE}"
    adds_synced_at = True
    """Its sink has no column for the moment of the write: the target's own default gives it."""

    def __init__(self, data_dir: Path, endpoints: Endpoints) -> None:
        self._home = data_dir / "connect"
        self._endpoints = endpoints
        self._port = choose([], {endpoints.rest_port})
        self.url = f"http://{HOST}:{self._port}"
        self.programs = Programs(data_dir)

    def start(self) -> None:
        """Start the worker and register both connectors; returns when they run."""
        worker, plugins = jars()
        # Positions of an earlier trial mean nothing on a fresh server.
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True)
        properties = self._home / "worker.properties"
        options = {
            "bootstrap.servers": self._endpoints.bootstrap,
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "offset.storage.file.filename": str(self._home / "offsets"),
            "plugin.path": str(plugins),
            "plugin.discovery": "service_load",
            "connector.client.config.override.policy": "All",
            "listeners": self.url,
        }
        properties.write_text("".join(f"{key}={value}\n" for key, value in options.items()), encoding="utf-8")
        # The broker makes no topics by itself.
        ensure_topics(self._endpoints.bootstrap, [Topic(f"{PREFIX}.public.{STAFF_TABLE}")])
        path = os.pathsep.join(map(str, worker))
        main = "org.apache.kafka.connect.cli.ConnectStandalone"
        self.programs.start("connect", [java(), *JVM, "-cp", path, main, str(properties)])
        register(self.url, self.configs(), self.programs.check)

    def configs(self) -> dict[str, dict[str, str]]:
        """The connectors' configurations by name."""
        return {"peer-sink": sink_config(self._endpoints), "peer-source": source_config(self._endpoints)}
