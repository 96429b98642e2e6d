"""Real Kafka Connect with Debezium's connectors: jars, Java, and one standalone worker process.

Used by the benchmarks' peers and by the differential test. Jars come from Maven Central by coordinates, must have the
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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.program import Programs, register
from sync.embedded.endpoint import Endpoints
from sync.embedded.jar import cache_directory
from sync.embedded.kafka import java as wheel_java
from sync.embedded.port import HOST, choose
from sync.errors import Refused, Unavailable

CONNECT, DEBEZIUM = "4.1.1", "3.4.0.Final"

_WORKER_JARS = (
    f"org.apache.kafka:connect-runtime:{CONNECT}+org.apache.kafka:connect-json:{CONNECT}+org.slf4j:slf4j-simple:1.7.36"
)
_PLUGINS = {
    "debezium": f"io.debezium:debezium-connector-postgres:{DEBEZIUM}+io.debezium:debezium-connector-jdbc:{DEBEZIUM}",
}
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
_MAIN = "org.apache.kafka.connect.cli.ConnectStandalone"
_SUMS = Path(__file__).with_name("connect.sha256")


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
    home = cache_directory() / f"bench-connect-{CONNECT}-debezium-{DEBEZIUM}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=".bench") as draft:
            whole = Path(draft) / "whole"
            _resolve(_WORKER_JARS, Path(draft) / "m2", whole / "worker")
            for name, coordinates in _PLUGINS.items():
                _resolve(coordinates, Path(draft) / "m2", whole / "plugin" / name)
                for clash in (whole / "plugin" / name).glob(_CLASHING):
                    clash.unlink()
            _verify(whole)
            whole.rename(home)
    return sorted((home / "worker").glob("*.jar")), home / "plugin"


def sums(home: Path) -> dict[str, str]:
    """Path within ``home`` → SHA-256 of each jar."""
    found = sorted(home.rglob("*.jar"))
    return {path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _verify(home: Path) -> None:
    lines = (line.split() for line in _SUMS.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
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
    target.mkdir(parents=True)
    try:
        for jar in builder.from_endpoint(endpoint=endpoint).all_jars:
            shutil.copyfile(jar, target / Path(jar).name)
    except (requests.RequestException, RuntimeError, ValueError) as error:
        raise Unavailable(
            f"The peer's jars could not be downloaded from Maven Central ({type(error).__name__}).",
            hint="the first run needs the network (about 80 MB); check the connection and HTTPS_PROXY",
        ) from error


class ConnectWorker:
    """A standalone worker on the stack's Kafka; its files lie in ``data_dir``/connect."""

    def __init__(self, data_dir: Path, endpoints: Endpoints) -> None:
        self._home = data_dir / "connect"
        self._endpoints = endpoints
        self._port = choose([], {endpoints.rest_port})
        self.url = f"http://{HOST}:{self._port}"
        self.programs = Programs(data_dir)

    def start(self, options: Mapping[str, str]) -> None:
        """Start the process; ``options`` are added to the worker's properties. ``register`` waits until it answers."""
        worker, plugins = jars()
        # Positions of an earlier run mean nothing on a fresh server.
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True)
        properties = self._home / "worker.properties"
        given = {
            "bootstrap.servers": self._endpoints.bootstrap,
            "key.converter": JSON,
            "value.converter": JSON,
            "offset.storage.file.filename": str(self._home / "offsets"),
            "plugin.path": str(plugins),
            "plugin.discovery": "service_load",
            "connector.client.config.override.policy": "All",
            "listeners": self.url,
            **options,
        }
        properties.write_text("".join(f"{key}={value}\n" for key, value in given.items()), encoding="utf-8")
        path = os.pathsep.join(map(str, worker))
        self.programs.start("connect", [java(), *JVM, "-cp", path, _MAIN, str(properties)])

    def register(self, configs: Mapping[str, Mapping[str, str]]) -> None:
        """Register connectors and wait until all their tasks run. Raises Refused with a failed task's reason."""
        register(self.url, configs, self.programs.check)
