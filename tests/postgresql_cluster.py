"""PostgreSQL clusters of a test's own, that it may kill, copy and promote: the embedded server's programs."""

from __future__ import annotations

import os
import pwd
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from sync.embedded import postgres
from sync.embedded.port import HOST, choose
from sync.embedded.process import environment

_SECONDS = 60


class Cluster:
    """One cluster in ``home``, on a port of its own. ``start`` it; ``stop`` it in the end."""

    def __init__(self, home: Path, password: str = "") -> None:
        self.home = home
        self.password = password or secrets.token_hex(8)
        self.port = choose([None], set())
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, dbname: str = "postgres") -> str:
        return postgres.dsn(self.port, self.password, dbname)

    def start(self) -> None:
        """Create the cluster where there is none, and return when it answers."""
        postgres.prepare(self.home, self.password)
        with (self.home / "log").open("ab") as log:
            command = _as_user(postgres.server_command(self.home, self.port))
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(), start_new_session=True)
        await_(lambda: postgres.answers(self.port, self.password))

    def kill(self) -> None:
        """SIGKILL, as a power cut would. Its children end when they notice."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None
        await_(lambda: not postgres.answers(self.port, self.password))

    def stop(self) -> None:
        """Stop in order, if it runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_SECONDS)
            self._process = None

    def execute(self, statement: str, dbname: str = "postgres") -> Any:
        """Run a statement; return the first value of its first row, if it has one."""
        with psycopg.connect(self.dsn(dbname), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def standby(self, home: Path, slot: str) -> Cluster:
        """Copy this cluster as a standby that keeps its failover slots; start it with ``start``."""
        made = Cluster(home, self.password)
        home.mkdir(mode=0o700, parents=True)
        if (user := postgres.run_as()) is not None:
            os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        command = [str(postgres.binaries() / "pg_basebackup"), "-d", self.dsn(), "-D", str(home / "data"), "-R"]
        subprocess.run(
            _as_user([*command, "-C", "-S", slot, "-X", "stream", "-c", "fast"]),
            check=True,
            env=environment(),
            capture_output=True,
        )
        lines = ["sync_replication_slots = on", "hot_standby_feedback = on", f"primary_slot_name = '{slot}'", ""]
        with (home / "data" / "postgresql.auto.conf").open("a", encoding="utf-8") as configuration:
            configuration.write("\n".join(lines))
        return made


def _as_user(command: list[str]) -> list[str]:
    if (user := postgres.run_as()) is None:
        return command
    return [sys.executable, "-m", "sync.embedded.launch", "--user", user, "--", *command]


def await_(condition: Callable[[], Any], seconds: float = _SECONDS) -> Any:
    """Return what ``condition`` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
    return found


__all__ = ["HOST", "Cluster", "await_"]
