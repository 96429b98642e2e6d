"""Signs of life: heartbeat records, the query that goes with them, and the slot's xmin.

Called by ``stream`` once a round. The queries run in a thread of their own, on a connection of their own, so that a
lock or a slow server never holds up capture; what fails there is logged and tried again at the next time (Debezium
logs it too).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg

from sync.errors import SyncError
from sync.schema.avro import encode_one, header
from sync.source.identity import topic_name
from sync.source.postgresql.envelope import Schema, SourceBlock
from sync.source.postgresql.session import Connection, connect
from sync.source.postgresql.setting import Settings

_log = logging.getLogger(__name__)

_SPACE = "io.debezium.connector.common"
KEY_SCHEMA: Schema = {
    "type": "record",
    "name": "ServerNameKey",
    "namespace": _SPACE,
    "fields": [{"name": "serverName", "type": "string"}],
    "connect.version": 1,
    "connect.name": f"{_SPACE}.ServerNameKey",
}
SCHEMA: Schema = {
    "type": "record",
    "name": "Heartbeat",
    "namespace": _SPACE,
    "fields": [{"name": "ts_ms", "type": "long"}],
    "connect.version": 1,
    "connect.name": f"{_SPACE}.Heartbeat",
}


class _Every:
    """A time that comes again and again; never, with an interval of 0 seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float], *, at_once: bool = False) -> None:
        self._seconds = seconds
        self._clock = clock
        self._next = clock() + (0 if at_once else seconds)

    def due(self) -> bool:
        if not self._seconds or (now := self._clock()) < self._next:
            return False
        self._next = now + self._seconds
        return True

    def left(self) -> float:
        """Seconds until it comes; 0 where it has come."""
        return max(0.0, self._next - self._clock()) if self._seconds else math.inf


class Heartbeat:
    """The heartbeat of one stream. ``close`` it in the end."""

    def __init__(
        self,
        settings: Settings,
        block: SourceBlock,
        register: Callable[[str, Schema], int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Register the schemas, if heartbeats are wanted. Raises what ``register`` raises."""
        self._settings = settings
        self._block = block
        self._beats = _Every(settings.heartbeat.interval, clock)
        self._xmins = _Every(settings.xmin_interval, clock, at_once=True)
        self.topic = topic_name(settings.heartbeat.topic, settings.prefix, delimiter=settings.delimiter)
        self._key = self._head = b""
        if settings.heartbeat.interval:
            key = encode_one(KEY_SCHEMA, {"serverName": settings.prefix})
            self._key = header(register(f"{self.topic}-key", KEY_SCHEMA)) + key
            self._head = header(register(f"{self.topic}-value", SCHEMA))
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"heartbeat-{settings.prefix}")
        self._running: Future[None] | None = None
        self._connection: Connection | None = None

    def beat(self, now_ns: int) -> tuple[bytes, bytes] | None:
        """Start what is due, and return the heartbeat record to write if it is time for one. Does not wait."""
        due = self._beats.due()
        query = self._settings.heartbeat.query if due else ""
        xmin = self._xmins.due()
        if (query or xmin) and (self._running is None or self._running.done()):
            self._running = self._pool.submit(self._ask, query, xmin)
        return (self._key, self._head + encode_one(SCHEMA, {"ts_ms": now_ns // 1_000_000})) if due else None

    def rest(self) -> float:
        """Seconds until ``beat`` has something to do."""
        return min(self._beats.left(), self._xmins.left())

    def close(self) -> None:
        """End the thread and its connection; a query that still runs is cancelled."""
        connection = self._connection
        if connection is not None and self._running is not None and not self._running.done():
            connection.cancel_safe(timeout=2)
        self._pool.submit(self._disconnect)
        # A connection that is just being made may take its time; nobody waits for it.
        self._pool.shutdown(wait=False)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, query: str, xmin: bool) -> None:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._settings, named=False)
            if xmin:
                self._block.xmin = self._xmin(self._connection)
            if query:
                # The configuration's own statement, as it stands there.
                self._connection.execute(query.encode())
        except psycopg.Error as error:
            # The state only: the text of an error may quote a value.
            _log.warning(
                "Source %s: the query beside a heartbeat failed (SQLSTATE %s).", self._settings.prefix, error.sqlstate
            )
        except SyncError as error:
            _log.warning("Source %s: no query beside a heartbeat: %s", self._settings.prefix, error)

    def _xmin(self, connection: Connection) -> int | None:
        found = connection.execute(
            "select catalog_xmin::text::int8 from pg_catalog.pg_replication_slots where slot_name = %s",
            (self._settings.slot,),
        ).fetchone()
        return found[0] if found else None
