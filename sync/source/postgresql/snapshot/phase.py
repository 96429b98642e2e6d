"""The phase before the stream: decide whether to read, with what slot, and read; and readings between streams.

Called by the task with the stored offset; returns where the stream starts. A reading that a crash or a stop
interrupted goes on: finished parts stay, the rest is read under a later snapshot (docs/adr/0006).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any

from sync.errors import PositionLost, Refused
from sync.ports import TaskContext
from sync.record import Position, TableId
from sync.schema.registry import RegistryClient
from sync.source.commit import Committer
from sync.source.postgresql.batch import Batch
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.envelope import SourceBlock
from sync.source.postgresql.incremental.state import Blocking, without
from sync.source.postgresql.notification import INITIAL, Notifications
from sync.source.postgresql.offset import Offset
from sync.source.postgresql.replication import Replication
from sync.source.postgresql.route import loosened
from sync.source.postgresql.router import Router
from sync.source.postgresql.server import require_history
from sync.source.postgresql.session import Connection, connect, refusals, settle
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.slot import require_continuation, require_slot, take_snapshot_slot
from sync.source.postgresql.snapshot.chunk import TableRead, chunks, look
from sync.source.postgresql.snapshot.gauge import Gauges
from sync.source.postgresql.snapshot.initial import Initial, Tell
from sync.source.postgresql.snapshot.progress import Progress, TableProgress, View
from sync.source.postgresql.snapshot.reader import Readers, begin, take_up
from sync.source.postgresql.snapshot.written import Written
from sync.source.postgresql.table import Table

_log = logging.getLogger(__name__)

Commit = Callable[[Batch], None]


class Phase:
    """One reading of the tables, or none, as ``snapshot.mode`` says."""

    def __init__(
        self,
        context: TaskContext,
        settings: Settings,
        registry: RegistryClient,
        router: Router,
        block: SourceBlock,
        committer: Committer,
        commit: Commit,
        stop: threading.Event,
        notifications: Notifications,
    ) -> None:
        """``commit`` starts a batch's transaction; ``committer`` is idle."""
        self._context = context
        self._settings = settings
        self._registry = registry
        self._router = router
        self._block = block
        self._committer = committer
        self._commit = commit
        self._stop = stop
        self._notifications = notifications
        self._kept: dict[str, Any] = {}

    def begin(self, stored: Offset | None) -> Offset | None:
        """Return the offset that the stream starts at; None when the stop request came first.

        Raises PositionLost, Refused, Incompatible, Fenced, Unavailable.
        """
        mode = self._settings.snapshot
        if not self._due(stored):
            return stored
        interrupted = stored is not None and stored.snapshot
        if mode == "no_data" and not interrupted:
            position = take_snapshot_slot(self._settings, keep=True)[1]
            batch = Batch(position=position)
            self._notifications.tell(batch.outputs, "SKIPPED", INITIAL)
            self._write(batch)
            return Offset(position)
        if self._stop.wait(self._settings.reading.delay):
            return None
        if stored is not None and "incremental" in stored.extra:
            self._kept["incremental"] = stored.extra["incremental"]
        with ExitStack() as open_:
            return self._read(stored if interrupted else None, open_)

    def _due(self, stored: Offset | None) -> bool:
        mode = self._settings.snapshot
        if stored is None or stored.snapshot or mode == "always":
            return True
        return mode == "when_needed" and not self._continues(stored)

    def _continues(self, stored: Offset) -> bool:
        with closing(Replication(self._settings)) as replication, connect(self._settings) as connection:
            try:
                require_history(replication, stored.server, stored.position)
                require_slot(self._settings, Catalog(self._settings, connection), stored.position)
            except PositionLost:
                return False
        return True

    def _require_cluster(self, interrupted: Offset) -> None:
        """Raise PositionLost where another cluster answers: by its rows, those that were read would seem deleted."""
        if interrupted.server is None or self._settings.snapshot == "when_needed":
            return
        with closing(Replication(self._settings)) as replication:
            require_history(replication, interrupted.server, interrupted.position)

    def _start(self, batch: Batch) -> None:
        batch.extra |= self._kept
        self._commit(batch)

    def _write(self, batch: Batch) -> None:
        self._start(batch)
        self._committer.finish()

    def _read(self, interrupted: Offset | None, open_: ExitStack) -> Offset | None:
        if interrupted is not None:
            self._require_cluster(interrupted)
        planner = open_.enter_context(closing(connect(self._settings)))
        progress = self._resumed(interrupted, planner)
        replication = None
        if progress is not None and interrupted is not None:
            position, view = interrupted.position, len(progress.views)
            name = str(_value(self._settings, planner, "select pg_catalog.pg_export_snapshot()"))
        else:
            replication, position, name = take_snapshot_slot(self._settings, keep=False, stop=self._stop)
            if replication is not None:
                open_.callback(replication.close)
            with refusals(self._settings, "taking up the snapshot"):
                take_up(planner, name)
            progress, view = Progress(), 0
        tables = Catalog(self._settings, planner).tables()
        # Without the slot that it began with, what an interrupted reading wrote is known from the topics alone.
        anew = interrupted is not None and replication is not None
        plan = self._plan(self._ordered(tables, planner), progress, planner, anew=anew)
        initial = self._initial(plan, planner, position, progress, view)
        readers = self._readers(plan, planner, name, initial, open_)
        if replication is not None:
            replication.close()
        if not self._copy(initial, readers, plan):
            return None
        held = progress.held()
        offset = Offset(position, extra=self._kept | ({"held": held.encode()} if held.tables else {}))
        batch = Batch(position=position, extra=dict(offset.extra))
        self._notifications.tell(batch.outputs, "COMPLETED", INITIAL)
        self._write(batch)
        return offset

    def requested(self, start: Offset, request: Blocking) -> Offset | None:
        """Read the tables that a signal asks for while nothing streams; None when the stop request came first.

        ``start`` is the committed offset, whose state has the request; what is returned hasn't. A restart begins the
        reading anew. What the server refuses ends the reading only: it is told in the log. Raises Incompatible,
        Fenced, Unavailable.
        """
        self._kept = dict(start.extra)
        done = Batch(position=start.position, extra=without(start.extra, request))
        try:
            with ExitStack() as open_:
                if not self._read_requested(start, request, open_):
                    return None
            self._notifications.tell(done.outputs, "COMPLETED", INITIAL)
        except Refused as error:
            _log.error("The blocking snapshot of signal %s is given up: %s", request.signal, error)
            if self._committer.busy:
                self._committer.finish()
            self._notifications.tell(done.outputs, "ABORTED", INITIAL)
        self._kept = {}
        self._write(done)
        return replace(start, extra=dict(done.extra))

    def _read_requested(self, start: Offset, request: Blocking, open_: ExitStack) -> bool:
        require_continuation(self._settings, start)
        planner = open_.enter_context(closing(connect(self._settings)))
        # Rows that are read must not be older than what the log has told.
        settle(self._settings, planner, self._stop)
        with refusals(self._settings, "taking a snapshot"):
            begin(planner)
        name = str(_value(self._settings, planner, "select pg_catalog.pg_export_snapshot()"))
        tables = [table for table in Catalog(self._settings, planner).tables() if str(table.id) in request.tables]
        progress = Progress()
        plan = self._plan(tables, progress, planner, anew=False, statements=request.statements)
        initial = self._initial(plan, planner, start.position, progress, 0, resumable=False)
        return self._copy(initial, self._readers(plan, planner, name, initial, open_), plan)

    def _initial(
        self,
        plan: list[TableRead],
        planner: Connection,
        position: Position,
        progress: Progress,
        view: int,
        *,
        resumable: bool = True,
    ) -> Initial:
        xid = _value(self._settings, planner, "select pg_snapshot_xmax(pg_current_snapshot())::text::int8")
        names = [str(read.table.id) for read in plan]
        tell: Tell = partial(self._notifications.tell, aggregate=INITIAL, tables=names)
        return Initial(
            self._settings,
            self._block,
            position,
            progress,
            view,
            time.time_ns,
            self._written(plan),
            int(str(xid)),
            tell,
            resumable=resumable,
        )

    def _readers(
        self, plan: list[TableRead], planner: Connection, snapshot: str, initial: Initial, open_: ExitStack
    ) -> Readers:
        """Return readers that have taken up the snapshot of this name, or failed."""
        readers = Readers(
            self._settings,
            self._begun(plan, planner),
            snapshot,
            self._settings.reading.threads,
            ending=initial.ending,
            loosen=lambda route, columns: self._router.route(loosened(route.described, columns)),
        )
        open_.callback(readers.close)
        readers.wait()
        return readers

    def _resumed(self, interrupted: Offset | None, planner: Connection) -> Progress | None:
        """Return the progress to go on with, its last view that of the transaction now open; None to begin anew."""
        if interrupted is None or "progress" not in interrupted.extra or not self._continues(interrupted):
            return None
        # On a standby, pg_current_snapshot() does not tell which transactions run.
        if _value(self._settings, planner, "select pg_catalog.pg_is_in_recovery()"):
            return None
        try:
            progress = Progress.decode(interrupted.extra["progress"])
        except (ValueError, KeyError, TypeError) as error:
            raise PositionLost(
                "The progress of the snapshot in the connector's stored offset can't be read.",
                hint="delete the connector's offsets: the next start reads a new snapshot",
            ) from error
        with refusals(self._settings, "taking a snapshot"):
            begin(planner)
            snapshot, end = planner.execute(
                "select pg_catalog.pg_current_snapshot()::text, "
                "(pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8"
            ).fetchone() or ("", 0)
        progress.resume(View.parse(snapshot, end))
        return progress

    def _ordered(self, tables: list[Table], planner: Connection) -> list[Table]:
        """Leave out what ``snapshot.include.collection.list`` does not name; order by size where asked for."""
        reading, signals = self._settings.reading, self._settings.signalling.table
        # As Debezium: the rows of the table of signals are no data.
        chosen = [table for table in tables if reading.includes(table.id) and table.id != signals]
        if reading.order == "disabled":
            return chosen
        with refusals(self._settings, "reading the sizes of tables"):
            rows = planner.execute(
                "select n.nspname, c.relname, case when c.relkind = 'p' then (select sum(greatest(l.reltuples, 0)) "
                "from pg_catalog.pg_partition_tree(c.oid) t join pg_catalog.pg_class l on l.oid = t.relid) "
                "else c.reltuples end from pg_catalog.pg_class c "
                "join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p')"
            ).fetchall()
        sizes = {TableId(schema, name): count for schema, name, count in rows}
        return sorted(chosen, key=lambda table: sizes.get(table.id, 0), reverse=reading.order == "descending")

    def _plan(
        self,
        tables: list[Table],
        progress: Progress,
        planner: Connection,
        *,
        anew: bool,
        statements: Mapping[str, str] | None = None,
    ) -> list[TableRead]:
        """Return what is left to read. Registers schemas, creates topics. ``statements`` take the place of selects."""
        progress.keep(str(table.id) for table in tables)
        plan = []
        for table in tables:
            state = progress.table(str(table.id))
            if state.finished:
                continue
            if anew:
                state.begun = True
            route = self._router.route(table)
            if state.key is not None and route.described.key != (state.key,):
                # The key is another one now: the ranges say nothing any more.
                state = progress.tables[str(table.id)] = TableProgress(begun=True)
            statement = (statements or {}).get(str(table.id)) or self._settings.reading.statement(table.id)
            plan.append(TableRead(route, state, statement))
            column = look(self._settings, planner, plan[-1])
            if state.key is None and not state.begun:
                state.key = column
        return plan

    def _begun(self, plan: list[TableRead], planner: Connection) -> Iterator[TableRead]:
        threads = self._settings.reading.threads
        for table in plan:
            table.chunks = chunks(self._settings, planner, table, threads)
            yield table

    def _written(self, plan: list[TableRead]) -> Written | None:
        again = [read for read in plan if read.progress.begun and read.progress.key is None]
        if not again or self._settings.transformed:
            # What transforms wrote can't be compared with rows: such a table is written again whole.
            return None
        written = Written(self._context.bootstrap, self._registry, self._block)
        for read in again:
            written.load(read.route.topic)
        return written

    def _copy(self, initial: Initial, readers: Readers, plan: list[TableRead]) -> bool:
        """Write all batches; False when the stop request came before the end (the next start goes on)."""
        gauges = Gauges(self._context.connector, plan, self._context.progress)
        previous: Batch | None = None
        try:
            for batch in initial.batches(readers, self._stop):
                if previous is not None:
                    self._committer.finish()
                    self._start(previous)
                    gauges.started(previous)
                    gauges.finished(initial.finished)
                previous = batch
            self._committer.finish()
            if previous is not None:
                gauges.started(previous)
                self._write(previous)
        except BaseException:
            gauges.aborted()
            raise
        if self._stop.is_set():
            gauges.aborted()
            if previous is not None:
                ended = Batch(position=previous.position, snapshot=previous.snapshot, extra=previous.extra)
                self._notifications.tell(ended.outputs, "ABORTED", INITIAL)
                if ended:
                    self._write(ended)
            return False
        gauges.completed()
        return True


def _value(settings: Settings, connection: Connection, query: str) -> object:
    with refusals(settings, "taking a snapshot"):
        row = connection.execute(query).fetchone()
    return None if row is None else row[0]
