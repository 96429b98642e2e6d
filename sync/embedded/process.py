"""Processes of the stack as the operating system knows them: identity, liveness, start and end.

A process is named by its id *and* the moment it started, so that a recycled id is never taken for ours, and never
killed. ``start`` goes through ``sync.embedded.launch``, which writes that name to a file before it becomes the part.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from sync.errors import Unavailable

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Child:
    """A started part: process id, the mark of its start (see ``start_mark``) and the command it runs."""

    pid: int
    mark: str
    command: tuple[str, ...] = ()

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie counts as ended."""
        return start_mark(self.pid) == self.mark


def start_mark(pid: int) -> str | None:
    """A text that tells the process with ``pid`` from any other that has or had its id; None when it has ended.

    Linux: boot id and start time in clock ticks since boot (proc(5), field 22), which no clock change moves.
    Elsewhere: psutil's creation time.
    """
    stat = Path("/proc") / str(pid) / "stat"
    try:
        if sys.platform == "linux":
            fields = stat.read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            # A zombie's first thread may have ended before the others, which still hold its ports and files.
            ended = fields[0] in "ZXx" and int(fields[17]) <= 1
            return None if ended else f"{boot}:{fields[19]}"
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except (OSError, psutil.Error):
        return None


def load(path: Path) -> Child | None:
    """Read a child's name from the file the launcher wrote; None when there is none or it is unreadable."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Child(int(raw["pid"]), str(raw["mark"]), tuple(raw.get("command", ())))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(path: Path, child: Child) -> None:
    """Write a child's name, whole or not at all."""
    write_atomically(path, json.dumps(asdict(child)))


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace ``path``'s content in one step; a reader sees the old or the new text, never half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(mode)
    draft.replace(path)


def environment() -> dict[str, str]:
    """This process's environment with this very ``sync`` package importable, whatever the working directory."""
    result = dict(os.environ)
    result["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]))
    return result


def start(
    command: Sequence[str],
    *,
    pid_file: Path,
    log: Path,
    user: str | None = None,
    parent: Child | None = None,
    stdin: int = subprocess.DEVNULL,
) -> Child:
    """Start ``command`` in a session of its own, not as our child, output appended to ``log``; return its name.

    ``user``: run as that user (only when this process is root). ``parent``: don't start if that process has ended
    meanwhile. Raises Unavailable when it could not be started.
    """
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    pid_file.unlink(missing_ok=True)
    options = ["--pid-file", str(pid_file)]
    if user is not None:
        options += ["--user", user]
    if parent is not None:
        options += ["--parent", str(parent.pid), "--parent-mark", parent.mark]
    with log.open("ab") as output:
        subprocess.run(
            [sys.executable, "-m", "sync.embedded.launch", *options, "--", *command],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
            check=False,
        )
    child = load(pid_file)
    if child is None:
        raise Unavailable(f"{command[0]} could not be started.", hint=f"read {log}")
    return child


def stop(child: Child, ask: signal.Signals = signal.SIGTERM, *, within: float = 20.0) -> None:
    """End a process and its children: ask with ``ask``, and after ``within`` seconds kill. Fine if it has ended."""
    if not child.alive():
        return
    _send(child, ask)
    if not wait(child, within):
        kill(child)


def kill(child: Child) -> None:
    """SIGKILL a process and its children at once, as a power cut would; returns when they have ended."""
    try:
        family = psutil.Process(child.pid).children(recursive=True)
    except psutil.Error:
        family = []
    _send(child, signal.SIGKILL)
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(family, timeout=5)
    wait(child, 5.0)


def _send(child: Child, what: signal.Signals) -> None:
    if child.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, what)


def wait(child: Child, within: float) -> bool:
    """Wait until the process has ended, at most ``within`` seconds; tell whether it has."""
    deadline = time.monotonic() + within
    while child.alive():
        if time.monotonic() > deadline:
            return False
        # A process that is not our child has no portable way to be waited for.
        time.sleep(0.02)
    return True
