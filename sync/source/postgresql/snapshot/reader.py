"""Readers: threads that copy chunks under one exported snapshot and hand over encoded pieces.

Started by ``initial``, which takes the pieces; the queue between holds a few, so memory is bounded by their size.
"""

from __future__ import annotations

import queue
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import pq, sql

from sync.errors import Refused, Unavailable
from sync.source.postgresql.batch import Record
from sync.source.postgresql.route import Route
from sync.source.postgresql.session import Connection, connect, meaning, place, refusals
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.snapshot.chunk import Chunk, TableRead
from sync.source.postgresql.snapshot.progress import Range
from sync.source.postgresql.snapshot.rows import Rows
from sync.source.postgresql.transcoder import UnexpectedNullError

_PIECE_ROWS = 2000
_PIECE_BYTES = 4_000_000
_WAITING_PIECES = 4
_PAUSE = 0.2
_POLL_MS = 200


@dataclass(slots=True)
class Piece:
    """Some rows of a table, encoded; ``ending`` is what each value ends with, and may be replaced.

    ``done`` is the range of keys that is finished with it. With ``last`` nothing of the table follows. ``opened`` is
    the marker of the first row, where it has one.
    """

    table: TableRead
    records: list[Record] = field(default_factory=list)
    ending: bytes = b""
    done: Range | None = None
    last: bool = False
    opened: bytes = b""


Ending = Callable[[Route], bytes]
"""``route -> the source block and the rest of a value after the row``."""

Loosen = Callable[[Route, frozenset[str]], Route]
"""``(route, columns) -> the route with these columns nullable``."""


class Readers:
    """All readers of one snapshot. ``close`` ends them, whether they are done or not."""

    def __init__(
        self,
        settings: Settings,
        tables: Iterator[TableRead],
        snapshot: str,
        threads: int,
        *,
        ending: Ending,
        loosen: Loosen,
    ) -> None:
        """``tables`` are asked for under a lock, by any reader; ``snapshot`` is the exported snapshot's name."""
        self._settings = settings
        self._tables = tables
        self._snapshot = snapshot
        self._ending = ending
        self._loosen = loosen
        self._rows = max(1, min(_PIECE_ROWS, settings.batch))
        self._lock = threading.Lock()
        self._current: TableRead | None = None
        self._closing = threading.Event()
        self._pieces: queue.Queue[Piece | BaseException | None] = queue.Queue(threads * _WAITING_PIECES)
        self._threads = [
            threading.Thread(target=self._work, name=f"snapshot-{settings.prefix}-{number}")
            for number in range(threads)
        ]
        self._ready = threading.Barrier(threads + 1)
        self._running = threads
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads and wait for them."""
        self._closing.set()
        self._ready.abort()
        for thread in self._threads:
            thread.join()

    def wait(self) -> None:
        """Return when all readers have taken up the snapshot, or one has failed, which ``pieces`` then raises."""
        with suppress(threading.BrokenBarrierError):
            self._ready.wait()

    def pieces(self, stop: threading.Event) -> Iterator[Piece]:
        """Yield pieces as they come, until all is read or ``stop``. Raises what a reader met."""
        while not stop.is_set():
            try:
                piece = self._pieces.get(timeout=_PAUSE)
            except queue.Empty:
                continue
            if isinstance(piece, BaseException):
                raise piece
            if piece is None:
                self._running -= 1
                if not self._running:
                    return
            else:
                yield piece

    def _work(self) -> None:
        try:
            # Closed at once, also in the middle of a COPY.
            with closing(connect(self._settings)) as connection:
                with refusals(self._settings, "taking up the snapshot"):
                    take_up(connection, self._snapshot)
                self._ready.wait()
                while (chunk := self._next()) is not None:
                    self._read(connection, chunk)
                    self._finish(chunk)
                self._put(None)
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that takes the pieces
            self._put(error)
            self._ready.abort()

    def _put(self, piece: Piece | BaseException | None) -> None:
        while not self._closing.is_set():
            try:
                self._pieces.put(piece, timeout=_PAUSE)
                return
            except queue.Full:
                continue

    def _next(self) -> Chunk | None:
        with self._lock:
            while not self._closing.is_set():
                table = self._current
                if table is None:
                    table = self._current = next(self._tables, None)
                    if table is None:
                        return None
                    # The planning itself, so that a table is not finished before it is planned.
                    table.open = 1
                chunk = next(table.chunks, None)
                if chunk is not None:
                    table.open += 1
                    return chunk
                self._current = None
                self._close_one(table)
        return None

    def _close_one(self, table: TableRead) -> None:
        table.open -= 1
        if not table.open:
            self._put(Piece(table, last=True))

    def _finish(self, chunk: Chunk) -> None:
        with self._lock:
            self._close_one(chunk.table)

    def _read(self, connection: Connection, chunk: Chunk) -> None:
        table = chunk.table
        rows, route = Rows(table.route), table.route
        low = chunk.range.low if chunk.range is not None else None
        names = [column.name for column in table.captured]
        key = names.index(table.progress.key) if table.progress.key is not None else 0
        for block in self._blocks(connection, chunk):
            ending = self._ending(route)
            while True:
                try:
                    records = rows.records(block, ending)
                    break
                except ValueError as error:
                    raise Refused(f"A row of table {table.table.id} can't be read: {error}.") from error
                except UnexpectedNullError as missing:
                    route = self._loosened(table, missing.place)
                    rows = Rows(route)
            done = None
            if chunk.range is not None:
                last = block[block.rfind(b"\n", 0, -1) + 1 : -1].split(b"\t", key + 1)[key]
                done = Range(low, int(last))
                low = done.high
            self._put(Piece(table, list[Record](records), ending, done))
        if chunk.range is not None and (low != chunk.range.high or low is None):
            self._put(Piece(table, done=Range(low, chunk.range.high)))

    def _loosened(self, table: TableRead, place_: int) -> Route:
        with self._lock:
            column = table.table.columns[place_]
            if not column.optional:
                table.route = self._loosen(table.route, frozenset({column.name}))
            return table.route

    def _blocks(self, connection: Connection, chunk: Chunk) -> Iterator[bytes]:
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in chunk.table.captured)
        query = sql.SQL("copy (select {} from {}) to stdout").format(columns, chunk.source)
        what = f"reading table {chunk.table.table.id}"
        return copied(self._settings, connection, query.as_bytes(connection), what, self._closing, rows=self._rows)


def begin(connection: Connection) -> None:
    """Begin a reading transaction that may take as long as it wants, idle or not. Raises psycopg's errors."""
    connection.execute("set idle_in_transaction_session_timeout = 0")
    if connection.info.server_version >= 170000:
        connection.execute("set transaction_timeout = 0")
    connection.execute("begin isolation level repeatable read read only")


