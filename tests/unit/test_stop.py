"""The request to stop wakes whoever waits for it beside a socket."""

from __future__ import annotations

import os
import select
import threading

from sync.stop import Stop


def _polled(descriptor: int, milliseconds: int | None) -> bool:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(milliseconds))


def test_a_poll_wakes_with_the_request_of_another_thread() -> None:
    stop = Stop()
    with stop.readable() as told:
        assert not _polled(told, 0)
        threading.Thread(target=stop.set).start()
        # Without an end: where nothing wakes it, the test's own time limit ends it.
        assert _polled(told, None)
    assert stop.is_set()


def test_a_request_from_before_is_readable_at_once() -> None:
    stop = Stop()
    stop.set()
    with stop.readable() as first, stop.readable() as second:
        assert _polled(first, 0)
        assert _polled(second, 0)


def test_a_request_after_the_wait_writes_to_nobody() -> None:
    stop = Stop()
    with stop.readable():
        pass
    read, write = os.pipe()
    try:
        # These have the numbers that the closed pipe had.
        stop.set()
        assert not _polled(read, 0)
    finally:
        os.close(read)
        os.close(write)
