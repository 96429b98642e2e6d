"""The metrics of a snapshot that runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sync import metrics
from sync.progress import Progress
from sync.source.postgresql.batch import Batch
from sync.source.postgresql.snapshot.chunk import TableRead


class Gauges:
    """Sets one connector's snapshot metrics, whose names and meanings are in ``metrics``, and tells its status."""

    def __init__(self, connector: str, tables: Sequence[TableRead], progress: Progress) -> None:
        """A snapshot of ``tables`` begins."""
        self._connector = connector
        self._tables = tables
        self._progress = progress
        self._rows = 0
        self._since = time.monotonic()
        metrics.SNAPSHOT_TABLES.labels(connector).set(len(tables))
        for table in tables:
            metrics.SNAPSHOT_TABLE_ROWS.labels(connector, table.route.topic).set(table.estimate)
            metrics.SNAPSHOT_TABLE_RUNNING.labels(connector, table.route.topic).set(1)
        self._set(running=1)
        self.finished(())

    def started(self, batch: Batch) -> None:
        """A batch is on its way."""
        self._rows += sum(batch.captured.values())

    def finished(self, tables: Sequence[TableRead]) -> None:
        """Tell which tables are read whole."""
        left = len(self._tables) - len(tables)
        self._progress.snapshot = {"tables": len(self._tables), "tables_remaining": left, "rows": self._rows}
        for table in tables:
            metrics.SNAPSHOT_TABLE_RUNNING.labels(self._connector, table.route.topic).set(0)
        metrics.SNAPSHOT_TABLES_LEFT.labels(self._connector).set(left)
        metrics.SNAPSHOT_SECONDS.labels(self._connector).set(time.monotonic() - self._since)

    def _set(self, *, running: int = 0, completed: int = 0, aborted: int = 0) -> None:
        if not running:
            self._progress.snapshot = None
        metrics.SNAPSHOT_RUNNING.labels(self._connector).set(running)
        metrics.SNAPSHOT_COMPLETED.labels(self._connector).set(completed)
        metrics.SNAPSHOT_ABORTED.labels(self._connector).set(aborted)

    def completed(self) -> None:
        """The snapshot is complete."""
        self.finished(self._tables)
        self._set(completed=1)

    def aborted(self) -> None:
        """The snapshot ended before it was complete; the next start goes on."""
        self._set(aborted=1)
