"""The error tree and the one policy that decides what happens next.

::

    SyncError
    ├── ConfigError            a key or value of a configuration is wrong           → stop
    ├── PositionLost           the source no longer has what was not yet read       → stop
    ├── Incompatible           a schema change that the subject's rules forbid      → stop
    ├── Refused                a server said no: password, privilege, missing table → stop
    ├── Fenced                 another instance with the same identity took over    → stop
    ├── ProtocolViolation      a server's stream that breaks its own protocol       → stop
    ├── Unreadable             one record that no rule can read                     → park
    └── Unavailable            a server does not answer now                         → retry

Wrap at package borders (``raise Refused(...) from error``); callers catch by class, never by message
text. A message names the thing, the place and the remedy, and never a record's value.
"""

from __future__ import annotations

from enum import Enum


class Decision(Enum):
    """What a supervisor does with an error."""

    RETRY = "retry"
    PARK = "park"
    STOP = "stop"


class SyncError(Exception):
    """Base of all errors raised on purpose. ``hint`` is the remedy, in an operator's words."""

    decision = Decision.STOP

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} Remedy: {self.hint}" if self.hint else message


class ConfigError(SyncError):
    """A configuration key or value is wrong; ``field`` names the key where one is to blame."""

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class PositionLost(SyncError):
    """The source no longer holds the changes after the last committed position (invariant 9)."""


class Incompatible(SyncError):
    """A schema change that the registry's compatibility setting for the subject forbids."""


class Refused(SyncError):
    """A server answered, and the answer was no: wrong password, missing privilege, missing table."""


class Fenced(SyncError):
    """Another instance with the same transactional id or slot took over; this one must end."""


class ProtocolViolation(SyncError):
    """A stream that breaks its protocol: damaged, or of a server that speaks another one."""


class Unreadable(SyncError):
    """One record that cannot be read; it is parked with its reason, the partition goes on."""

    decision = Decision.PARK


class Unavailable(SyncError):
    """A server that does not answer now; worth trying again after a pause."""

    decision = Decision.RETRY


def decide(error: BaseException) -> Decision:
    """Return what to do about ``error``: the list of what is retried is narrow on purpose."""
    if isinstance(error, SyncError):
        return error.decision
    if isinstance(error, (ConnectionError, TimeoutError)):
        return Decision.RETRY
    return Decision.STOP
