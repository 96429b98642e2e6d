"""Real Kafka Connect with Debezium's connectors: jars, Java, and one worker process, standalone or distributed.

Used by the benchmarks' peers and by the differential tests. Jars come from Maven Central by coordinates, must have the
sums in ``connect.sha256`` beside this file, and stay in the user's cache. One JVM: ``java`` of the PATH, else the
wheel's.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.program import Programs, register
from sync.embedded.endpoint import Endpoints
from sync.embedded.jar import cache_directory
from sync.embedded.kafka import java as wheel_java
from sync.embedded.port import HOST, choose
from sync.errors import Refused, Unavailable

CONNECT, DEBEZIUM, LOG4J = "4.1.1", "3.4.0.Final", "2.24.3"

_WORKER_JARS = (
    f"org.apache.kafka:connect-runtime:{CONNECT}+org.apache.kafka:connect-json:{CONNECT}+org.slf4j:slf4j-simple:1.7.36"
)
_PLUGINS = {
    "debezium": f"io.debezium:debezium-connector-postgres:{DEBEZIUM}+io.debezium:debezium-connector-jdbc:{DEBEZIUM}",
}
_LOG4J_JARS = (
    f"org.apache.logging.log4j:log4j-core:{LOG4J}+org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J}"
    "+org.slf4j:slf4j-api:1.7.36"
)
# They clash with the worker's own: "Jdk8Module not a subtype".
_CLASHING = "jackson-*"

# As bin/connect-standalone.sh and bin/kafka-run-class.sh of Kafka 4.1 set them.
JVM = (
    *("-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
    *("-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    # Java's own default since 18; before, it follows the locale, and Debezium reads names by it.
    "-Dfile.encoding=UTF-8",
)
JSON = "org.apache.kafka.connect.json.JsonConverter"
_STANDALONE = "org.apache.kafka.connect.cli.ConnectStandalone"
_DISTRIBUTED = "org.apache.kafka.connect.cli.ConnectDistributed"
_SUMS = Path(__file__).with_name("connect.sha256")
_LOG4J_SUMS = Path(__file__).with_name("log4j.sha256")


def java() -> str:
    """The Java program: the PATH's (a user's own), else the wheel's."""
    return shutil.which("java") or wheel_java()


