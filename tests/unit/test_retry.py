from __future__ import annotations

import itertools
import math
import threading

import pytest

from sync.errors import Unavailable
from sync.retry import Retries, until


class Clock:
    """Goes on by each pause."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def paused(retries: Retries, chance: float = 0.5, most: int = 50) -> list[float]:
    clock, found = Clock(), []
    for pause in itertools.islice(retries.pauses(clock, lambda: chance), most):
        found.append(round(pause, 3))
        clock.now += pause
    return found


def test_by_default_there_is_one_attempt() -> None:
    assert Retries.of({}) == Retries(0.0, 60.0)
    assert paused(Retries.of({})) == []


def test_pauses_double_until_the_time_is_over() -> None:
    assert paused(Retries.of({"errors.retry.timeout": 5000})) == [0.3, 0.6, 1.2, 2.4, 0.5]


def test_pauses_beyond_the_longest_are_a_part_of_it_by_chance() -> None:
    retries = Retries.of({"errors.retry.timeout": 3000, "errors.retry.delay.max.ms": 1000})
    assert paused(retries) == [0.3, 0.6, 0.5, 0.5, 0.5, 0.5, 0.1]


def test_without_a_limit_it_is_tried_for_ever() -> None:
    retries = Retries.of({"errors.retry.timeout": -1, "errors.retry.delay.max.ms": 1000})
    assert retries.timeout == math.inf
    assert len(paused(retries)) == 50


def test_a_task_that_is_to_stop_tries_no_more() -> None:
    stop = threading.Event()
    pause = until(stop)
    pause(0.0)
    stop.set()
    with pytest.raises(Unavailable, match="is to stop"):
        pause(60.0)
