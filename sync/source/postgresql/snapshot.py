"""Reads the rows of all captured tables as of one exported snapshot, as Debezium's ``op: r`` records.

Called once by the task, before the stream that begins exactly where the snapshot ends. Tables are read one after
another by COPY; memory is bounded by the batch size.
"""

from __future__ import annotations

import select
import struct
from collections.abc import Callable, Iterator, Sequence

import psycopg
from psycopg import pq, sql

from sync.errors import Unavailable
from sync.record import Position
from sync.source.postgresql import datum
from sync.source.postgresql.capture import Batch
from sync.source.postgresql.envelope import Origin, SourceBlock, ending
from sync.source.postgresql.route import Route
from sync.source.postgresql.session import Connection, meaning, place, refusals
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.table import Column, Table
from sync.source.postgresql.written import Written

_FIELDS = struct.Struct(">h").unpack_from
_EXTENSION = struct.Struct(">I").unpack_from
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"

# Types whose binary form is their text.
_TEXTUAL = frozenset({"text", "varchar", "bpchar", "name", "json"})

# Types whose cast to text is their output, as in the log (a boolean's is not, but both forms are read).
_CAST = frozenset({"bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "uuid", "jsonb", "bytea"}) | {
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
}


class Snapshot:
    """One reading of all tables, over a connection in a transaction of its own."""

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        block: SourceBlock,
        position: int,
        clock: Callable[[], int],
        *,
        written: Written | None = None,
    ) -> None:
        """``position`` is the log position that the snapshot stands for; ``clock`` gives nanoseconds since 1970.

        ``written`` is what an interrupted snapshot left behind.
        """
        self._settings = settings
        self._connection = connection
        self._block = block
        self._position = position
        self._clock = clock
        self._written = written
        self._batch = Batch(position=Position(position))
        self._held: tuple[Route, list[bytes]] | None = None
        self._sources: dict[tuple[str, bytes], bytes] = {}
        self._first = True

    def open(self, name: str) -> None:
        """Take up the exported snapshot ``name``. Raises Unavailable, Refused."""
        with refusals(self._settings, "taking up the snapshot"):
            self._connection.execute("begin isolation level repeatable read read only")
            self._connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(name)))

    def batches(self, routes: Sequence[Route]) -> Iterator[Batch]:
        """Yield batches of at most the configured size; the last one may be empty. Raises Refused, Unavailable."""
        for route in routes:
            fresh = True
            for message in self._copy(route.described):
                parts = [route.created]
                route.rows.copied(message, 2, parts)
                if self._written is not None and self._written.repeats(route.topic, route.key(parts), parts):
                    continue
                self._hold(route, parts, fresh)
                fresh = False
                if self._batch.changes >= self._settings.batch:
                    yield self._take()
            self._remove_gone(route)
        if self._held is not None:
            self._write(b"last")
        yield self._take()

    def _hold(self, route: Route, parts: list[bytes], fresh: bool) -> None:
        # One row is held back: only the next one tells whether it was the last of its table.
        if self._held is not None:
            self._write(b"last_in_data_collection" if fresh else b"true")
        self._held = (route, parts)
        if fresh:
            self._write(b"first" if self._first else b"first_in_data_collection")
            self._first = False

    def _write(self, marker: bytes) -> None:
        if self._held is None:
            return
        route, parts = self._held
        self._held = None
        key = route.key(parts)
        parts.append(self._source(route, marker))
        self._batch.outputs[route.topic].append((key, b"".join(parts)))
        self._batch.captured[route.topic, "r"] += 1
        self._batch.changes += 1

    def _remove_gone(self, route: Route) -> None:
        if self._written is None:
            return
        records = self._batch.outputs[route.topic]
        for key, delete in self._written.gone(route.topic, self._position, self._clock()):
            records.append((key, delete))
            if self._settings.tombstones:
                records.append((key, None))
            self._batch.captured[route.topic, "d"] += 1
            self._batch.changes += 1

    def _source(self, route: Route, marker: bytes) -> bytes:
        known = self._sources.get((route.topic, marker))
        if known is None:
            now = self._clock()
            origin = Origin(now // 1000, None)
            block = self._block
            sequence = b'[null,"%d"]' % self._position
            known = self._sources[route.topic, marker] = b"".join(
                (
                    block.opening(origin.ts_us, sequence, snapshot=marker),
                    block.times(origin),
                    route.names,
                    block.transaction(origin),
                    datum.zigzag(self._position),
                    block.closing(origin),
                    ending("r", now),
                )
            )
        return known

    def _take(self) -> Batch:
        batch = self._batch
        batch.committed_us = self._clock() // 1000
        self._batch = Batch(position=batch.position)
        self._sources.clear()
        return batch

    def _copy(self, table: Table) -> Iterator[bytes]:
        """Yield the table's rows in COPY's binary format, a row's field count first."""
        query = sql.SQL("copy (select {} from {}{}) to stdout (format binary)").format(
            sql.SQL(", ").join(map(_selected, table.columns)),
            sql.Identifier(table.id.schema, table.id.table),
            sql.SQL(f" where {table.filter}" if table.filter else ""),
        )
        pg = self._connection.pgconn
        what = f"reading table {table.id}"
        result = pg.exec_(query.as_bytes(self._connection))
        if result.status != pq.ExecStatus.COPY_OUT:
            raise meaning(self._settings, psycopg.errors.error_from_result(result), what)
        opening = True
        for data in self._arrivals(pg, what):
            row = _without_header(data) if opening else data
            opening = False
            if _FIELDS(row)[0] >= 0:
                yield row

    def _arrivals(self, pg: pq.abc.PGconn, what: str) -> Iterator[bytes]:
        # Never libpq's blocking read: it would hold up the thread that commits.
        waiter = select.poll()
        waiter.register(pg.socket, select.POLLIN)
        try:
            while True:
                size, data = pg.get_copy_data(1)
                if size > 0:
                    yield bytes(data)
                elif size == 0:
                    waiter.poll(1000)
                    pg.consume_input()
                else:
                    break
        except psycopg.OperationalError as error:
            message = f"PostgreSQL at {place(self._settings)} closed the connection while {what}."
            raise Unavailable(message) from error
        while (result := pg.get_result()) is not None:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise meaning(self._settings, psycopg.errors.error_from_result(result), what)


def _selected(column: Column) -> sql.Composable:
    if not column.captured:
        return sql.SQL("null")
    name = sql.Identifier(column.name)
    if column.type.name in _TEXTUAL or (column.type.labels and column.type.element is None):
        return name
    if column.type.name in _CAST or column.type.element is not None:
        return sql.SQL("{}::text").format(name)
    # A cast may be more than output (inet's appends the mask); format() is output. A composite value with a null in it
    # is neither null nor not null, but distinct.
    return sql.SQL("case when {0} is distinct from null then pg_catalog.format('%s', {0}) end").format(name)


def _without_header(data: bytes) -> bytes:
    (extension,) = _EXTENSION(data, len(_SIGNATURE) + 4)
    return data[len(_SIGNATURE) + 8 + extension :]
