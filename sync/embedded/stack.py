"""Kafka, PostgreSQL and a schema registry on this machine, each a process of its own, as one thing.

Called by ``dongbo dev`` (lifetime "detached": it stays up after the command has returned), the demo and the tests
(lifetime "parent": it ends with the process that started it, however that ends). Everything lies in one directory::

    endpoints.json   addresses, ports and the database password (only the owner may read it)
    run/<part>.json  the running process of each part: id, start, command
    kafka/ postgres/ data and configuration      log/<part>.log
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from sync.embedded import kafka, process
from sync.embedded.endpoint import Endpoints, State
from sync.embedded.jar import Progress, disk_error, quiet
from sync.embedded.part import PARTS, Part, PartStatus
from sync.embedded.port import choose, is_free
from sync.embedded.process import Child
from sync.errors import ConfigError, Unavailable

Lifetime = Literal["detached", "parent"]

_DEFAULT_PORTS = {
    "kafka_port": 9092,
    "controller_port": 9093,
    "registry_port": 8081,
    "postgres_port": 5432,
    "rest_port": 8083,
}
_READY_SECONDS = 150.0
"""Many times what a start needs (4 s), for machines with much else to do; a part that ends is noticed at once."""
_POLL_SECONDS = 0.1
_STARTS = 3
_LEAST_FREE_BYTES = 512 * 1024 * 1024

_owned: dict[Path, int] = {}
"""Our ends of the watchdogs' pipes. They stay open until this process ends: that is what the watchdogs wait for."""


