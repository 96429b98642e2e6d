"""Connections to the source's server, and what its refusals mean.

Called by the catalog, the snapshot and the replication stream. psycopg's errors leave this package as ``SyncError``
through ``meaning``.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from sync.errors import Refused, SyncError, Unavailable
from sync.source.postgresql.setting import Settings

Connection = psycopg.Connection[tuple[Any, ...]]

_HOLDING = """
select l.transactionid::text, a.wait_event is not distinct from 'SyncRep'
from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
"""

_SETTLED = 5.0
"""Seconds after which a transaction that still runs was not about to be shown."""

_PAUSE = 0.02

# libpq gives no SQLSTATE for a connection that failed, only the server's text.
_REFUSALS = (
    (r"password authentication failed|no password supplied|authentication failed", "database.password",
     "check database.user and database.password"),
    (r"role .* does not exist|is not permitted to log in", "database.user", "check database.user"),
    (r"database .* does not exist", "database.dbname", "check database.dbname"),
    (r"permission denied for database", "database.dbname", "grant CONNECT on the database to database.user"),
    (r"must be superuser or replication role|permission denied to (start WAL sender|use replication)",
     "database.user", "ALTER ROLE … REPLICATION for database.user"),
    (r"no pg_hba\.conf entry", "database.hostname", "add a line for this client to the server's pg_hba.conf"),
    (r"certificate|SSL (error|is not enabled)|server does not support SSL", "database.sslmode",
     "check database.sslmode, sslrootcert, sslcert and sslkey"),
    (r"could not translate host name|Name or service not known|failed to resolve", "database.hostname",
     "check database.hostname"),
)  # fmt: skip


class ConnectionRefused(Refused):
    """The server refused the connection; ``field`` is the configuration key to look at."""

    def __init__(self, message: str, *, field: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.field = field


def connect(settings: Settings, *, replication: bool = False, named: bool = True) -> Connection:
    """Return a connection in autocommit. Raises ConnectionRefused, Unavailable.

    Names need their schema there, unless ``named`` is false: then the role's own search_path holds, and settings of the
    server for what the configuration wants to run.
    """
    given = dict(settings.connection)
    if replication:
        given["replication"] = "database"
    elif not named:
        del given["options"]
    try:
        connection = psycopg.connect(**given, autocommit=True)
    except psycopg.OperationalError as error:
        raise _connection_error(settings, str(error)) from error
    if settings.initial_statements and not replication:
        _begin(settings, connection)
    return connection


def _begin(settings: Settings, connection: Connection) -> None:
    """Run the statements that the configuration wants on each connection; close it where one fails."""
    try:
        for statement in settings.initial_statements:
            connection.execute(statement.encode())
    except psycopg.Error as error:
        connection.close()
        raise ConnectionRefused(
            f"PostgreSQL at {place(settings)}: a statement of database.initial.statements failed: "
            f"{error.diag.message_primary or type(error).__name__}.",
            field="database.initial.statements",
            hint="correct the statement, or remove it",
        ) from error


def _connection_error(settings: Settings, message: str) -> SyncError:
    where = place(settings)
    reason = message.strip().splitlines()[-1] if message.strip() else "no reason given"
    for pattern, field, hint in _REFUSALS:
        if re.search(pattern, message):
            return ConnectionRefused(f"PostgreSQL at {where} refuses the connection: {reason}.", field=field, hint=hint)
    return Unavailable(
        f"PostgreSQL at {where} doesn't answer: {reason}.",
        hint="check that it runs and that database.hostname and database.port are right",
    )


def place(settings: Settings) -> str:
    """Return ``host:port/database`` for messages."""
    return f"{settings.connection['host']}:{settings.connection['port']}/{settings.database}"


@contextmanager
def refusals(settings: Settings, what: str) -> Iterator[None]:
    """Turn psycopg's errors within the block into ours; ``what`` names the action for the message."""
    try:
        yield
    except psycopg.Error as error:
        raise meaning(settings, error, what) from error


def meaning(settings: Settings, error: psycopg.Error, what: str) -> SyncError:
    """Return our error for a server's. Only the primary message is passed on: a detail may quote a row."""
    where = place(settings)
    text = error.diag.message_primary or type(error).__name__
    message = f"PostgreSQL at {where}: {what}: {text}."
    if isinstance(error, errors.InsufficientPrivilege):
        return Refused(message, hint=f"grant the role {settings.connection['user']} the missing privilege")
    if isinstance(error, (errors.UndefinedTable, errors.UndefinedObject, errors.InvalidCatalogName)):
        return Refused(message, hint="check the name, or create it")
    retriable = ("08", "57", "53", "40", "55006", "XX000")
    if error.sqlstate is None or error.sqlstate.startswith(retriable):
        return Unavailable(message)
    return Refused(message, hint="see the server's log")


def settle(settings: Settings, connection: Connection, stop: threading.Event) -> None:
    """Wait until what the log has told so far is visible. Ends early with ``stop``. Raises Refused, Unavailable.

    The log tells of a commit a moment before the server shows it: a transaction that is in that moment still holds
    the lock of its number. One that holds it for longer is not committed, unless it waits for a standby.
    """
    since = time.monotonic()
    first: set[Any] | None = None
    with refusals(settings, "looking at the transactions that run"):
        while True:
            rows = connection.execute(_HOLDING).fetchall()
            running = {xid for xid, _ in rows}
            first = running if first is None else first & running
            patient = time.monotonic() - since < _SETTLED
            waiting = any(waits for xid, waits in rows if xid in first)
            if not first or not (patient or waiting) or stop.wait(_PAUSE):
                return
