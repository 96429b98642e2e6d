"""The counts of the current minute."""

from __future__ import annotations

from sync.process.indicators import Minute


def test_counts_add_up_until_the_minute_ends() -> None:
    clock = [120.0]
    minute = Minute(lambda: clock[0])
    minute.add("a", 2)
    clock[0] = 179.9
    minute.add("a", 1)
    assert (minute.count("a"), minute.count("b")) == (3, 0)
    clock[0] = 180.0
    assert minute.count("a") == 0
