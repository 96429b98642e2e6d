"""Follows the log: reads what has arrived, lets it be committed, confirms it to the server.

Called by the task. A batch is what arrived while the batch before it was being committed, and for
``dongbo.linger.ms`` since that commit began: nothing waits for a batch to fill up, the first change after a pause is
committed at once, and a busy source gets large batches.
"""

from __future__ import annotations

import logging
import select
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
from sync.stop import Stop

_log = logging.getLogger(__name__)

_IDLE = 5.0
"""Seconds after which the position of an idle source is written."""

_TOGETHER = 2000
"""Messages that are worth capturing while a commit is in flight: fewer wait for more, as together they cost less."""

_GATHER_MS = 10
"""Longest time that changes gather on the way while a commit is in flight: read together they cost less."""

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
        self._began = 0.0
        self._unread: list[memoryview] = []
        self._end = 0
        self._full = False

    @property
    def batch(self) -> Batch:
        """What is being gathered."""
        return self._capture.batch

    def run(self, stop: Stop, commit: Callable[[Batch], None]) -> None:
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
        with closing(self._reselect), stop.readable() as told:
            for waiting in (sources, commits):
                waiting.register(told, select.POLLIN)
            self._work(stop, commit, sources, commits)

    def _work(self, stop: Stop, commit: Callable[[Batch], None], sources: select.poll, commits: select.poll) -> None:
        replication, committer = self._replication, self._committer
        while not stop.is_set() and not self._incremental.blocking:
            more = self._read()
            self._beat()
            if self._capture.position != self._stored or self._capture.batch or self._unread:
                self._progress.pending()
            if committer.done:
                self._finish()
            if not committer.busy and self._linger() <= 0:
                self._feed()
                if self._due():
                    self._start(commit)
            elif len(self._unread) >= _TOGETHER or self._room() <= 0 or self._incremental.active:
                self._feed()
            replication.answer_in_time()
            if not more:
                self._wait(sources, commits)
        self._drain(commit)

    def _wait(self, sources: select.poll, commits: select.poll) -> None:
        """Wait for something to do."""
        if self._capture.batch and not self._committer.busy and self._linger() <= 0:
            return
        longest = _ACTIVE_MS if self._incremental.active else self._rest() * 1000
        if self._room() <= 0:
            # Only the end of the commit in flight makes room.
            commits.poll(longest)
        elif self._capture.batch or self._unread:
            commits.poll(min(longest, _GATHER_MS if self._committer.busy else max(self._linger() * 1000, 0)))
        else:
            sources.poll(longest)

    def _rest(self) -> float:
        """Return the seconds until something is to be done that neither server nor commit nor stop request tells."""
        rest = min(self._replication.rest(), self._heartbeat.rest())
        if self._settings.signalling.topic:
            rest = min(rest, self._settings.poll)
        if self._capture.position != self._stored:
            rest = min(rest, max(0.0, self._idle_since + _IDLE - time.monotonic()))
        return rest

    def _linger(self) -> float:
        """Return the seconds until the next commit may begin; a full batch waits for none."""
        if self._full or self._capture.batch.changes >= self._settings.batch or self._incremental.active:
            return 0
        return self._began + self._settings.linger - time.monotonic()

    def _room(self) -> int:
        return 0 if self._full else self._settings.batch - self._capture.batch.changes - len(self._unread)

    def _read(self) -> bool:
        """Take what has arrived; True if there may be more."""
        most = min(self._room() + len(self._unread), _TOGETHER)
        if most <= len(self._unread):
            return False
        more, end = self._replication.drain(self._unread, most)
        self._end = max(self._end, end)
        # So many bytes are a full batch too.
        self._full = more and len(self._unread) < most
        return more

    def _feed(self) -> None:
        """Capture what was read."""
        capture = self._capture
        capture.tick()
        self._incremental.before(capture.batch)
        capture.feed_all(self._unread)
        self._unread = []
        self._full = self._full and bool(capture.batch)
        capture.advance(self._end)
        self._incremental.after(capture)
        if capture.ignored_truncates > self._truncates:
            self._truncates = capture.ignored_truncates
            _log.warning("Source %s: a TRUNCATE was not captured (skipped.operations=t).", self._settings.prefix)

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
        self._began = time.monotonic()
        self._full = False
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
        self._feed()
        if self._capture.batch or self._incremental.changed:
            self._start(commit)
            self._finish()