def java_version() -> str:
    """The first line that ``java -version`` prints, with the program's place."""
    told = subprocess.run([java(), "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    return f"{told.splitlines()[0] if told else 'unknown'} ({java()})"


def jars() -> tuple[list[Path], Path]:
    """The worker's class path and the folder for ``plugin.path``; downloads (about 80 MB) what the cache lacks.

    Raises Unavailable without the network, Refused where a file has other contents than the pinned ones.
    """

    def fill(whole: Path, repository: Path) -> None:
        _resolve(_WORKER_JARS, repository, whole / "worker")
        for name, coordinates in _PLUGINS.items():
            _resolve(coordinates, repository, whole / "plugin" / name)
            for clash in (whole / "plugin" / name).glob(_CLASHING):
                clash.unlink()

    home = _kept(f"bench-connect-{CONNECT}-debezium-{DEBEZIUM}", fill, _SUMS)
    return sorted((home / "worker").glob("*.jar")), home / "plugin"


def logging_jars() -> list[Path]:
    """Log4j, by which a worker's loggers tell their levels; in place of ``slf4j-simple``. Raises as ``jars``."""

    def fill(whole: Path, repository: Path) -> None:
        _resolve(_LOG4J_JARS, repository, whole)

    home = _kept(f"bench-log4j-{LOG4J}", fill, _LOG4J_SUMS)
    return sorted(home.glob("*.jar"))


def _kept(name: str, fill: Callable[[Path, Path], None], sums_file: Path) -> Path:
    """A folder of the user's cache; filled, and held against its sums, where it isn't there."""
    home = cache_directory() / name
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=".bench") as draft:
            whole = Path(draft) / "whole"
            whole.mkdir()
            fill(whole, Path(draft) / "m2")
            _verify(whole, sums_file)
            whole.rename(home)
    return home


def sums(home: Path) -> dict[str, str]:
    """Path within ``home`` → SHA-256 of each jar."""
    found = sorted(home.rglob("*.jar"))
    return {path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _verify(home: Path, sums_file: Path) -> None:
    lines = (line.split() for line in sums_file.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    wanted = {name: digest for digest, name in lines}
    found = sums(home)
    if bad := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise Refused(
            f"{len(bad)} of the peer's files are not the pinned ones, first {bad[0]}.",
            hint="a proxy may be altering downloads; try another network",
        )


def _resolve(endpoint: str, repository: Path, target: Path) -> None:
    # Heavy, and only needed once.
    import requests
    from jgo.env import EnvironmentBuilder, LinkStrategy
    from jgo.maven import MavenContext, PythonResolver

    logging.getLogger("jgo").setLevel(logging.ERROR)
    context: Any = MavenContext(resolver=PythonResolver(), repo_cache=repository)
    builder: Any = EnvironmentBuilder(context=context, cache_dir=repository / "env", link_strategy=LinkStrategy.AUTO)
    target.mkdir(parents=True, exist_ok=True)
    try:
        for jar in builder.from_endpoint(endpoint=endpoint).all_jars:
            shutil.copyfile(jar, target / Path(jar).name)
    except (requests.RequestException, RuntimeError, ValueError) as error:
        raise Unavailable(
            f"The peer's jars could not be downloaded from Maven Central ({type(error).__name__}).",
            hint="the first run needs the network (about 80 MB); check the connection and HTTPS_PROXY",
        ) from error


class ConnectWorker:
    """A worker on the stack's Kafka, distributed where it has a ``group``; its files lie in ``data_dir``/``name``."""

    def __init__(self, data_dir: Path, endpoints: Endpoints, name: str = "connect", group: str = "") -> None:
        self._home = data_dir / name
        self._name, self._group = name, group
        self._endpoints = endpoints
        self._port = choose([], {endpoints.rest_port})
        self.url = f"http://{HOST}:{self._port}"
        self.programs = Programs(data_dir)

    def start(self, options: Mapping[str, str], *, log4j: bool = False) -> None:
        """Start the process; ``options`` are added to the worker's properties. ``register`` waits until it answers.

        With ``log4j`` the levels of its loggers can be asked for and changed.
        """
        worker, plugins = jars()
        if log4j:
            worker = [jar for jar in worker if not jar.name.startswith("slf4j-simple")] + logging_jars()
        # Positions of an earlier run mean nothing on a fresh server.
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True)
        properties = self._home / "worker.properties"
        given = {
            "bootstrap.servers": self._endpoints.bootstrap,
            "key.converter": JSON,
            "value.converter": JSON,
            "plugin.path": str(plugins),
            "plugin.discovery": "service_load",
            "connector.client.config.override.policy": "All",
            "listeners": self.url,
            **self._storage(),
            **options,
        }
        properties.write_text("".join(f"{key}={value}\n" for key, value in given.items()), encoding="utf-8")
        path = os.pathsep.join(map(str, worker))
        main = _DISTRIBUTED if self._group else _STANDALONE
        self.programs.start(self._name, [java(), *JVM, "-cp", path, main, str(properties)])

    def _storage(self) -> dict[str, str]:
        if not self._group:
            return {"offset.storage.file.filename": str(self._home / "offsets")}
        kinds = ("config", "offset", "status")
        return {
            "group.id": self._group,
            "group.initial.rebalance.delay.ms": "0",
            "scheduled.rebalance.max.delay.ms": "0",
            "exactly.once.source.support": "enabled",
            **{f"{kind}.storage.topic": f"{self._group}-{kind}" for kind in kinds},
            **{f"{kind}.storage.replication.factor": "1" for kind in kinds},
            **{f"{kind}.storage.partitions": "1" for kind in kinds[1:]},
        }

    def register(self, configs: Mapping[str, Mapping[str, str]]) -> None:
        """Register connectors and wait until all their tasks run. Raises Refused with a failed task's reason."""
        register(self.url, configs, self.programs.check)
