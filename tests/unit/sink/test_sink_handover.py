from __future__ import annotations

import threading

from sync.sink.postgresql.handover import Handover


def test_items_come_out_in_order_and_drain_waits_for_the_last() -> None:
    line: Handover[int] = Handover(2)
    seen: list[int] = []
    go = threading.Event()

    def work() -> None:
        while (item := line.take()) is not None:
            assert go.wait(10)
            seen.append(item)

    worker = threading.Thread(target=work)
    worker.start()
    for item in (1, 2, 3):
        assert line.put(item)
    assert not line.idle()
    assert not line.drain(0)

    go.set()

    assert line.drain(10)
    assert seen == [1, 2, 3]
    line.end()
    worker.join(10)


def test_put_waits_for_room_and_an_end_wakes_it() -> None:
    line: Handover[int] = Handover(1)
    line.put(1)
    results: list[bool] = []
    waiting = threading.Thread(target=lambda: results.append(line.put(2)))
    waiting.start()

    line.end(ValueError("first"))
    line.end(ValueError("second"))
    waiting.join(10)

    assert results == [False]
    assert line.take() is None
    assert str(line.error) == "first"


def test_discard_drops_what_waits() -> None:
    line: Handover[int] = Handover(2)
    line.put(1)
    line.put(2)

    line.discard(1)

    assert line.idle()
