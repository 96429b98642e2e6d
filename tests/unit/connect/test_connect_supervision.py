"""How long a failed task rests, and what a stop that is not heard leads to."""

from __future__ import annotations

import threading
from typing import NoReturn

from connect_fakes import WAIT, MemoryStatusLog
from hypothesis import given
from hypothesis import strategies as st

from sync.connect.status import State, Status, body, trace
from sync.connect.supervision import Healing, Supervisor, Wanted
from sync.errors import Unavailable
from sync.progress import Progress
from tests.eventually import eventually


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_up_to_a_limit_and_never_vanish(attempt: int, chance: float) -> None:
    healing = Healing(first=0.5, longest=30.0)
    pause = healing.delay(attempt, chance)
    assert 0.25 <= pause <= 30.0
    assert healing.delay(attempt + 1, 0.0) >= healing.delay(attempt, 0.0)


def shown(supervisor: Supervisor) -> Status:
    """The state of the task a-0."""
    status = supervisor.status(("a", 0))
    assert status is not None
    return status


class Deaf:
    """A task that does not hear its stop."""

    def __init__(self, release: threading.Event) -> None:
        self.release = release
        self.began = threading.Event()

    def run(self, stop: threading.Event) -> None:
        self.began.set()
        self.release.wait(WAIT)
        assert stop.is_set()


class Quitter:
    """A task that returns without having been told."""

    def run(self, _stop: threading.Event) -> None: ...


def test_a_task_that_ignores_its_stop_is_abandoned_after_the_grace() -> None:
    release, statuses = threading.Event(), MemoryStatusLog()
    tasks = [Deaf(release), Deaf(release)]
    supervisor = Supervisor(statuses, grace=0.1)
    supervisor.start()
    supervisor.assign({("a", 0): Wanted(lambda _: (tasks[0], str), 1)})
    assert tasks[0].began.wait(WAIT)
    supervisor.assign({("a", 0): Wanted(lambda _: (tasks[1], str), 2)})
    assert tasks[1].began.wait(WAIT)
    assert not supervisor.close(0.1)
    release.set()


def test_a_task_that_ends_by_itself_has_failed() -> None:
    statuses = MemoryStatusLog()
    supervisor = Supervisor(statuses)
    supervisor.start()
    supervisor.assign({("a", 0): Wanted(lambda _: (Quitter(), str))})
    assert supervisor.wait(lambda: shown(supervisor).state is State.FAILED, WAIT)
    assert "ended by itself" in shown(supervisor).trace
    assert supervisor.close()


def test_a_task_that_keeps_failing_shows_restarting_not_running() -> None:
    statuses = MemoryStatusLog()

    def failing(_: Progress) -> NoReturn:
        raise Unavailable("away")

    supervisor = Supervisor(statuses, healing=Healing(first=0.001, longest=0.001, settle=1.0))
    supervisor.start()
    supervisor.assign({("a", 0): Wanted(failing)})
    assert supervisor.wait(lambda: statuses.states("a").count(State.RESTARTING) >= 1, WAIT)
    assert supervisor.wait(lambda: shown(supervisor).state is State.RESTARTING, WAIT)
    assert statuses.states("a") == [State.RUNNING, State.RESTARTING]
    supervisor.close()


def test_a_trace_tells_causes_without_their_messages() -> None:
    try:
        try:
            raise ValueError("079203001234")
        except ValueError as error:
            raise Unavailable("the database is away", hint="look") from error
    except Unavailable as error:
        told = trace(error)
    assert told.startswith("sync.errors.Unavailable: the database is away Remedy: look\n\tat ")
    assert "Caused by: builtins.ValueError\n\tat " in told
    assert "079203001234" not in told


