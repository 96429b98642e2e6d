"""The request to stop a task: an event that a thread can also wait for together with sockets.

Made by a supervisor, one for each run of a task (``sync.ports.Task``). Without it a task that waits for its source
would have to wake up now and then only to look whether it is to stop.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stop(threading.Event):
    """Set once for all when the task is to end."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._told: list[int] = []

    def set(self) -> None:
        """Ask to stop; whoever waits for it wakes, in ``wait`` and in a poll of ``readable``."""
        super().set()
        with self._lock:
            for descriptor in self._told:
                os.write(descriptor, b".")

    @contextmanager
    def readable(self) -> Iterator[int]:
        """A descriptor that becomes readable with the request, or is already; it is closed at the block's end."""
        read, write = os.pipe()
        with self._lock:
            self._told.append(write)
            if self.is_set():
                os.write(write, b".")
        try:
            yield read
        finally:
            with self._lock:
                self._told.remove(write)
            os.close(read)
            os.close(write)
