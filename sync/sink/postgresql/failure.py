"""psycopg's errors as ours, by SQLSTATE; no message of the server that may quote a row's value is passed on.

Called around every use of the target's connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from sync.errors import Refused, SyncError, Unavailable

_DATA = ("22", "23", "44")
"""SQLSTATE classes that speak of a row: data exception, constraint violation, WITH CHECK OPTION."""

_MOVED = ("42P01", "42703", "0A000", "42P07", "42701")
"""The table changed under us: a missing or new table or column, a cached plan of another shape."""


class RowRefused(Refused):
    """PostgreSQL refuses at least one row of a batch; ``reason`` tells why without its values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Contended(Unavailable):
    """The target puts a write off (a deadlock, a lock, a serialization failure, no room): the same one may succeed."""


def reason_of(error: psycopg.Error) -> str:
    """What was refused, in words without values: the error's class, the constraint, the column, the table."""
    if error.sqlstate is None:
        return "a text holds the character U+0000, which PostgreSQL does not store"
    diag = error.diag
    places = [
        f"{kind} {name}"
        for kind, name in (
            ("constraint", diag.constraint_name),
            ("column", diag.column_name),
            ("type", diag.datatype_name),
            ("table", diag.table_name),
        )
        if name
    ]
    name = type(error).__name__
    return f"PostgreSQL: {name} (SQLSTATE {error.sqlstate}){': ' + ', '.join(places) if places else ''}"


def translate(error: psycopg.Error, place: str) -> SyncError:
    """The ``SyncError`` for ``error`` met at ``place`` (``host:port/database``)."""
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.DataError):
        # psycopg itself refuses a NUL in a text parameter.
        return RowRefused(reason_of(error))
    if state is None:
        return _without_state(error, place)
    if state[:2] in _DATA:
        return RowRefused(reason_of(error))
    if state in ("28P01", "28000"):
        return Refused(
            f"PostgreSQL at {place} refuses the user or password (SQLSTATE {state}).",
            hint="correct connection.username and connection.password, or pg_hba.conf",
        )
    if state == "3D000":
        return Refused(f"PostgreSQL at {place} has no such database.", hint="create it or correct connection.url")
    if state == "42501":
        # A privilege error's message names the object, never a value.
        return Refused(
            f"PostgreSQL at {place}: {error.diag.message_primary} (SQLSTATE 42501).",
            hint="grant the sink's user SELECT, INSERT, UPDATE and DELETE on its tables, CREATE on the schema and "
            "TEMPORARY on the database",
        )
    if state in _MOVED:
        return Unavailable(f"{reason_of(error)} at {place}: a table was changed while rows were written to it.")
    if state[:2] in ("40", "53") or state == "55P03":
        return Contended(f"{reason_of(error)} at {place}.")
    if state[:2] == "42":
        return Refused(f"{reason_of(error)} at {place}.", hint="compare the target's table with the topic's schema")
    return Unavailable(f"{reason_of(error)} at {place}.")


def _without_state(error: psycopg.Error, place: str) -> SyncError:
    """Errors of libpq and of connecting, which carry no SQLSTATE; only the text tells a refusal."""
    text = str(error)
    # libpq reports a failed log-in of a connection attempt as text alone.
    if "password authentication failed" in text or "no password supplied" in text or "no pg_hba.conf entry" in text:
        return Refused(
            f"PostgreSQL at {place} refuses the user or password.",
            hint="correct connection.username and connection.password, or pg_hba.conf",
        )
    if "role " in text and "does not exist" in text:
        return Refused(f"PostgreSQL at {place} has no such user.", hint="correct connection.username")
    if "database " in text and "does not exist" in text:
        return Refused(f"PostgreSQL at {place} has no such database.", hint="create it or correct connection.url")
    if "SSL" in text and "server does not support" in text:
        return Refused(f"PostgreSQL at {place} does not offer TLS.", hint="correct sslmode in connection.url")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return Unavailable(
            f"PostgreSQL at {place} does not answer ({type(error).__name__}).",
            hint="check that it runs and that connection.url is right",
        )
    return Refused(f"PostgreSQL at {place}: {type(error).__name__}.")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raise psycopg's errors as ours; RowRefused for rows."""
    try:
        yield
    except psycopg.Error as error:
        # Without the cause where the server spoke: its message and context may quote a row (invariant 7).
        raise translate(error, place) from (None if error.sqlstate or isinstance(error, psycopg.DataError) else error)
