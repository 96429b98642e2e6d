"""Follows the log: reads what has arrived, lets it be committed, confirms it to the server.

Called by the task. A batch is what arrived while the batch before it was being committed: nothing waits for a batch
to fill up, and a busy source gets large ones.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable
from contextlib import closing

from sync.progress import Progress
from sync.record import Position
from sync.source.commit import Committer
from sync.source.postgresql.batch import Batch
from sync.source.postgresql.capture import Capture, Resolve
from sync.source.postgresql.envelope import SourceBlock
from sync.source.postgresql.heartbeat import Heartbeat
from sync.source.postgresql.incremental.run import Incremental
from sync.source.postgresql.message import Messages
from sync.source.postgresql.replication import Replication
from sync.source.postgresql.reselect import Reselect
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.transaction import Transactions

_log = logging.getLogger(__name__)

_IDLE = 5.0
"""Seconds after which the position of an idle source is written."""

_GULP = 2000
"""Most messages taken at once before the commit in flight is looked at."""

_ACTIVE_MS = 10
"""Longest wait while a chunk of an incremental snapshot is on its way."""


class Stream:
    """One stream, from ``position`` until stopped."""

    def __init__(
        self,
        settings: Settings,
        replication: Replication,
        committer: Committer,
        block: SourceBlock,
        resolve: Resolve,
        position: Position,
        heartbeat: Heartbeat,
        transactions: Transactions | None,
        messages: Messages,
        incremental: Incremental,
        make: Callable[..., Capture] = Capture,
        progress: Progress | None = None,
    ) -> None:
        """``replication`` is started, ``committer`` idle; ``resolve`` as ``capture.Capture``
        takes it; ``make`` makes the capture.
        """
        self._progress = progress or Progress()
        self._settings = settings
        self._replication = replication
        self._committer = committer
        self._incremental = incremental
        self._capture = make(
            block,
            resolve,
            position,
            skip_origin=settings.skip_origin,
            tombstones=settings.tombstones,
            clock=time.time_ns,
            skipped=settings.skipped,
            transactions=transactions,
            reselect=settings.reselect,
            skip_unchanged=settings.skip_unchanged,
            messages=messages,
        )
        self._heartbeat = heartbeat
        self._reselect = Reselect(settings)
        self._stored = position
        self._in_flight = position
        self._idle_since = time.monotonic()
        self._truncates = 0

    @property
    def batch(self) -> Batch:
        """What is being gathered."""
        return self._capture.batch

    def run(self, stop: threading.Event, commit: Callable[[Batch], None]) -> None:
        """Work until ``stop``, or until a signal asks for a blocking snapshot; then commit what was read.

        ``commit`` starts a batch's transaction.
        Raises PositionLost, Refused, Fenced, Incompatible, Unavailable; what was not committed is then unknown to
        Kafka and to the server alike.
        """
        replication, committer = self._replication, self._committer
        sources = select.poll()
        sources.register(replication.socket, select.POLLIN)
        sources.register(committer, select.POLLIN)
        commits = select.poll()
        commits.register(committer, select.POLLIN)
        with closing(self._reselect):
            self._work(stop, commit, sources, commits)

    def _work(
        self, stop: threading.Event, commit: Callable[[Batch], None], sources: select.poll, commits: select.poll
    ) -> None:
        replication, committer = self._replication, self._committer
        longest = int(min(self._settings.poll, 1.0) * 1000)
        while not stop.is_set() and not self._incremental.blocking:
            more = self._read()
            self._beat()
            if self._capture.position != self._stored or self._capture.batch:
                self._progress.pending()
            if committer.done:
                self._finish()
            if not committer.busy and self._due():
                self._start(commit)
            replication.answer_in_time()
            if not more:
                # With a full batch, only the end of the commit in flight makes room.
                wait = min(longest, _ACTIVE_MS) if self._incremental.active else longest
                (sources if self._room() > 0 else commits).poll(wait)
        self._drain(commit)

    def _room(self) -> int:
        return self._settings.batch - self._capture.batch.changes

    def _read(self) -> bool:
        """Take what has arrived; True if there may be more."""
        most = min(self._room(), _GULP)
        if most <= 0:
            return False
        self._capture.tick()
        self._incremental.before(self._capture.batch)
        more = self._replication.drain(self._capture.feed_all, self._capture.advance, most)
        self._incremental.after(self._capture)
        if self._capture.ignored_truncates > self._truncates:
            self._truncates = self._capture.ignored_truncates
            _log.warning("Source %s: a TRUNCATE was not captured (skipped.operations=t).", self._settings.prefix)
        return more

    def _beat(self) -> None:
        record = self._heartbeat.beat(time.time_ns())
        if record is not None:
            self._capture.batch.outputs[self._heartbeat.topic].append(record)

    def _due(self) -> bool:
        if self._capture.batch or self._incremental.changed:
            return True
        # An idle source: its slot must not hold the server's log for ever, nor cost a transaction a keepalive.
        moved = self._capture.position != self._stored
        return moved and time.monotonic() - self._idle_since >= _IDLE

    def _start(self, commit: Callable[[Batch], None]) -> None:
        batch = self._capture.take()
        batch.extra |= self._incremental.extra()
        self._in_flight = batch.position
        if batch.gaps:
            self._reselect.fill(batch.gaps, batch.outputs)
        commit(batch)

    def _finish(self) -> None:
        self._committer.finish()
        self._progress.advanced()
        self._stored = self._in_flight
        self._idle_since = time.monotonic()
        self._replication.confirm(self._stored.end)

    def _drain(self, commit: Callable[[Batch], None]) -> None:
        if self._committer.busy:
            self._finish()
        if self._capture.batch or self._incremental.changed:
            self._start(commit)
            self._finish()
