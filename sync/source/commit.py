"""Commits a source's batches in the background, one Kafka transaction each, in order.

Used by every source kind: while one batch is being committed, the task reads the next. Records, the source's
offset and the ledger's entries are visible together (invariant 2).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from sync.kafka.transaction import Item, Transactions

Outputs = Mapping[str, Sequence[Item]]


class Committer:
    """At most one commit in flight. ``start`` and ``finish`` are called by one thread, the task's.

    ``fileno`` becomes readable when a commit ends, so that a task can wait for it and for its source at once.
    """

    def __init__(self, transactions: Transactions, name: str) -> None:
        self._transactions = transactions
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"commit-{name}")
        self._future: Future[None] | None = None
        self._read, self._write = os.pipe()

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._read

    @property
    def busy(self) -> bool:
        """True from ``start`` until ``finish``."""
        return self._future is not None

    @property
    def done(self) -> bool:
        """True when ``finish`` would not wait."""
        return self._future is not None and self._future.done()

    def start(self, outputs: Outputs) -> None:
        """Begin to commit ``outputs`` (topic → items); the caller doesn't change them any more."""
        if self._future is not None:
            raise RuntimeError("a commit is in flight: finish it first")
        self._future = self._pool.submit(self._transactions.commit, outputs)
        self._future.add_done_callback(lambda _: os.write(self._write, b"."))

    def finish(self) -> None:
        """Wait for the commit in flight. Raises what it raised: Fenced, Refused, Unavailable."""
        future = self._future
        if future is None:
            return
        try:
            future.result()
        finally:
            os.read(self._read, 1)
            self._future = None

    def close(self) -> None:
        """Wait for a commit in flight, whatever became of it, and free the thread and the pipe."""
        self._pool.shutdown(wait=True)
        os.close(self._read)
        os.close(self._write)
