"""What a running task tells of its progress, so that its supervisor can tell a task at rest from one that is stuck.

A task calls ``pending`` whenever it knows of work that is not committed, and ``advanced`` after each commit; the
supervisor asks ``waiting``. Cheap enough to be called for every batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


class Progress:
    """One run of one task. ``pending`` and ``advanced`` may be called by any thread of the task.

    ``snapshot`` is how far a snapshot has come that runs, for the task's status: ``tables``, ``tables_remaining`` and
    ``rows`` (read in this run). A task sets a new one, and None at its end.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.commits = 0
        self.snapshot: Mapping[str, int] | None = None
        self._clock = clock
        self._since: float | None = None

    def pending(self) -> None:
        """Tell that there is something to commit; counts from the first call after a commit."""
        if self._since is None:
            self._since = self._clock()

    def advanced(self) -> None:
        """Tell that something was committed."""
        self.commits += 1
        self._since = None

    def waiting(self) -> float:
        """Seconds for which something has waited to be committed while nothing was; 0 for a task at rest."""
        since = self._since
        return 0.0 if since is None else max(0.0, self._clock() - since)