def take_up(connection: Connection, snapshot: str) -> None:
    """Begin a transaction under an exported snapshot. Raises psycopg's errors."""
    begin(connection)
    connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))


def copied(
    settings: Settings,
    connection: Connection,
    query: bytes,
    what: str,
    stop: threading.Event,
    *,
    rows: int,
) -> Iterator[bytes]:
    """Yield blocks of a COPY in text format: whole lines, at most ``rows`` of them. Ends early with ``stop``.

    The connection is then of no further use. Raises Refused, Unavailable.
    """
    pg = connection.pgconn
    result = pg.exec_(query)
    if result.status != pq.ExecStatus.COPY_OUT:
        raise meaning(settings, psycopg.errors.error_from_result(result), what)
    # Never libpq's blocking read: a stop request must get through.
    waiter = select.poll()
    waiter.register(pg.socket, select.POLLIN)
    get = pg.get_copy_data
    lines: list[bytes] = []
    room = _PIECE_BYTES
    try:
        while True:
            size, line = get(1)
            if size > 0:
                lines.append(line)  # type: ignore[arg-type]
                room -= size
                if len(lines) >= rows or room <= 0:
                    yield b"".join(lines)
                    lines, room = [], _PIECE_BYTES
            elif size < 0:
                break
            elif stop.is_set():
                return
            else:
                waiter.poll(_POLL_MS)
                pg.consume_input()
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL at {place(settings)} closed the connection while {what}.") from error
    while (ended := pg.get_result()) is not None:
        if ended.status == pq.ExecStatus.FATAL_ERROR:
            raise meaning(settings, psycopg.errors.error_from_result(ended), what)
    if lines:
        yield b"".join(lines)
