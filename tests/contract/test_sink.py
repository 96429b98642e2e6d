"""What every sink promises (``ports.Task``), on real servers. A new kind adds its stand to ``stand``."""

from __future__ import annotations

import pytest

from sync.errors import Refused
from tests.postgresql_server import EVERY_SERVER
from tests.sink_stand import Stand

pytestmark = [pytest.mark.integration, EVERY_SERVER]


ROWS = "SELECT id, name, n FROM target ORDER BY id"


def test_rows_are_written_changed_and_deleted_in_order(stand: Stand) -> None:
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1}, {"id": "b", "name": None, "n": None}, {"id": "c", "name": "", "n": 0})

    with stand.running(stand.config(topic)):
        stand.until_rows(ROWS, [("a", "A", 1), ("b", None, None), ("c", "", 0)])
        topic.rows({"id": "a", "name": "A2", "n": 2})
        topic.delete("b")
        topic.delete("c")
        topic.rows({"id": "c", "name": "again", "n": 3})
        stand.until_rows(ROWS, [("a", "A2", 2), ("c", "again", 3)])


def test_a_restarted_task_writes_nothing_again_and_goes_on_behind_the_last_commit(stand: Stand) -> None:
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})
    with stand.running(stand.config(topic)):
        stand.until_rows(ROWS, [("a", "A", 1)])
    stand.query("UPDATE target SET n = 99 RETURNING 1")

    topic.rows({"id": "b", "name": "B", "n": 2})

    with stand.running(stand.config(topic)):
        stand.until_rows(ROWS, [("a", "A", 99), ("b", "B", 2)])


def test_an_idle_and_a_busy_task_stop_within_two_seconds(stand: Stand) -> None:
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})
    idle = stand.start(stand.config(topic))
    stand.until_rows(ROWS, [("a", "A", 1)])
    assert idle.halt() < 2

    topic.rows(*({"id": f"k{i}", "name": "x" * 100, "n": i} for i in range(20_000)))
    busy = stand.start(stand.config(topic, batch_size=100))
    stand.until(lambda: stand.query("SELECT count(*) FROM target")[0][0] > 100)
    assert busy.halt() < 2
    assert busy.errors == []


def test_a_record_that_no_one_can_read_stops_the_task_with_its_place(stand: Stand) -> None:
    topic = stand.topic()
    topic.send([(topic.key("a"), b"garbage")])

    error = stand.start(stand.config(topic)).error()

    assert isinstance(error, Refused)
    assert f"{topic.name}-0@0" in str(error)
    assert "garbage" not in str(error)
    assert error.hint


def test_two_topics_and_many_partitions_are_written_by_two_tasks(stand: Stand) -> None:
    first, second = stand.topic(partitions=4), stand.topic(partitions=2)
    values = stand.config(first, second)
    tasks = [stand.start(values, task, 2) for task in range(2)]

    first.rows(*({"id": f"a{i}", "name": "A", "n": i} for i in range(2000)))
    second.rows(*({"id": f"b{i}", "name": "B", "n": i} for i in range(2000)))

    stand.until_rows("SELECT count(*), sum(n)::bigint FROM target", [(4000, 2 * sum(range(2000)))])
    for task in tasks:
        task.halt()
        assert task.errors == []
