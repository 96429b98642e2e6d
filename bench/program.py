"""Programs under measurement: started beside the stack's parts, so that they end with the benchmark, however that ends.

Used by ``bench.ours`` and ``bench.peer``. Connectors are registered over REST, which is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import measurement
from sync.connect.client import Client
from sync.demo.process import wait_until
from sync.embedded import process
from sync.embedded.process import Child
from sync.errors import Refused, SyncError, Unavailable

START_SECONDS = 120.0


class Programs:
    """The processes of one variant, by name. ``data_dir`` is the stack's: its watchdog ends what is named there."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._children: dict[str, Child] = {}

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start ``command``. Raises Unavailable."""
        pid_file = self._data_dir / "run" / f"{name}.json"
        self._children[name] = process.start(command, pid_file=pid_file, log=self.log(name))

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self._data_dir / "log" / f"{name}.log"

    def check(self) -> None:
        """Unavailable naming the first process that has ended by itself."""
        for name, child in self._children.items():
            if not child.alive():
                raise Unavailable(f"The process {name} has ended.", hint=f"read {self.log(name)}")

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each process so far."""
        return {name: measurement.process_cpu(child.pid) for name, child in self._children.items()}

    def rss(self) -> dict[str, int]:
        """The greatest resident size of each process so far, bytes."""
        return {name: measurement.process_rss(child.pid) for name, child in self._children.items()}

    def reset_peak(self) -> None:
        """Let ``rss`` tell what comes from now on."""
        for child in self._children.values():
            measurement.reset_peak(child.pid)

    def stop(self) -> None:
        """End all in order of their start; fine when they have ended."""
        for name, child in self._children.items():
            process.stop(child, within=20)
            (self._data_dir / "run" / f"{name}.json").unlink(missing_ok=True)
        self._children.clear()


def register(url: str, configs: Mapping[str, Mapping[str, str]], check: Callable[[], None]) -> None:
    """Wait for the REST API, register the connectors and wait until all their tasks run.

    ``check`` is called at every look. Raises Refused with a failed task's reason, Unavailable.
    """
    with Client(url) as client:

        def answers() -> bool:
            check()
            try:
                client.names()
            except SyncError:
                return False
            return True

        def running() -> bool:
            check()
            return all(_runs(client, name) for name in configs)

        wait_until(answers, f"The REST API at {url}", seconds=START_SECONDS)
        for name, config in configs.items():
            client.apply(name, config)
        wait_until(running, "The connectors' start", seconds=START_SECONDS)


def check_tasks(url: str, names: Sequence[str]) -> None:
    """Raise Refused with the reason of the first task that has failed."""
    with Client(url) as client:
        for name in names:
            _runs(client, name)


def _runs(client: Client, name: str) -> bool:
    try:
        tasks = client.status(name)["tasks"]
    except SyncError:
        # Connect tells of a new connector a moment after it has accepted it.
        return False
    for task in tasks:
        if task["state"] == "FAILED":
            raise Refused(f"The connector {name} failed: {str(task.get('trace', ''))[:1500]}")
    return bool(tasks) and all(task["state"] == "RUNNING" for task in tasks)
