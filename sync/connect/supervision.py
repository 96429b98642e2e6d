"""Runs tasks in threads and heals them: one supervising thread starts, stops and restarts all of them.

Called by ``sync.connect.herder``, which says what shall run here (``assign``) and when a task is to start anew
(``restart``); what to do about an error is decided by ``errors.decide``. A task of a new configuration starts only
after the old one's thread has ended (or has ignored its stop for ``grace`` seconds: then the new task's transactional
id fences it). State changes are told to a ``StatusLog``; a task that keeps failing shows RESTARTING, not RUNNING, and
so does one that commits nothing although it has something to commit.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from sync import metrics
from sync.connect.registrations import TaskId
from sync.connect.status import State, Status, StatusLog, trace
from sync.errors import Decision, Fenced, SyncError, Unavailable, decide
from sync.ports import Task
from sync.progress import Progress
from sync.stop import Stop

log = logging.getLogger(__name__)

_TURN, _REST = 0.2, 1.0
"""Seconds between looks at the tasks: while one is to start, end or settle, and otherwise (for stalls)."""

_FENCES, _FENCE_WINDOW = 3, 60.0
"""How often a task that was fenced claims its identity back within so many seconds."""

Factory = Callable[[Progress], tuple[Task, Callable[[str], str]]]
"""Makes a task, not started, that tells its progress, and the function that scrubs its secrets from a text; may raise
a SyncError."""


@dataclass(frozen=True, slots=True)
class Healing:
    """How failed tasks are started again. Times in seconds.

    ``settle`` is how long a restarted task must live to count as running, ``patience`` how long a task may have
    something to commit without committing anything, ``give_up`` after how much failing a task is left FAILED.
    """

    first: float = 0.5
    longest: float = 30.0
    settle: float = 2.0
    patience: float = 120.0
    give_up: float = 86_400.0

    def delay(self, attempt: int, chance: float) -> float:
        """Pause before restart ``attempt`` (from 1): doubling up to ``longest``, half of it by ``chance`` in [0, 1)."""
        full = min(self.longest, self.first * float(2 ** min(attempt - 1, 30)))
        return full * (0.5 + 0.5 * chance)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task that shall be here. It starts anew when ``identity`` differs, and not before ``ready`` holds."""

    factory: Factory
    identity: object = None
    running: bool = True
    ready: Callable[[], bool] = lambda: True


@dataclass(eq=False, slots=True)
class _Run:
    """One thread of one task. ``farewell`` tells the others, when it has ended, what becomes of its status."""

    id: TaskId
    stop: Stop
    started: float
    progress: Progress
    thread: threading.Thread | None = None
    deadline: float = float("inf")
    error: BaseException | None = None
    ended: bool = False
    scrub: Callable[[str], str] = str
    farewell: Callable[[], None] | None = None


@dataclass(eq=False, slots=True)
class _Held:
    """A task that shall be here, and what has become of it. ``failing`` is when its present row of failures began."""

    id: TaskId
    wanted: Wanted
    state: State = State.UNASSIGNED
    trace: str = ""
    run: _Run | None = None
    attempt: int = 0
    not_before: float = 0.0
    failing: float | None = None
    stalled: bool = False
    snapshot: Mapping[str, int] | None = None
    fenced: list[float] = field(default_factory=list)

    @property
    def status(self) -> Status:
        return Status(*self.id, self.state, self.trace, self.snapshot)

    @property
    def labels(self) -> tuple[str, str]:
        return self.id[0], str(self.id[1])


