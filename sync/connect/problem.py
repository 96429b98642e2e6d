"""What the control plane answers when it refuses a request; each class carries its HTTP status.

::

    SyncError
    └── Problem
        ├── BadRequest   400   the request or the configuration is wrong
        ├── NotFound     404   no such connector, task or plugin
        ├── Conflict     409   the name is taken
        │   └── Rebalancing    workers are changing hands of something at this moment: ask again
        └── NotReady     503   the worker starts or stops

Raised by ``sync.connect.worker``, turned into Connect's error body by ``sync.connect.rest``.
"""

from __future__ import annotations

from typing import ClassVar

from sync.errors import SyncError


class Problem(SyncError):
    """Base of the refusals. ``headers`` go with the answer."""

    status = 500
    headers: ClassVar[dict[str, str]] = {}


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
    """The worker starts or stops."""

    status = 503


class Rebalancing(Conflict):
    """The request met a change of leader, or tasks that still end; Connect's message. It succeeds a moment later."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message
            or "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent "
            "config change)"
        )
