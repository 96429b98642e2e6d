"""The metrics of a snapshot that runs."""

from __future__ import annotations

import time

from sync import metrics


class Gauges:
    """Sets one connector's snapshot metrics; their names and meanings are in ``metrics``."""

    def __init__(self, connector: str, tables: int) -> None:
        """A snapshot of ``tables`` tables begins."""
        self._connector = connector
        self._since = time.monotonic()
        metrics.SNAPSHOT_TABLES.labels(connector).set(tables)
        self._set(running=1)
        self.left(tables)

    def left(self, tables: int) -> None:
        """Tell how many tables are not finished."""
        metrics.SNAPSHOT_TABLES_LEFT.labels(self._connector).set(tables)
        metrics.SNAPSHOT_SECONDS.labels(self._connector).set(time.monotonic() - self._since)

    def _set(self, *, running: int = 0, completed: int = 0, aborted: int = 0) -> None:
        metrics.SNAPSHOT_RUNNING.labels(self._connector).set(running)
        metrics.SNAPSHOT_COMPLETED.labels(self._connector).set(completed)
        metrics.SNAPSHOT_ABORTED.labels(self._connector).set(aborted)

    def completed(self) -> None:
        """The snapshot is complete."""
        self.left(0)
        self._set(completed=1)

    def aborted(self) -> None:
        """The snapshot ended before it was complete; the next start goes on."""
        self._set(aborted=1)