class Clock:
    """Time that tests move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Busy:
    """A task that always has something to commit, and commits when it is let."""

    def __init__(self, progress: Progress, commits: bool) -> None:
        self.progress = progress
        self.commits = commits

    def run(self, stop: threading.Event) -> None:
        self.progress.pending()
        if self.commits:
            self.progress.advanced()
        stop.wait()


def test_a_task_that_commits_nothing_is_started_again_and_counts_as_stalled_until_it_commits() -> None:
    clock, statuses, commits = Clock(), MemoryStatusLog(), [False, True]
    supervisor = Supervisor(statuses, Healing(first=0.01, settle=0.0, patience=60.0), clock=clock, chance=lambda: 0.0)
    supervisor.start()
    supervisor.assign({("a", 0): Wanted(lambda progress: (Busy(progress, commits.pop(0)), str))})
    assert eventually(lambda: len(commits) == 1)
    assert supervisor.stalled() == []
    clock.now += 61.0
    assert eventually(lambda: supervisor.stalled() == [("a", 0)])
    assert shown(supervisor).state is State.RESTARTING
    clock.now += 1.0
    assert eventually(lambda: supervisor.stalled() == [] and shown(supervisor).state is State.RUNNING)
    traces = [status.trace for status in statuses.published if status.state is State.RESTARTING]
    assert "has had something to commit for 61 s and has committed nothing" in traces[0]
    assert supervisor.close()


class Reading(Busy):
    """A task whose snapshot goes on each time it is let, and then ends."""

    def __init__(self, progress: Progress, rows: list[int | None], go: threading.Semaphore) -> None:
        super().__init__(progress, commits=True)
        self.rows = rows
        self.go = go

    def run(self, stop: threading.Event) -> None:
        for rows in self.rows:
            self.go.acquire()
            self.progress.snapshot = None if rows is None else {"tables": 2, "tables_remaining": 1, "rows": rows}
        super().run(stop)


def test_the_status_tells_how_far_a_snapshot_has_come() -> None:
    statuses, go = MemoryStatusLog(), threading.Semaphore(0)
    supervisor = Supervisor(statuses, Healing(settle=0.0))
    supervisor.start()
    supervisor.assign({("a", 0): Wanted(lambda progress: (Reading(progress, [10, 20, None], go), str))})
    for rows in (10, 20):
        go.release()
        expected = {"tables": 2, "tables_remaining": 1, "rows": rows}
        assert eventually(lambda expected=expected: shown(supervisor).snapshot == expected)
        assert statuses.published[-1].snapshot == expected
        assert body(shown(supervisor), "one")["snapshot"] == expected
    go.release()
    assert eventually(lambda: shown(supervisor).snapshot is None)
    assert "snapshot" not in body(shown(supervisor), "one")
    assert supervisor.close()


def test_a_task_that_fails_for_too_long_is_left_failed_with_its_last_reason() -> None:
    clock, statuses = Clock(), MemoryStatusLog()

    def failing(_: Progress) -> NoReturn:
        clock.now += 10.0
        raise Unavailable("the database is away")

    supervisor = Supervisor(statuses, Healing(first=0.0, longest=20.0, give_up=35.0), clock=clock, chance=lambda: 0.0)
    supervisor.start()
    supervisor.assign({("a", 0): Wanted(failing)})
    assert eventually(lambda: shown(supervisor).state is State.FAILED)
    told = shown(supervisor).trace
    assert told.startswith("The task is not started again after ")
    assert "Remedy: mend the cause, then restart it." in told
    assert "the database is away" in told
    assert supervisor.close()


def test_a_task_waits_until_its_former_worker_has_let_go() -> None:
    free, running = threading.Event(), threading.Event()

    class Running:
        def run(self, stop: threading.Event) -> None:
            running.set()
            stop.wait()

    supervisor = Supervisor(MemoryStatusLog())
    supervisor.start()
    supervisor.assign({("a", 0): Wanted(lambda _: (Running(), str), ready=free.is_set)})
    assert not running.wait(0.5)
    assert shown(supervisor).state is State.UNASSIGNED
    free.set()
    assert running.wait(WAIT)
    assert supervisor.close()
