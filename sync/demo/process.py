"""The project's own processes as the demo runs them: the worker and the four processors, each by its command.

Started through ``sync.embedded.process``, which writes each one's name beside those of the stack's parts: so the
stack's watchdog ends them too when the demo's process ends, however it ends. Used by ``sync.demo.command`` and fault
tests.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from sync.connect.client import Client
from sync.embedded import process
from sync.embedded.endpoint import Endpoints
from sync.embedded.port import choose
from sync.errors import SyncError, Unavailable
from sync.kafka.client import cluster_id

NAMES = ("worker", "validate", "reconcile", "candidates", "indicators")

PASSWORD_VARIABLE = "DONGBO_DB_PASSWORD"
POLL_SECONDS = 0.1


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float, hint: str = "") -> None:
    """Ask ``condition`` again and again until it holds; Unavailable naming ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Unavailable(f"{what} was waited for {seconds:.0f} s in vain.", hint=hint)
        # What is waited for tells nobody when it is done: it has to be asked again.
        time.sleep(POLL_SECONDS)


class Processes:
    """The five processes of one demo. ``data_dir`` is the stack's."""

    def __init__(self, data_dir: Path, endpoints: Endpoints) -> None:
        self.data_dir = data_dir.absolute()
        self._endpoints = endpoints
        self.ports: dict[str, int] = {}
        usual = {"worker": endpoints.rest_port, "web": 6066}
        usual |= {"validate": 9101, "reconcile": 9102, "indicators": 9103, "candidates": 9104}
        for name, port in usual.items():
            self.ports[name] = choose([port], self.ports.values())
        self.rest_url = f"http://{endpoints.postgres_host}:{self.ports['worker']}"

    def start(self) -> None:
        """Start all; returns at once (``wait_for_worker``)."""
        for name in NAMES:
            self._start(name)

    def wait_for_worker(self) -> None:
        """Wait until the worker is healthy. Raises Unavailable."""
        cluster = cluster_id(self._endpoints.bootstrap)
        with Client(self.rest_url) as client:
            wait_until(
                lambda: self._healthy(client, cluster),
                "The worker's REST API",
                seconds=60,
                hint=f"read {self.log('worker')}",
            )

    def _healthy(self, client: Client, cluster: str) -> bool:
        self.check()
        try:
            healthy = client.health().get("status") == "healthy"
            # Another worker may have taken the port meanwhile: it would take our connectors for its own.
            return healthy and httpx.get(f"{self.rest_url}/", timeout=10).json()["kafka_cluster_id"] == cluster
        except (SyncError, httpx.HTTPError):
            return False

    def check(self) -> None:
        """Unavailable naming the first process that has ended by itself."""
        for name in NAMES:
            child = process.load(self._pid_file(name))
            if child is None or not child.alive():
                raise Unavailable(f"The process {name} has ended.", hint=f"read {self.log(name)}")

    def kill(self, name: str) -> None:
        """SIGKILL, as a power cut would."""
        child = process.load(self._pid_file(name))
        if child is not None:
            process.kill(child)

    def restart(self, name: str) -> None:
        """Start a process that was killed again."""
        self._start(name)

    def stop(self) -> None:
        """Stop all in order, writers first; fine when they have ended."""
        stop(self.data_dir)

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self.data_dir / "log" / f"{name}.log"

    def _start(self, name: str) -> None:
        process.start(self._command(name), pid_file=self._pid_file(name), log=self.log(name))

    def _command(self, name: str) -> list[str]:
        where = [
            "--bootstrap-servers",
            self._endpoints.bootstrap,
            "--schema-registry-url",
            self._endpoints.registry_url,
        ]
        dongbo = [sys.executable, "-m", "sync.cli"]
        if name == "worker":
            return [*dongbo, "worker", *where, "--rest-port", str(self.ports["worker"]), "--log-level", "INFO"]
        own = ["--data-dir", str(self.data_dir), "--metrics-port", str(self.ports[name])]
        web = ["--web-port", str(self.ports["web"])] if name == "indicators" else []
        return [*dongbo, "process", name, *where, *own, *web]

    def _pid_file(self, name: str) -> Path:
        return _pid_file(self.data_dir, name)


def _pid_file(data_dir: Path, name: str) -> Path:
    return data_dir / "run" / f"{name}.json"


def stop(data_dir: Path) -> None:
    """Stop the processes of a demo in ``data_dir``, of an earlier run too."""
    for name in NAMES:
        child = process.load(_pid_file(data_dir, name))
        if child is not None:
            process.stop(child, within=15)
        _pid_file(data_dir, name).unlink(missing_ok=True)


def provide_password(endpoints: Endpoints) -> None:
    """Put the databases' address and password where the connectors' ``${env:…}`` placeholders find them."""
    os.environ["DONGBO_DB_HOST"] = endpoints.postgres_host
    os.environ["DONGBO_DB_PORT"] = str(endpoints.postgres_port)
    os.environ["DONGBO_DB_USER"] = endpoints.postgres_user
    os.environ[PASSWORD_VARIABLE] = endpoints.postgres_password
