"""``dongbo worker`` as a process of its own, with a group and topics of its own."""

from __future__ import annotations

import sys
import time

from bench.program import Programs
from sync.connect.client import Client
from sync.embedded.endpoint import Endpoints
from sync.embedded.port import HOST, choose
from sync.errors import SyncError

SECONDS = 120.0


class OurWorker:
    """One worker; ``programs`` ends it."""

    def __init__(self, programs: Programs, endpoints: Endpoints, group: str) -> None:
        port = choose([], {endpoints.rest_port})
        self.url = f"http://{HOST}:{port}"
        options = {
            "--bootstrap-servers": endpoints.bootstrap,
            "--schema-registry-url": endpoints.registry_url,
            "--rest-port": str(port),
            "--group": group,
            "--configs-topic": f"{group}-configs",
            "--offsets-topic": f"{group}-offsets",
            "--status-topic": f"{group}-status",
        }
        self.bootstrap = endpoints.bootstrap
        self.offsets_topic, self.status_topic = options["--offsets-topic"], options["--status-topic"]
        self._name = f"worker-{group}"
        self._programs = programs
        self._command = [sys.executable, "-c", "from sync.connect.command import app; app()", "worker"]
        self._command += [part for pair in options.items() for part in pair]

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        self._programs.start(self._name, self._command)
        await_healthy(self.url, self._programs)

    def log(self) -> str:
        """What it has logged."""
        return self._programs.log(self._name).read_text(encoding="utf-8")


def await_healthy(url: str, programs: Programs) -> None:
    """Wait until a worker, ours or Kafka Connect's, says that it has started."""
    deadline = time.monotonic() + SECONDS
    with Client(url) as client:
        while True:
            programs.check()
            try:
                if client.health()["status"] == "healthy":
                    return
            except SyncError:
                pass
            assert time.monotonic() < deadline, f"{url} does not become healthy"
            time.sleep(0.2)