class Stack:
    """The parts of one data directory. Several processes may use it; each operation locks the directory."""

    def __init__(self, data_dir: Path, *, lifetime: Lifetime = "detached", progress: Progress | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self._lifetime = lifetime
        self._progress = progress or quiet
        self._parts: dict[str, Part] = {part.name: part for part in (make(self.data_dir) for make in PARTS)}
        self._lock = threading.RLock()

    def up(self) -> Endpoints:
        """Make all parts run and answer; return where. Parts that do already are left alone.

        Ports: those of the last time, else the usual ones, else free ones. Raises Unavailable (no network for the
        first download, a part that doesn't come up), ConfigError (disk full or not writable, wrong architecture,
        missing package), Refused (altered download).
        """
        with self._alone():
            self._await_old_watchdog()
            state = State.load(self._state_file) or _new_state()
            if self._lifetime == "parent":
                self._watch()
            for attempt in range(_STARTS):
                state = self._with_free_ports(state)
                state.save(self._state_file)
                try:
                    self._start_all(state)
                    return state.endpoints
                except Unavailable:
                    if attempt + 1 == _STARTS or not self._port_lost(state):
                        raise
            raise AssertionError("unreachable")

    def down(self) -> None:
        """Stop all parts in order, data kept. Fine when they don't run."""
        if not self.data_dir.exists():
            return
        with self._alone():
            self._stop_all()

    def reset(self) -> None:
        """Stop all parts and delete their data, ports and password. Downloads stay in the user's cache."""
        if not self.data_dir.exists():
            return
        with self._alone():
            self._stop_all()
            # state and faust are the processors' caches of topics that are gone then.
            for name in ("kafka", "postgres", "run", "log", "state", "faust"):
                shutil.rmtree(self.data_dir / name, ignore_errors=True)
            self._state_file.unlink(missing_ok=True)

    def status(self) -> list[PartStatus]:
        """How each part is, in starting order; nothing is changed. All are down when there is no stack yet."""
        state = State.load(self._state_file)
        return [self._status(part, state) for part in self._parts.values()]

    def endpoints(self) -> Endpoints:
        """Where the parts answer. Raises ConfigError when this directory has never been up."""
        state = State.load(self._state_file)
        if state is None:
            raise ConfigError(f"There is no stack in {self.data_dir}.", hint="dongbo dev up")
        return state.endpoints

    def kill(self, name: str) -> None:
        """SIGKILL a part with all its processes, as a power cut would (fault tests)."""
        child = self._child(self._part(name).name)
        if child is not None:
            process.kill(child)

    def restart(self, name: str) -> None:
        """Start a part again on the same ports (after ``kill``), or stop it in order and start it again.

        Returns when it answers. Raises Unavailable when it doesn't come up.
        """
        part = self._part(name)
        with self._alone():
            state = State.load(self._state_file)
            if state is None:
                raise ConfigError(f"There is no stack in {self.data_dir}.", hint="dongbo dev up")
            if (child := self._child(name)) is not None:
                process.stop(child, part.ask)
            self._start(part, state)

    # -- parts ---------------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        for part in reversed(self._parts.values()):
            if (child := self._child(part.name)) is not None:
                self._progress(f"stopping {part.name}", 0, 0)
                process.stop(child, part.ask)
            self._pid_file(part.name).unlink(missing_ok=True)
        self._unwatch()

    def _start_all(self, state: State) -> None:
        """Kafka and PostgreSQL at once, then the registry, which needs Kafka."""
        first = [self._parts["kafka"], self._parts["postgres"]]
        with ThreadPoolExecutor(len(first)) as pool:
            for done in [pool.submit(self._ensure, part, state) for part in first]:
                done.result()
        self._ensure(self._parts["registry"], state)

    def _ensure(self, part: Part, state: State) -> None:
        """Leave a part that answers alone; one that was just started gets its time; else start it afresh."""
        child = self._child(part.name)
        if child is not None and child.alive():
            # Started by an owner that died before it answered? Then it is about to.
            if part.fits(child.command, state) and self._becomes_ready(part, state, child):
                return
            process.stop(child, part.ask)
        self._start(part, state)

    def _start(self, part: Part, state: State) -> None:
        try:
            _check_space(self.data_dir)
            part.prepare(state, self._progress)
            self._progress(f"starting {part.name}", 0, 0)
            child = process.start(
                part.command(state),
                pid_file=self._pid_file(part.name),
                log=self._log_file(part.name),
                user=part.user,
                parent=_this() if self._lifetime == "parent" else None,
            )
        except OSError as error:
            raise disk_error(error, self.data_dir) from error
        if not self._becomes_ready(part, state, child):
            ended = not child.alive()
            process.stop(child, part.ask, within=5)
            what = "ended while starting" if ended else f"did not answer within {_READY_SECONDS:.0f} s"
            raise Unavailable(
                f"The embedded {part.name} {what} on {part.address(state)}.", hint=f"read {self._log_file(part.name)}"
            )
        self._progress(f"{part.name} is ready", 0, 0)

    def _becomes_ready(self, part: Part, state: State, child: Child) -> bool:
        deadline = time.monotonic() + _READY_SECONDS
        while child.alive() and time.monotonic() < deadline:
            if part.answers(state):
                return True
            # A server that starts tells nobody when it is done: it has to be asked again.
            time.sleep(_POLL_SECONDS)
        return False

    def _status(self, part: Part, state: State | None) -> PartStatus:
        child = self._child(part.name)
        running = child is not None and child.alive()
        return PartStatus(
            name=part.name,
            running=running,
            healthy=running and state is not None and part.answers(state),
            pid=child.pid if child is not None and running else None,
            address=part.address(state) if state is not None else "",
        )

    # -- ports ---------------------------------------------------------------------------------------------------

    def _with_free_ports(self, state: State) -> State:
        """Keep the ports of parts that run; give the others the same as last time, the usual or free ones."""
        held = {
            port
            for part in self._parts.values()
            if (child := self._child(part.name)) is not None and child.alive()
            for port in part.ports(state)
        }
        taken = set(held)
        changed: dict[str, int] = {}
        for field, usual in _DEFAULT_PORTS.items():
            last: int = getattr(state, field)
            if last not in held:
                changed[field] = choose([last or None, usual], taken)
            taken.add(changed.get(field, last))
        return replace(state, **cast(Any, changed))

    def _port_lost(self, state: State) -> bool:
        """Whether another program took a port between our choice and our part's start."""
        return any(
            not is_free(port)
            for part in self._parts.values()
            if (child := self._child(part.name)) is None or not child.alive()
            for port in part.ports(state)
        )

    # -- the owner's death ---------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Start the watchdog that ends the parts when this process has ended (see ``sync.embedded.watchdog``)."""
        if self.data_dir in _owned:
            return
        theirs, ours = os.pipe()
        owner = _this()
        try:
            process.start(
                [sys.executable, "-m", "sync.embedded.watchdog", str(self._run_dir), str(owner.pid), owner.mark],
                pid_file=self._watchdog_file,
                log=self._log_file("watchdog"),
                stdin=theirs,
            )
        finally:
            os.close(theirs)
        _owned[self.data_dir] = ours

    def _unwatch(self) -> None:
        """End the watchdog before it sees its pipe closed: the parts of a later owner are none of its business."""
        if (watchdog := process.load(self._watchdog_file)) is not None:
            process.kill(watchdog)
        self._watchdog_file.unlink(missing_ok=True)
        if (pipe := _owned.pop(self.data_dir, None)) is not None:
            os.close(pipe)

    def _await_old_watchdog(self) -> None:
        """Where the former owner has just died, let its watchdog finish before anything is started again."""
        watchdog = process.load(self._watchdog_file)
        if watchdog is None or len(watchdog.command) < 2:
            return
        *_, pid, mark = watchdog.command
        if process.start_mark(int(pid)) != mark:
            process.wait(watchdog, _READY_SECONDS)

    # -- files ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the directory's lock: one operation at a time, over threads and processes."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            file = (self.data_dir / "lock").open("w")
        except OSError as error:
            raise disk_error(error, self.data_dir) from error
        with self._lock, file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _part(self, name: str) -> Part:
        if name not in self._parts:
            raise ConfigError(f"There is no part named {name}.", hint=f"one of {', '.join(self._parts)}")
        return self._parts[name]

    def _child(self, name: str) -> Child | None:
        return process.load(self._pid_file(name))

    @property
    def _run_dir(self) -> Path:
        return self.data_dir / "run"

    def _pid_file(self, name: str) -> Path:
        return self._run_dir / f"{name}.json"

    def _log_file(self, name: str) -> Path:
        return self.data_dir / "log" / f"{name}.log"

    @property
    def _watchdog_file(self) -> Path:
        return self.data_dir / "watchdog.json"

    @property
    def _state_file(self) -> Path:
        return self.data_dir / "endpoints.json"


def _this() -> Child:
    mark = process.start_mark(os.getpid())
    assert mark is not None, "this process runs"
    return Child(os.getpid(), mark)


def _new_state() -> State:
    return State(
        **dict.fromkeys(_DEFAULT_PORTS, 0), cluster_id=kafka.new_cluster_id(), postgres_password=secrets.token_hex(16)
    )


def _check_space(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < _LEAST_FREE_BYTES:
        raise ConfigError(
            f"Only {free // 1024**2} MB are free on the disk of {directory}.",
            hint=f"free at least {_LEAST_FREE_BYTES // 1024**2} MB, or choose another place with --data-dir",
        )
