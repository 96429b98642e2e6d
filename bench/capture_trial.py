"""One trial of ``bench.capture``: a side and a table through all four workloads, then a look at what the topics hold.

The process is fresh, the table empty. Streaming comes first, so that the snapshot finds a warm JVM. The load does not
compete with the capture: transactions of many rows are written to the server first, and committed one after another.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from bench import measurement, personnel, topic
from bench.capture_side import Connector, Side
from bench.measurement import Figures
from bench.personnel import KEY, Rows
from bench.topic import Watch
from sync.demo.process import wait_until
from sync.embedded.endpoint import Endpoints
from sync.errors import Refused
from sync.kafka.client import Topic, ensure_topics

WORKLOADS = ("snapshot", "inserts", "updates", "latency")

Connection = psycopg.Connection[tuple[object, ...]]
Tell = Callable[[str], None]


class CaptureTrial:
    """A side on one table. ``data_dir`` is the stack's; ``rate`` rows/s in the latency workload."""

    def __init__(self, side: Side, rows: Rows, endpoints: Endpoints, data_dir: Path, *, rate: int, tell: Tell) -> None:
        self._side = side
        self._rows = rows
        self._shape = rows.shape
        self._endpoints = endpoints
        self._data_dir = data_dir
        self._rate = rate
        self._tell = tell
        self._looked = 0.0

    def run(self) -> dict[str, Figures]:
        """Figures by workload. Raises Refused where a topic's contents are wrong, Unavailable."""
        self._prepare()
        self._side.start()
        stream = Connector(self._side, self._endpoints, self._shape.name, "stream")
        found = self._stream(stream)
        snapshot = Connector(self._side, self._endpoints, self._shape.name, "snapshot")
        found["snapshot"] = self._snapshot(snapshot)
        self._tell(f"{self._side.name}: comparing the contents")
        total, measured = self._total, self._shape.rows
        self._verify(stream.topic, {"u": total - self._singles}, updated=measured)
        self._verify(snapshot.topic, {"r": total})
        return found

    def _stream(self, connector: Connector) -> dict[str, Figures]:
        shape = self._shape
        ensure_topics(self._endpoints.bootstrap, [Topic(connector.topic)])
        watch = Watch(self._endpoints.bootstrap, connector.topic)
        try:
            connector.register()
            self._await_slot(connector.name)
            self._tell(f"{self._side.name}: {shape.warm_up:,} rows to warm up")
            with self._transactions([self._rows.warm_up]) as transactions:
                self._drain(connector, watch, transactions, shape.warm_up)
            self._tell(f"{self._side.name}: {shape.rows:,} rows inserted")
            with self._transactions(self._rows.measured) as transactions:
                inserts = self._drain(connector, watch, transactions, shape.rows)
            self._tell(f"{self._side.name}: {shape.warm_up + shape.rows:,} rows updated, whole old rows in the log")
            with self._updates() as transactions:
                updates = self._drain(connector, watch, transactions, shape.warm_up + shape.rows)
            self._tell(f"{self._side.name}: {self._rate} rows/s")
            latency = self._latency(connector, watch)
        finally:
            watch.close()
            connector.remove()
        return {"inserts": inserts, "updates": updates, "latency": latency}

    # -- the source

    @property
    def _dsn(self) -> str:
        return self._endpoints.postgres_dsn(self._shape.name)

    @property
    def _singles(self) -> int:
        with self._rows.single.open(encoding="utf-8") as file:
            return sum(1 for _ in file)

    @property
    def _total(self) -> int:
        return self._shape.warm_up + self._shape.rows + self._singles

    def _prepare(self) -> None:
        """An empty table in a fresh database; its old rows are logged whole."""
        name = sql.Identifier(self._shape.name)
        with psycopg.connect(self._endpoints.postgres_dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {} template template0 encoding 'UTF8' locale 'C'").format(name))
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(self._shape.table.encode())
            connection.execute(sql.SQL("alter table {} replica identity full").format(name))

    @contextmanager
    def _transactions(self, files: tuple[Path, ...] | list[Path]) -> Iterator[list[Connection]]:
        """Transactions that have inserted a file's rows each, and wait for their commit."""
        with self._connections(len(files)) as made:
            for connection, path in zip(made, files, strict=True):
                with connection.cursor() as cursor, path.open("rb") as file:
                    copying = sql.SQL("copy {} from stdin").format(sql.Identifier(self._shape.name))
                    with cursor.copy(copying) as copy:
                        while part := file.read(1 << 18):
                            copy.write(part)
            yield made

    @contextmanager
    def _updates(self) -> Iterator[list[Connection]]:
        """Transactions that have updated a part of the rows each, together all, and wait for their commit."""
        parts = len(self._rows.measured)
        query = sql.SQL(
            "update {} set full_name = full_name || ' A', source_updated_at = now()"
            " where mod(abs(hashtext({})::bigint), {}) = %s"
        ).format(sql.Identifier(self._shape.name), sql.Identifier(KEY), sql.Literal(parts))
        with self._connections(parts) as made:
            for number, connection in enumerate(made):
                connection.execute(query, (number,))
            yield made

    @contextmanager
    def _connections(self, count: int) -> Iterator[list[Connection]]:
        made = [psycopg.connect(self._dsn) for _ in range(count)]
        try:
            yield made
        finally:
            for connection in made:
                connection.close()

    def _await_slot(self, name: str) -> None:
        query = "select from pg_replication_slots where slot_name = %s and active and confirmed_flush_lsn is not null"
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            wait_until(
                lambda: connection.execute(query, (name,)).fetchone() is not None, f"The slot {name}", seconds=60
            )

    # -- measuring

    def _drain(self, connector: Connector, watch: Watch, transactions: list[Connection], rows: int) -> Figures:
        """Commit, and wait until the topic shows all rows. From just before the first commit to the last record."""
        measure = self._begin(connector)
        before = watch.visible()
        began = time.monotonic()
        for transaction in transactions:
            transaction.commit()
        return measure(watch, before + rows, rows, began)

    def _begin(self, connector: Connector) -> Callable[[Watch, int, int, float], Figures]:
        """Note what was used until now; the returned function waits for the end and gives the figures."""
        programs = self._side.programs
        programs.reset_peak()
        cpu, server = programs.cpu(), measurement.server_cpu(self._data_dir)

        def end(watch: Watch, least: int, rows: int, began: float) -> Figures:
            last = watch.complete(least, programs.cpu, lambda: self._check(connector))
            after = measurement.server_cpu(self._data_dir)
            return Figures(
                rows=rows,
                seconds=last.time - began,
                cpu={name: last.cpu[name] - cpu[name] for name in cpu},
                server_cpu={name: after[name] - server[name] for name in server},
                rss=programs.rss(),
            )

        return end

    def _latency(self, connector: Connector, watch: Watch) -> Figures:
        """Single rows at a steady rate: from just before a row's statement (which commits) until it can be read."""
        measure = self._begin(connector)
        singles = self._singles
        start = watch.visible()
        arrivals = topic.Arrivals(self._endpoints.bootstrap, connector.topic, start)
        arrived: list[float] = []
        reader = threading.Thread(target=lambda: arrived.extend(arrivals.times(singles, 120.0)))
        reader.start()
        try:
            began = time.monotonic()
            sent = list(self._insert_singles())
            figures = measure(watch, start + singles, singles, began)
        finally:
            reader.join()
            arrivals.close()
        if len(arrived) != singles:
            raise Refused(f"{self._side.name}: {len(arrived)} of {singles} single rows arrived.")
        figures.latencies = [there - here for here, there in zip(sent, arrived, strict=True)]
        return figures

    def _insert_singles(self) -> Iterator[float]:
        columns = self._shape.columns
        statement = sql.SQL("insert into {} values ({})").format(
            sql.Identifier(self._shape.name), sql.SQL(", ").join([sql.Placeholder()] * len(columns))
        )
        with (
            psycopg.connect(self._dsn, autocommit=True) as connection,
            self._rows.single.open(encoding="utf-8", newline="") as file,
        ):
            started = time.monotonic()
            for number, line in enumerate(file):
                # The people invented here have no text that COPY would escape.
                row = [None if text == r"\N" else text for text in line.rstrip("\n").split("\t")]
                # The rate is the workload: this waits for the clock, not for a condition.
                time.sleep(max(0.0, started + number / self._rate - time.monotonic()))
                now = time.time()
                connection.execute(statement, row, prepare=True)
                yield now

    def _snapshot(self, connector: Connector) -> Figures:
        """From the connector's registration to the last row in the topic."""
        self._tell(f"{self._side.name}: snapshot of {self._total:,} rows")
        ensure_topics(self._endpoints.bootstrap, [Topic(connector.topic)])
        watch = Watch(self._endpoints.bootstrap, connector.topic)
        try:
            measure = self._begin(connector)
            began = time.monotonic()
            connector.register()
            return measure(watch, self._total, self._total, began)
        finally:
            watch.close()
            connector.remove()

    def _check(self, connector: Connector) -> None:
        """Look at process and task every few seconds: a failed one would be waited for in vain."""
        if time.monotonic() - self._looked > 5:
            self._looked = time.monotonic()
            connector.check()

    # -- the topics

    def _verify(self, name: str, more: dict[str, int], updated: int = 0) -> None:
        """All rows, each change once, and by key what the table holds now."""
        columns = tuple(column.name for column in self._shape.columns)
        found = topic.held(self._endpoints.bootstrap, name, KEY, columns, self._side.decode)
        wanted = Counter(more)
        if updated:
            wanted["c"] = self._total
        if found.ops != wanted:
            raise Refused(f"{name} holds {dict(found.ops)} instead of {dict(wanted)}: its figures mean nothing.")
        rows = self._held()
        if wrong := sum(found.rows.get(key) != digest for key, digest in rows.items()):
            raise Refused(f"{name}: {wrong} of {len(rows)} rows differ from the table: its figures mean nothing.")

    def _held(self) -> dict[str, int]:
        """By key a hash of the table's rows, in Debezium's forms (decimals as texts)."""
        forms = {
            "date": "{0} - date '1970-01-01'",
            "timestamptz": "to_char({0} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        }
        chosen = []
        for column in self._shape.columns:
            form = forms.get(column.sql, "{0}::text" if column.sql.startswith("numeric") else "{0}")
            chosen.append(form.format(column.name))
        place = [column.name for column in self._shape.columns].index(personnel.KEY)
        with psycopg.connect(self._dsn) as connection, connection.cursor(name="held") as cursor:
            cursor.itersize = 5000
            cursor.execute(f"select {', '.join(chosen)} from {self._shape.name}".encode())
            return {str(row[place]): hash(row) for row in cursor}
