"""What the control plane answers when it refuses a request; each class carries its HTTP status.

::

    SyncError
    └── Problem
        ├── BadRequest   400   the request or the configuration is wrong
        ├── NotFound     404   no such connector, task or plugin
        ├── Conflict     409   the name is taken
        └── NotReady     503   the worker starts, stops, or lost its group to another worker

Raised by ``sync.connect.worker``, turned into Connect's error body by ``sync.connect.rest``.
"""

from __future__ import annotations

from sync.errors import SyncError


class Problem(SyncError):
    """Base of the refusals."""

    status = 500


class BadRequest(Problem):
    """The request or the configuration is wrong."""

    status = 400


class NotFound(Problem):
    """No such connector, task or plugin."""

    status = 404


class Conflict(Problem):
    """The name is taken."""

    status = 409


class NotReady(Problem):
    """The worker starts, stops, or lost its group to another worker."""

    status = 503
