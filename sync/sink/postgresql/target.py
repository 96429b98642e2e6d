"""One task's connection to its target: session, replication origin, offsets, and a batch in one transaction.

Called by the task from two threads; a lock gives the connection to one at a time. Rows and the offsets they came from
commit together, and the offsets move by compare-and-set, so that a batch is applied once or not at all (invariant 2).
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg

from sync.errors import Fenced, Refused, Unavailable
from sync.sink.postgresql import statement
from sync.sink.postgresql.column import Column, arrays, csv
from sync.sink.postgresql.definition import Settings, split_name
from sync.sink.postgresql.failure import RowRefused, reason_of, translate, translated
from sync.sink.postgresql.table import Spec, Tables
from sync.sink.reduction import Rows

_LOCK_TIMEOUT = "60s"
"""How long a batch waits for another session's lock; below max.poll.interval.ms, so that the group stays."""


_FEW = 50
"""Up to so many rows, parameters cost less than a COPY to a temporary table (measured on PostgreSQL 18)."""

Payload = bytes | list[list[str | None]]
"""Rows as CSV for COPY, or few of them as arrays of texts by column."""


def rendered(frame: pl.DataFrame, columns: Sequence[Column]) -> Payload:
    """The rows in the form in which they are sent."""
    return csv(frame, columns) if frame.height > _FEW else arrays(frame, columns)


@dataclass(frozen=True, slots=True)
class Advance:
    """A partition's step: from the offset that the target has to the offset after the batch."""

    topic: str
    partition: int
    expected: int
    next: int


