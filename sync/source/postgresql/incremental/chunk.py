"""Reads one chunk of a table in a thread of its own: rows after a key, and where in the log they stand.

Called by ``run``. A chunk is one statement under one snapshot. ``end`` is a position of the log behind each commit
that the snapshot holds; once the stream has passed it, the log has told all that the rows hold.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from sync.errors import Refused
from sync.record import TableId
from sync.source.postgresql.batch import Record
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.incremental.state import Collection, Key
from sync.source.postgresql.message import OWN
from sync.source.postgresql.route import Route
from sync.source.postgresql.session import Connection, connect, refusals, settle
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.snapshot.chunk import TableRead, look, where
from sync.source.postgresql.snapshot.progress import TableProgress, View
from sync.source.postgresql.snapshot.reader import begin, copied
from sync.source.postgresql.snapshot.rows import Rows, unescaped
from sync.source.postgresql.table import Table
from sync.source.postgresql.transcoder import UnexpectedNullError

_TAKEN = """
select pg_catalog.pg_current_snapshot()::text,
  case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
  else pg_catalog.pg_current_wal_insert_lsn() end - '0/0'::pg_lsn, pg_catalog.pg_is_in_recovery()
"""

_FLUSHED = "select pg_catalog.pg_current_wal_flush_lsn() - '0/0'::pg_lsn"

_PAUSE = 0.02


class Keyless(Refused):
    """A table without a key can't be read in chunks."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows; ``last`` is the last one's key (None: there is none), ``complete`` when nothing of the table follows.

    A record's value lacks what follows the row. ``end`` as in the module; ``view`` is the snapshot, None on a standby,
    which shows a transaction before it sends it.
    """

    route: Route
    records: list[Record]
    last: Key | None
    maximum: Key | None
    complete: bool
    end: int
    view: View | None


class ChunkReader:
    """Reads one chunk at a time. ``route`` is called in the thread, which nothing else may use it from."""

    def __init__(self, settings: Settings, route: Callable[[Table], Route]) -> None:
        self._settings = settings
        self._route = route
        self._connection: Connection | None = None
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"chunk-{settings.prefix}")
        self._known: tuple[Table, TableRead] | None = None
        self._may_write = not settings.signalling.read_only
        self._settled = False

    def unsettle(self) -> None:
        """Be told that the stream's changes were not noted for a while: the next chunk settles first."""
        self._settled = False

    def start(self, collection: Collection) -> Future[Chunk]:
        """Begin to read the chunk after ``collection.last``."""
        return self._pool.submit(self._read, collection)

    def close(self) -> None:
        """End the thread; a chunk being read is given up."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._connection is not None:
            self._connection.close()

    def _read(self, collection: Collection) -> Chunk:
        try:
            return self._chunk(collection)
        except BaseException:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise

    def _chunk(self, collection: Collection) -> Chunk:
        connection = self._connection
        if connection is None:
            connection = self._connection = connect(self._settings)
        if not self._settled:
            settle(self._settings, connection, self._closing)
            self._settled = True
        with refusals(self._settings, f"reading a chunk of table {collection.table}"):
            begin(connection)
            taken = time.monotonic()
            snapshot, end, standby = connection.execute(_TAKEN).fetchone() or ("1:1:", 0, False)
            read = self._table(connection, collection)
            key = self._key(read.table, collection)
            maximum = collection.maximum or self._maximum(connection, read, key, collection)
            records, last, count = self._rows(connection, read, key, collection, maximum)
            connection.execute("commit")
            view = None if standby else View.parse(snapshot, int(end))
            end = int(end) if standby else self._end(connection, int(end), taken)
        # A chunk that is full may be the last one too; the next one then is empty.
        complete = maximum is None or count < self._settings.signalling.rows
        return Chunk(read.route, records, last, maximum, complete, end, view)

    def _table(self, connection: Connection, collection: Collection) -> TableRead:
        name = TableId(*collection.table.split(".", 1))
        table = Catalog(self._settings, connection).captured(name)
        if table is None:
            raise Refused(f"Table {name} is not captured any more.", hint="look at the publication and the lists")
        if self._known is None or self._known[0] != table or self._known[0].filter != table.filter:
            read = TableRead(self._route(table), TableProgress())
            look(self._settings, connection, read)
            self._known = (table, read)
        return self._known[1]

    def _key(self, table: Table, collection: Collection) -> list[str]:
        key = [collection.surrogate] if collection.surrogate else list(table.key)
        captured = {column.name for column in table.columns if column.captured}
        if not key or not table.key or not captured.issuperset(key):
            raise Keyless(
                f"Table {table.id} has no key to read it by in chunks.",
                hint="give the table a primary key, or name a captured column as surrogate-key",
            )
        return key

    def _maximum(self, connection: Connection, read: TableRead, key: Sequence[str], of: Collection) -> Key | None:
        names = [sql.Identifier(name) for name in key]
        query = sql.SQL("select {} from {}{} order by {} limit 1").format(
            # Named anew, as ORDER BY would otherwise take the texts.
            sql.SQL(", ").join(
                sql.SQL("{}::text as {}").format(name, sql.Identifier(f"dongbo_{at}")) for at, name in enumerate(names)
            ),
            read.origin(),
            where(read.table.filter, of.condition, _present(key)),
            sql.SQL(", ").join(sql.SQL("{} desc").format(name) for name in names),
        )
        found = connection.execute(query).fetchone()
        return None if found is None else list(found)

    def _rows(
        self, connection: Connection, read: TableRead, key: Sequence[str], of: Collection, maximum: Key | None
    ) -> tuple[list[Record], Key | None, int]:
        if maximum is None:
            return [], None, 0
        after = _compared(key, ">", of.last) if of.last is not None else _present(key)
        query = sql.SQL("copy (select {} from {}{} order by {} limit {}) to stdout").format(
            sql.SQL(", ").join(sql.Identifier(column.name) for column in read.captured),
            read.origin(),
            where(read.table.filter, of.condition, after, _compared(key, "<=", maximum)),
            sql.SQL(", ").join(map(sql.Identifier, key)),
            self._settings.signalling.rows,
        )
        what = f"reading a chunk of table {read.table.id}"
        rows, names = Rows(read.route), [column.name for column in read.captured]
        records: list[Record] = []
        last: Key | None = None
        blocks = copied(
            self._settings, connection, query.as_bytes(connection), what, self._closing,
            rows=self._settings.signalling.rows,
        )  # fmt: skip
        for block in blocks:
            try:
                records += rows.records(block, b"")
            except (ValueError, UnexpectedNullError) as error:
                raise Refused(f"A row of table {read.table.id} can't be read: {type(error).__name__}.") from error
            fields = block[block.rfind(b"\n", 0, -1) + 1 : -1].split(b"\t")
            last = [unescaped(fields[names.index(name)]).decode() for name in key]
        return records, last, len(records)

    def _end(self, connection: Connection, inserted: int, taken: float) -> int:
        """Return the position to wait for, and see to it that the log gets there.

        What is not flushed is not sent. Where nothing may be written, wait until the server has flushed each commit
        that the snapshot holds: that takes at most three rounds of its WAL writer (its documentation, 28.4).
        """
        if self._may_write:
            try:
                connection.execute("set synchronous_commit = on")
                connection.execute("select pg_catalog.pg_logical_emit_message(true, %s, '')", (OWN.decode(),))
                return inserted
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
                self._may_write = False
        row: Any = connection.execute(
            "select setting::int8 from pg_catalog.pg_settings where name = 'wal_writer_delay'"
        ).fetchone()
        patience = taken + 0.2 + 3 * row[0] / 1000
        while True:
            late = time.monotonic() > patience
            (flushed,) = connection.execute(_FLUSHED).fetchone() or (0,)
            if late or flushed >= inserted or self._closing.wait(_PAUSE):
                return min(int(flushed), inserted)


def _present(key: Sequence[str]) -> sql.Composable:
    return sql.SQL(" and ").join(sql.SQL("{} is not null").format(sql.Identifier(name)) for name in key)


def _compared(key: Sequence[str], how: str, values: Key) -> sql.Composable:
    """Return ``(a, b) > ('1', 'x')``: literals without a type take the columns'."""
    names = sql.SQL(", ").join(map(sql.Identifier, key))
    literals = sql.SQL(", ").join(map(sql.Literal, values))
    return sql.SQL("({}) {} ({})").format(names, sql.SQL(how), literals)
