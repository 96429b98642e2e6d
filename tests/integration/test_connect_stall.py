"""A real task that has something to commit and cannot: it counts as stalled, is started again, and loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from sync.connect.standalone import LocalStatusLog
from sync.connect.status import State
from sync.connect.supervision import Factory, Healing, Supervisor, Wanted
from sync.progress import Progress
from sync.sink.postgresql import PLUGIN
from tests.sink_stand import Stand

pytestmark = pytest.mark.integration

WAIT = 30.0


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor(LocalStatusLog("one"), Healing(first=0.1, settle=0.5, patience=1.5), grace=2.0)
    supervisor.start()
    yield supervisor
    supervisor.close()


def sink(stand: Stand, values: dict[str, Any]) -> Factory:
    def make(progress: Progress) -> tuple[Any, Callable[[str], str]]:
        return PLUGIN.task(replace(stand.context(), progress=progress), values), str

    return make


def test_a_sink_whose_table_is_locked_is_stalled_until_it_writes_again(stand: Stand, supervisor: Supervisor) -> None:
    stand.execute("CREATE TABLE target (id text PRIMARY KEY, name text, n int)")
    topic = stand.topic()
    supervisor.assign({("s", 0): Wanted(sink(stand, stand.config(topic)))})
    topic.rows({"id": "a", "name": "", "n": 1})
    stand.until_rows("SELECT id FROM target", [("a",)])
    assert supervisor.stalled() == []
    with psycopg.connect(stand.dsn) as other:
        other.execute("LOCK TABLE target IN ACCESS EXCLUSIVE MODE")
        topic.rows({"id": "b", "name": "", "n": 2})
        assert supervisor.wait(lambda: supervisor.stalled() == [("s", 0)], WAIT)
        told = supervisor.status(("s", 0))
        assert told is not None
        assert told.state is State.RESTARTING
        assert "has committed nothing" in told.trace
    stand.until_rows("SELECT id, n FROM target ORDER BY id", [("a", 1), ("b", 2)])
    assert supervisor.wait(lambda: [s.state for s in supervisor.statuses_now()] == [State.RUNNING], WAIT)
    assert supervisor.stalled() == []