@dataclass(frozen=True, slots=True)
class Load:
    """Rows of one table ready to be sent: ``payload`` is what ``rendered`` makes of ``frame``.

    ``indices`` are the messages of the block that they came from.
    """

    topic: str
    spec: Spec
    frame: pl.DataFrame
    payload: Payload
    indices: Sequence[int]
    deletes: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that PostgreSQL refuses: which load, which row of it, and the reason without values."""

    load: int
    row: int
    reason: str


def place_of(connect: Mapping[str, str]) -> str:
    """``host:port/database`` for messages."""
    return f"{connect.get('host', '')}:{connect.get('port', '')}/{connect.get('dbname', '')}"


def connect(settings: Settings, name: str) -> psycopg.Connection[Any]:
    """An autocommit connection whose session reads dates and text as ``column`` writes them.

    Raises Refused (user, password, database) or Unavailable.
    """
    defaults = {
        "connect_timeout": "10",
        # A server that disappears without a word is noticed within half a minute; keepalives are not sent while
        # something sent before is not acknowledged.
        "keepalives_idle": "15",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "30000",
    }
    with translated(place_of(settings.connect)):
        connection: psycopg.Connection[Any] = psycopg.connect(
            "",
            autocommit=True,
            **{**defaults, **settings.connect, "application_name": name, "client_encoding": "UTF8"},  # type: ignore[arg-type]
        )
        for setting, value in (
            ("TimeZone", "UTC"),
            ("DateStyle", "ISO, YMD"),
            ("bytea_output", "hex"),
            ("lock_timeout", _LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", "120s"),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
        return connection


def origin_name(connector: str, task: int) -> str:
    """The replication origin of a task; other characters than letters, digits, '.', '_' and '-' become '_'."""
    return "dongbo_" + re.sub(r"[^A-Za-z0-9._-]", "_", f"{connector}_{task}")


def session_name(connector: str, task: int) -> str:
    """The application name of a task's session, by which its successor finds it; at most 63 bytes, as PostgreSQL's."""
    return f"dongbo {connector}/{task}".encode()[:63].decode(errors="ignore")


def use_origin(connection: psycopg.Connection[Any], name: str, place: str) -> None:
    """Mark every write of the session with the origin ``name``, creating it if it is new.

    An origin is never dropped here: capture needs its name until the last change that it marks has been read. A
    killed predecessor's session, which the server may not have noticed, is ended.

    Raises Refused without the privilege or a free origin, Unavailable while a session of another name holds it.
    """
    for last in (False, True):
        try:
            _set_up(connection, name)
            return
        except psycopg.errors.InsufficientPrivilege as error:
            raise Refused(
                f"The sink's user may not set a replication origin at {place}.",
                hint="GRANT EXECUTE ON FUNCTION pg_replication_origin_oid(text), pg_replication_origin_create(text), "
                "pg_replication_origin_session_setup(text) TO the user; or set dongbo.origin=false if the target is "
                "not captured",
            ) from error
        except (psycopg.errors.ConfigurationLimitExceeded, psycopg.errors.ObjectNotInPrerequisiteState) as error:
            raise Refused(
                f"PostgreSQL at {place} has no free replication origin (SQLSTATE {error.sqlstate}).",
                hint="raise max_active_replication_origins (max_replication_slots before PostgreSQL 18) and restart "
                "it, or drop the origins of sinks that are gone by pg_replication_origin_drop",
            ) from error
        except psycopg.errors.ObjectInUse as error:
            if last:
                raise Unavailable(
                    f"Another session at {place} still uses the replication origin {name}.",
                    hint="stop the other sink of this name",
                ) from error
            _end_predecessor(connection)
        except psycopg.errors.UniqueViolation:
            # Somebody else created it between our two statements: now it is there.
            continue
        except psycopg.Error as error:
            raise translate(error, place) from None


def _set_up(connection: psycopg.Connection[Any], name: str) -> None:
    found = connection.execute("SELECT pg_replication_origin_oid(%s)", (name,)).fetchone()
    if found is None or found[0] is None:
        connection.execute("SELECT pg_replication_origin_create(%s)", (name,))
    connection.execute("SELECT pg_replication_origin_session_setup(%s)", (name,))


def _end_predecessor(connection: psycopg.Connection[Any]) -> None:
    """End sessions of the same task, user and database, and wait until they are gone."""
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND application_name = current_setting('application_name') AND usename = current_user "
        "AND datname = current_database()"
    )


class Target:
    """An open target; ``close`` when done. Every method may be called by any thread."""

    def __init__(self, settings: Settings, connector: str, task: int) -> None:
        """Connects. Raises Refused or Unavailable."""
        self._settings = settings
        self._connector = connector
        self._place = place_of(settings.connect)
        self._owner = uuid.uuid4().hex
        self._lock = threading.RLock()
        self._offsets = statement.Offsets(statement.qualified(*split_name(settings.offsets_table)))
        self._connection = connect(settings, session_name(connector, task))
        self._tables = Tables(self._connection, settings)
        try:
            if settings.origin:
                use_origin(self._connection, origin_name(connector, task), self._place)
            self._create_offsets()
        except BaseException:
            self._connection.close()
            raise

    def _create_offsets(self) -> None:
        schema, name = split_name(self._settings.offsets_table)
        with self._using() as connection:
            found = connection.execute("SELECT to_regclass(%s)", (statement.qualified(schema, name),)).fetchone()
            if found is not None and found[0] is not None:
                return
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(hashtext('dongbo schema evolution'))")
                if schema and self._settings.create_schema:
                    connection.execute(statement.create_schema(schema).encode())
                connection.execute(self._offsets.create.encode())

    @contextmanager
    def _using(self) -> Iterator[psycopg.Connection[Any]]:
        with self._lock, translated(self._place):
            yield self._connection

    def claim(self, topic: str, partition: int) -> int:
        """Make this target's session the partition's owner and return the next offset to read, 0 for a new one.

        A former owner can write no more of it from now on.
        """
        with self._using() as connection:
            row = connection.execute(self._offsets.claim.encode(), (self._connector, topic, partition, self._owner))
            return int(row.fetchone()[0])  # type: ignore[index]

    def load(self, topic: str, rows: Rows) -> Load:
        """``rows`` ready to be written; the table is created or extended first where it must be and may be."""
        with self._using():
            spec = self._tables.spec(topic, rows)
            if rows.keys.height > _FEW:
                self._tables.stage(spec)
        frame = rows.keys
        if rows.values is not None:
            frame = frame.hstack([s for s in rows.values if s.name not in frame.columns])
        return Load(topic, spec, frame, rendered(frame, spec.columns), rows.indices, rows.values is None)

    def write(self, advances: Sequence[Advance], loads: Sequence[Load]) -> list[int]:
        """Apply a batch and its offsets in one transaction; return the rows really changed by each load.

        Raises RowRefused if PostgreSQL refuses a row, Fenced if another owner moved a partition's offset, Unavailable,
        Refused. Nothing is applied then.
        """
        with self._using() as connection, connection.transaction():
            self._advance(connection, advances)
            return [self._apply(connection, load.spec, load.payload) for load in loads]

    def _advance(self, connection: psycopg.Connection[Any], advances: Sequence[Advance]) -> None:
        columns = (
            [a.topic for a in advances],
            [a.partition for a in advances],
            [a.expected for a in advances],
            [a.next for a in advances],
        )
        done = connection.execute(self._offsets.advance.encode(), (*columns, self._connector, self._owner))
        if done.rowcount != len(advances):
            raise Fenced(
                f"Another task writes partitions of connector {self._connector} to {self._place}: the offsets in "
                f"{self._offsets.table} are not the ones this task left.",
                hint="run each sink connector's name once only for a target",
            )

    def _apply(self, connection: psycopg.Connection[Any], spec: Spec, payload: Payload) -> int:
        with connection.cursor() as cursor:
            if not isinstance(payload, bytes):
                return cursor.execute(spec.direct.encode(), payload).rowcount
            with cursor.copy(spec.copy.encode()) as copy:
                copy.write(payload)
            return cursor.execute(spec.apply.encode()).rowcount

    def refusals(self, loads: Sequence[Load]) -> list[Refusal]:
        """Which rows PostgreSQL refuses, by halving, in a transaction that is rolled back."""
        found: list[Refusal] = []
        with self._using() as connection, connection.transaction(force_rollback=True):
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for index, load in enumerate(loads):
                self._probe(connection, index, load, 0, load.frame.height, found)
        return found

    def _probe(
        self, connection: psycopg.Connection[Any], index: int, load: Load, low: int, high: int, found: list[Refusal]
    ) -> None:
        try:
            with connection.transaction():
                payload = rendered(load.frame[low:high], load.spec.columns)
                self._apply(connection, load.spec, payload)
                if isinstance(payload, bytes):
                    connection.execute(f"DELETE FROM {statement.staged(load.spec.stage)}".encode())
            return
        except psycopg.Error as error:
            if not isinstance(translate(error, self._place), RowRefused):
                raise
            if high - low == 1:
                found.append(Refusal(index, low, reason_of(error)))
                return
        middle = (low + high) // 2
        self._probe(connection, index, load, low, middle, found)
        self._probe(connection, index, load, middle, high, found)

    def ping(self) -> None:
        """Raise Unavailable if the target does not answer any more."""
        with self._using() as connection:
            connection.execute("SELECT")

    def cancel(self) -> None:
        """Break off the statement that runs now, from any thread; its caller gets Unavailable."""
        try:
            self._connection.cancel_safe(timeout=1.0)
        except psycopg.Error:
            # It only hastens the end; without it the statement ends by itself.
            pass

    def close(self) -> None:
        """End the session; never raises."""
        with self._lock:
            if self._settings.origin:
                try:
                    # So that a successor need not wait for the server to see the end of the session.
                    self._connection.execute("SELECT pg_replication_origin_session_reset()")
                except psycopg.Error:
                    # The connection is broken, or the user may not: the origin is free when the session is gone.
                    pass
            self._connection.close()
