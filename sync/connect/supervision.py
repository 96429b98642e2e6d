"""Runs tasks in threads and heals them: one supervising thread starts, stops and restarts all of them.

Called by ``sync.connect.worker``, which says what shall run (``deploy``, ``withdraw``, ``restart``); what to do
about an error is decided by ``errors.decide``. A task of a new configuration starts only after the old one's
thread has ended (or has ignored its stop for ``grace`` seconds: then the new task's transactional id fences it).
State changes are told to a ``StatusLog``; a task that keeps failing shows RESTARTING, not RUNNING.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sync import metrics
from sync.connect.status import State, Status, StatusLog, trace
from sync.errors import Decision, SyncError, decide
from sync.ports import Task

log = logging.getLogger(__name__)

Factory = Callable[[], tuple[Task, Callable[[str], str]]]
"""Makes a task, not started, and the function that scrubs its secrets from a text; may raise a SyncError."""


@dataclass(frozen=True, slots=True)
class Healing:
    """How failed tasks are started again. Delays in seconds; ``settle`` is how long a restarted task must live."""

    first: float = 0.5
    longest: float = 30.0
    settle: float = 2.0

    def delay(self, attempt: int, chance: float) -> float:
        """Pause before restart ``attempt`` (from 1): doubling up to ``longest``, half of it by ``chance`` in [0, 1)."""
        full = min(self.longest, self.first * float(2 ** min(attempt - 1, 30)))
        return full * (0.5 + 0.5 * chance)


@dataclass(eq=False, slots=True)
class _Run:
    """One thread of one task."""

    connector: str
    index: int
    stop: threading.Event
    started: float
    thread: threading.Thread | None = None
    deadline: float = float("inf")
    error: BaseException | None = None
    ended: bool = False
    scrub: Callable[[str], str] = str


@dataclass(eq=False, slots=True)
class _Slot:
    """What shall be: one task of one connector."""

    connector: str
    index: int
    factory: Factory
    wanted: State
    state: State = State.UNASSIGNED
    trace: str = ""
    run: _Run | None = None
    attempt: int = 0
    not_before: float = 0.0

    @property
    def status(self) -> Status:
        return Status(self.connector, self.index, self.state, self.trace)


@dataclass(eq=False)
class Supervisor:
    """All tasks of one worker. ``tick`` is called about every 0.2 s in the supervising thread (may be None)."""

    statuses: StatusLog
    healing: Healing = field(default_factory=Healing)
    grace: float = 5.0
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    tick: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self._slots: dict[str, list[_Slot]] = {}
        self._retiring: list[_Run] = []
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start supervising."""
        self._thread.start()

    def deploy(self, connector: str, factories: Sequence[Factory], *, running: bool = True) -> None:
        """Make ``connector`` have exactly these tasks, running or paused, in place of those it had."""
        wanted = State.RUNNING if running else State.PAUSED
        with self._changed:
            self._retire_all(connector, keep=len(factories))
            self._slots[connector] = [_Slot(connector, i, make, wanted) for i, make in enumerate(factories)]
            self._changed.notify_all()

    def withdraw(self, connector: str) -> None:
        """Stop and forget all tasks of ``connector``; returns at once, ``idle`` tells when they have ended."""
        with self._changed:
            self._retire_all(connector, keep=0)
            self._slots.pop(connector, None)
            self._changed.notify_all()

    def steer(self, connector: str, *, running: bool) -> None:
        """Pause or resume the tasks of ``connector``; a failed task stays failed until it is restarted."""
        with self._changed:
            for slot in self._slots.get(connector, ()):
                slot.wanted = State.RUNNING if running else State.PAUSED
                if not running and slot.run is not None:
                    self._retire(slot)
            self._changed.notify_all()

    def restart(self, connector: str, indexes: Iterable[int]) -> None:
        """Start these tasks anew, failed ones too, with a fresh count of attempts."""
        with self._changed:
            chosen = set(indexes)
            for slot in self._slots.get(connector, ()):
                if slot.index in chosen:
                    self._retire(slot)
                    slot.attempt, slot.not_before = 0, 0.0
                    self._show(slot, State.RESTARTING)
            self._changed.notify_all()

    def status(self, connector: str) -> list[Status]:
        """The states of the tasks of ``connector``, by index."""
        with self._changed:
            return [slot.status for slot in self._slots.get(connector, ())]

    def idle(self, connector: str) -> bool:
        """True if no thread of ``connector`` is alive."""
        with self._changed:
            return not self._alive(connector)

    @property
    def alive(self) -> bool:
        """Whether the supervising thread runs."""
        return self._thread.is_alive()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Block until ``condition`` (evaluated at each state change) holds; False after ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def close(self, timeout: float = 4.0, *, publish: bool = True) -> bool:
        """Stop all tasks, wait ``timeout`` seconds for them; False if some did not end (their threads are daemons).

        Without ``publish`` the states are left to the worker that took over.
        """
        with self._changed:
            self._closing = True
            for slots in self._slots.values():
                for slot in slots:
                    self._retire(slot)
            self._changed.notify_all()
            ended = self._changed.wait_for(lambda: all(run.ended for run in self._retiring), timeout)
            for slot in (slot for slots in self._slots.values() for slot in slots if publish):
                self._show(slot, State.UNASSIGNED)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)
        return ended

    def _supervise(self) -> None:
        while True:
            with self._changed:
                if self._closing:
                    return
                self._turn()
                self._changed.wait(0.2)
            if self.tick is not None:
                self.tick()

    def _turn(self) -> None:
        """One decision about everything; called with the lock held."""
        now = self.clock()
        self._bury(now)
        for slots in self._slots.values():
            for slot in slots:
                self._advance(slot, now)

    def _bury(self, now: float) -> None:
        late = [run for run in self._retiring if not run.ended and now > run.deadline]
        for run in late:
            log.error(
                "Task %s-%d did not stop within %.0f s and is abandoned; its successor fences it.",
                run.connector,
                run.index,
                self.grace,
            )
        buried = [run for run in self._retiring if run.ended or run in late]
        for run in buried:
            if run.error is not None:
                kind = type(run.error).__qualname__
                log.warning("Task %s-%d ended with %s while stopping.", run.connector, run.index, kind)
        if buried:
            self._retiring = [run for run in self._retiring if run not in buried]
            self._changed.notify_all()

    def _advance(self, slot: _Slot, now: float) -> None:
        if slot.run is not None and slot.run.ended:
            self._conclude(slot, slot.run, now)
        elif slot.run is not None:
            if slot.state is not State.RUNNING and now - slot.run.started >= self.healing.settle:
                slot.attempt = 0
                self._show(slot, State.RUNNING)
        elif self._alive(slot.connector, retiring_only=True) or slot.state is State.FAILED:
            return
        elif slot.wanted is State.PAUSED:
            self._show(slot, State.PAUSED)
        elif now >= slot.not_before:
            self._launch(slot, now)

    def _launch(self, slot: _Slot, now: float) -> None:
        run = _Run(slot.connector, slot.index, threading.Event(), now)
        name = f"task-{slot.connector}-{slot.index}"
        run.thread = threading.Thread(target=self._body, args=(run, slot.factory), name=name, daemon=True)
        slot.run = run
        if slot.attempt == 0:
            self._show(slot, State.RUNNING)
        else:
            self._show(slot, State.RESTARTING, slot.trace)
        run.thread.start()

    def _body(self, run: _Run, factory: Factory) -> None:
        """A task's thread: whatever happens in it ends as an outcome."""
        try:
            task, run.scrub = factory()
            task.run(run.stop)
            if not run.stop.is_set():
                raise SyncError(
                    "The task ended by itself, without having been told to stop.",
                    hint="restart the task; if it happens again, report it with this trace",
                )
        except BaseException as error:  # noqa: BLE001 - the supervisor decides about every outcome
            run.error = error
        with self._changed:
            run.ended = True
            self._changed.notify_all()

    def _conclude(self, slot: _Slot, run: _Run, now: float) -> None:
        slot.run = None
        error = run.error
        if error is None:
            return
        # A task that lived well before it failed starts over with short pauses.
        slot.attempt = 1 if now - run.started > self.healing.longest else slot.attempt + 1
        text = trace(error, run.scrub)
        told = run.scrub(str(error)) if isinstance(error, SyncError) else type(error).__qualname__
        if decide(error) is not Decision.RETRY:
            log.error("Task %s-%d failed: %s", slot.connector, slot.index, told)
            self._show(slot, State.FAILED, text)
            return
        pause = self.healing.delay(slot.attempt, self.chance())
        slot.not_before = now + pause
        metrics.TASK_RESTARTS.labels(slot.connector, str(slot.index)).inc()
        log.warning("Task %s-%d starts again in %.1f s: %s", slot.connector, slot.index, pause, told)
        self._show(slot, State.RESTARTING, text)

    def _show(self, slot: _Slot, state: State, text: str = "") -> None:
        if (slot.state, slot.trace) == (state, text):
            return
        slot.state, slot.trace = state, text
        metrics.TASK_STATE.labels(slot.connector, str(slot.index)).set(state is State.RUNNING)
        self.statuses.publish(slot.status)
        self._changed.notify_all()

    def _retire_all(self, connector: str, *, keep: int) -> None:
        for slot in self._slots.get(connector, ()):
            self._retire(slot)
            if slot.index >= keep:
                metrics.TASK_STATE.remove(connector, str(slot.index))
                self.statuses.forget(slot.status)

    def _retire(self, slot: _Slot) -> None:
        if slot.run is not None:
            slot.run.stop.set()
            slot.run.deadline = self.clock() + self.grace
            self._retiring.append(slot.run)
            slot.run = None

    def _alive(self, connector: str, *, retiring_only: bool = False) -> bool:
        if any(run.connector == connector and not run.ended for run in self._retiring):
            return True
        if retiring_only:
            return False
        return any(slot.run is not None and not slot.run.ended for slot in self._slots.get(connector, ()))