@dataclass(eq=False)
class Supervisor:
    """All tasks that one worker runs."""

    statuses: StatusLog
    healing: Healing = field(default_factory=Healing)
    grace: float = 5.0
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        self._held: dict[TaskId, _Held] = {}
        self._retiring: list[_Run] = []
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start supervising."""
        self._thread.start()

    def assign(self, wanted: Mapping[TaskId, Wanted], *, deleted: Collection[TaskId] = (), lost: bool = False) -> None:
        """Have exactly these tasks; returns at once, ``settle`` waits for those that are to end.

        A task that leaves is told UNASSIGNED when it has ended, and one of ``deleted`` is forgotten then. With ``lost``
        nothing is told, for another worker may have it already.
        """
        with self._changed:
            for gone in self._held.keys() - wanted.keys():
                self._drop(self._held.pop(gone), deleted=gone in deleted, lost=lost)
            for id_, want in wanted.items():
                held = self._held.get(id_)
                if held is None:
                    self._held[id_] = _Held(id_, want)
                elif held.wanted.identity != want.identity:
                    self._retire(held)
                    self._held[id_] = _Held(id_, want)
                else:
                    held.wanted = want
                    if not want.running:
                        self._retire(held)
            self._changed.notify_all()

    def restart(self, ids: Iterable[TaskId]) -> None:
        """Start these tasks anew, failed ones too, with a fresh count of attempts; those not here are passed over."""
        with self._changed:
            for held in (self._held[id_] for id_ in ids if id_ in self._held):
                self._retire(held)
                held.attempt, held.not_before, held.failing = 0, 0.0, None
                self._show(held, State.RESTARTING)
            self._changed.notify_all()

    def status(self, id_: TaskId) -> Status | None:
        """The state of a task that is here, or None."""
        with self._changed:
            held = self._held.get(id_)
            return held.status if held else None

    def statuses_now(self) -> list[Status]:
        """The states of all tasks that are here."""
        with self._changed:
            return [held.status for held in self._held.values()]

    def stalled(self) -> list[TaskId]:
        """The tasks that have made no progress since they were last restarted for that."""
        with self._changed:
            return sorted(held.id for held in self._held.values() if held.stalled)

    def idle(self, connector: str) -> bool:
        """True if no thread of ``connector`` is alive here."""
        with self._changed:
            return not self._ending(connector) and not any(
                held.run is not None and not held.run.ended for held in self._held.values() if held.id[0] == connector
            )

    @property
    def alive(self) -> bool:
        """Whether the supervising thread runs."""
        return self._thread.is_alive()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Block until ``condition`` (evaluated at each state change) holds; False after ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def settle(self, timeout: float) -> bool:
        """Wait until every task that is to end has ended and is told so; False after ``timeout`` seconds."""
        deadline = self.clock() + timeout
        with self._changed:
            ended = self._changed.wait_for(lambda: all(run.ended for run in self._retiring), timeout)
            self._bury(max(deadline, self.clock()))
        return ended

    def close(self, timeout: float = 4.0) -> bool:
        """Stop all tasks, wait ``timeout`` seconds for them; False if some did not end (their threads are daemons)."""
        self.assign({})
        ended = self.settle(timeout)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)
        return ended

    def _supervise(self) -> None:
        while True:
            with self._changed:
                if self._closing:
                    return
                self._turn()
                self._changed.wait(_REST if self._at_rest() else _TURN)

    def _turn(self) -> None:
        """One decision about everything; called with the lock held."""
        now = self.clock()
        self._bury(now)
        for held in self._held.values():
            self._advance(held, now)

    def _at_rest(self) -> bool:
        """Whether nothing can happen without a word from a task's thread or from the herder."""
        return not self._retiring and all(
            (held.run is not None and held.state is State.RUNNING)
            or held.state is State.FAILED
            or (held.state is State.PAUSED and not held.wanted.running)
            for held in self._held.values()
        )

    def _bury(self, now: float) -> None:
        late = [run for run in self._retiring if not run.ended and now > run.deadline]
        for run in late:
            log.error(
                "Task %s-%d did not stop within %.0f s and is abandoned; its successor fences it.", *run.id, self.grace
            )
        buried = [run for run in self._retiring if run.ended or run in late]
        for run in buried:
            if run.error is not None:
                log.warning("Task %s-%d ended with %s while stopping.", *run.id, type(run.error).__qualname__)
            if run.farewell is not None:
                run.farewell()
        if buried:
            self._retiring = [run for run in self._retiring if run not in buried]
            self._changed.notify_all()

    def _advance(self, held: _Held, now: float) -> None:
        run = held.run
        if run is not None and run.ended:
            self._conclude(held, run, now)
        elif run is not None:
            self._watch(held, run, now)
        elif held.state is State.FAILED or self._ending(held.id[0]):
            return
        elif not held.wanted.running:
            self._show(held, State.PAUSED)
        elif now >= held.not_before and held.wanted.ready():
            self._launch(held, now)

    def _launch(self, held: _Held, now: float) -> None:
        run = held.run = _Run(held.id, Stop(), now, Progress(self.clock))
        name = f"task-{held.id[0]}-{held.id[1]}"
        run.thread = threading.Thread(target=self._body, args=(run, held.wanted.factory), name=name, daemon=True)
        if held.attempt == 0:
            self._show(held, State.RUNNING)
        else:
            self._show(held, State.RESTARTING, held.trace)
        run.thread.start()

    def _body(self, run: _Run, factory: Factory) -> None:
        """A task's thread: whatever happens in it ends as an outcome."""
        try:
            task, run.scrub = factory(run.progress)
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

    def _watch(self, held: _Held, run: _Run, now: float) -> None:
        """Look at a running task: has it settled, and does it get on?"""
        waiting = run.progress.waiting()
        # What there was to commit may be committed: by the run before, while it ended.
        rests = waiting == 0.0 and now - run.started >= self.healing.patience
        if held.stalled and (run.progress.commits or rests):
            held.stalled = False
            metrics.TASK_STALLED.labels(*held.labels).set(0)
        if waiting > self.healing.patience:
            held.stalled = True
            metrics.TASK_STALLED.labels(*held.labels).set(1)
            self._retire(held)
            self._heal(held, run, now, _stall(waiting))
        elif held.state is not State.RUNNING and not held.stalled and now - run.started >= self.healing.settle:
            self._show(held, State.RUNNING)
        if held.run is run and held.snapshot != run.progress.snapshot:
            # So often as tasks are looked at: each second.
            held.snapshot = run.progress.snapshot
            self.statuses.publish(held.status)

    def _conclude(self, held: _Held, run: _Run, now: float) -> None:
        held.run = None
        if run.error is not None:
            self._heal(held, run, now, run.error)

    def _heal(self, held: _Held, run: _Run, now: float, error: BaseException) -> None:
        """Decide what follows ``error``: a restart after a pause, or FAILED."""
        lived = now - run.started > self.healing.longest and not held.stalled
        if held.failing is None or lived:
            # A task that lived well before it failed starts over with short pauses.
            held.failing, held.attempt = now, 0
        held.attempt += 1
        text = trace(error, run.scrub)
        told = run.scrub(str(error)) if isinstance(error, SyncError) else type(error).__qualname__
        if decide(error) is not Decision.RETRY and not self._reclaims(held, error, now):
            log.error("Task %s-%d failed: %s", *held.id, told)
            self._show(held, State.FAILED, text)
        elif now - held.failing >= self.healing.give_up:
            log.error("Task %s-%d is not started again after %d attempts: %s", *held.id, held.attempt, told)
            self._show(held, State.FAILED, _GIVEN_UP.format(held.attempt, now - held.failing) + text)
        else:
            pause = self.healing.delay(held.attempt, self.chance())
            held.not_before = now + pause
            metrics.TASK_RESTARTS.labels(*held.labels).inc()
            log.warning("Task %s-%d starts again in %.1f s: %s", *held.id, pause, told)
            self._show(held, State.RESTARTING, text)

    def _reclaims(self, held: _Held, error: BaseException, now: float) -> bool:
        """Whether a task that was fenced starts again, for it is ours: a zombie's last start may have fenced it.

        The zombie learns soon that it is one. Where it happens again and again, two groups run one connector.
        """
        if not isinstance(error, Fenced):
            return False
        held.fenced = [*(at for at in held.fenced if now - at < _FENCE_WINDOW), now]
        return len(held.fenced) <= _FENCES

    def _show(self, held: _Held, state: State, text: str = "") -> None:
        if (held.state, held.trace) == (state, text):
            return
        held.state, held.trace = state, text
        if state is not State.RUNNING:
            held.snapshot = None
        metrics.TASK_STATE.labels(*held.labels).set(state is State.RUNNING)
        self.statuses.publish(held.status)
        self._changed.notify_all()

    def _drop(self, held: _Held, *, deleted: bool, lost: bool) -> None:
        farewell: Callable[[], None] | None = None
        if deleted:
            farewell = partial(self.statuses.forget, held.status)
        elif not lost:
            farewell = partial(self.statuses.publish, Status(*held.id, State.UNASSIGNED))
        run = self._retire(held) or self._last(held.id)
        if run is not None:
            run.farewell = farewell
        elif farewell is not None:
            farewell()
        for metric in (metrics.TASK_STATE, metrics.TASK_STALLED):
            metric.remove(*held.labels)

    def _retire(self, held: _Held) -> _Run | None:
        run = held.run
        if run is not None:
            run.stop.set()
            run.deadline = self.clock() + self.grace
            self._retiring.append(run)
            held.run = None
        return run

    def _last(self, id_: TaskId) -> _Run | None:
        """The run of a task that is told to end and has not yet."""
        return next((run for run in reversed(self._retiring) if run.id == id_ and not run.ended), None)

    def _ending(self, connector: str) -> bool:
        return any(run.id[0] == connector and not run.ended for run in self._retiring)


_GIVEN_UP = "The task is not started again after {} attempts in {:.0f} s. Remedy: mend the cause, then restart it.\n"


def _stall(waiting: float) -> Unavailable:
    return Unavailable(
        f"The task has had something to commit for {waiting:.0f} s and has committed nothing.",
        hint="look for locks and load at the source or target, and at Kafka; the task is started again",
    )
