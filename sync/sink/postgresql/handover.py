"""A short queue between the thread that reads and decodes and the one that writes.

Called by the task. Its bound keeps memory flat; ``drain`` lets a rebalance wait until what was read is written.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Handover(Generic[Item]):
    """At most ``most`` items wait. Once ended, ``put`` drops and ``take`` returns None; the first error is kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[Item] = deque()
        self._busy = False
        self._ended = False
        self._changed = threading.Condition()
        self.error: BaseException | None = None

    def put(self, item: Item) -> bool:
        """Wait for room and add ``item``; False if ended meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._items) < self._most)
            if self._ended:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self) -> Item | None:
        """The next item, or None when ended. The item before counts as done."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ended or bool(self._items))
            if self._ended:
                return None
            self._busy = True
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def drain(self, timeout: float) -> bool:
        """Wait until all items are done; False on time-out or end."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._idle(), max(0.0, deadline - time.monotonic()))
            return self._idle()

    def discard(self, timeout: float) -> None:
        """Drop what waits, and wait for the item in work."""
        with self._changed:
            self._items.clear()
            self._changed.notify_all()
        self.drain(timeout)

    def idle(self) -> bool:
        """Whether everything put was done."""
        with self._changed:
            return self._idle()

    def _idle(self) -> bool:
        return not self._items and not self._busy

    def end(self, error: BaseException | None = None) -> None:
        """Wake everybody; what waits is dropped."""
        with self._changed:
            if self.error is None:
                self.error = error
            self._ended = True
            self._items.clear()
            self._changed.notify_all()
