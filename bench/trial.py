"""One trial: a variant on a fresh stack, warmed up, measured, compared with what its target must hold.

Called by ``bench.end_to_end``. The source table is empty when the connectors start; everything comes by streaming.
Throughput: transactions of many rows, from the first commit until the target has the last row. Latency: single rows
at a low rate, the target's ``synced_at`` less the source's ``source_updated_at``, both the server's clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from bench import content, measurement, workload
from bench.measurement import Figures
from bench.ours import POPULATION, SYNCED_AT, Whole
from bench.program import check_tasks
from bench.side import Side
from bench.workload import REGISTER, REGISTER_TABLE, STAFF, STAFF_TABLE, UPDATED, Workload
from sync.demo.process import wait_until
from sync.embedded.endpoint import Endpoints
from sync.kafka import TopicPartition
from sync.kafka.client import consumer, topic_partitions

EXPECTED = "expected"
LOOK_SECONDS = 0.5
"""Between two counts of the target: seldom, because a count costs the same two cores. The end is read from the rows."""

PATIENCE = 600.0
STATE_TOPIC = "civil_servant.contributions"

Tell = Callable[[str], None]


class Trial:
    """A variant's trial. ``data_dir`` is the stack's."""

    def __init__(self, side: Side, made: Workload, endpoints: Endpoints, data_dir: Path, tell: Tell) -> None:
        self._side = side
        self._made = made
        self._dsn = endpoints.postgres_dsn
        self._bootstrap = endpoints.bootstrap
        self._data_dir = data_dir
        self._tell = tell
        self._looked = 0.0

    def run(self) -> Figures:
        """Measure and verify. Raises Refused where the target is wrong, Unavailable where something doesn't work."""
        side, size = self._side, self._made.size
        self._tell(f"{side.name}: databases and processes")
        self._prepare()
        side.start()
        if isinstance(side, Whole):
            self._tell(f"{side.name}: {size.people:,} people into the register")
            self._await_register()
        self._tell(f"{side.name}: {size.warm_up:,} rows to warm up")
        with psycopg.connect(self._dsn(side.source)) as source:
            _commit_copy(source, self._made.warm_up)
            self._await_rows(size.warm_up)
            if side.adds_synced_at:
                self._add_synced_at()
            self._tell(f"{side.name}: {size.rows:,} rows in transactions of {size.transaction:,}")
            figures = self._throughput(source)
        self._tell(f"{side.name}: {size.rate} rows/s for {size.seconds} s")
        figures.latencies = self._latency()
        figures.rss = side.programs.rss()
        self._tell(f"{side.name}: comparing the contents")
        self._verify()
        return figures

    # -- before

    def _prepare(self) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            for name in (*self._side.databases, EXPECTED):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'").format(
                        sql.Identifier(name)
                    )
                )
        self._table(self._side.source, "civil_servant", STAFF_TABLE, STAFF)
        if POPULATION in self._side.databases:
            self._table(POPULATION, "population", REGISTER_TABLE, REGISTER)
            with psycopg.connect(self._dsn(POPULATION)) as connection:
                _copy(connection, REGISTER_TABLE, self._made.register)

    def _table(self, database: str, dataset: str, table: str, names: tuple[str, ...]) -> None:
        with psycopg.connect(self._dsn(database)) as connection:
            connection.execute(workload.table_sql(table, workload.columns(dataset, names)).encode())

    def _await_register(self) -> None:
        """Wait until the reconciler has noted every person of the register."""
        reader = consumer(self._bootstrap, "bench-probe", enable_partition_eof=True)
        found = 0
        try:
            wait_until(lambda: STATE_TOPIC in topic_partitions(self._bootstrap), f"The topic {STATE_TOPIC}", seconds=60)
            count = topic_partitions(self._bootstrap)[STATE_TOPIC]
            reader.assign([TopicPartition(STATE_TOPIC, number, 0) for number in range(count)])

            def complete() -> bool:
                nonlocal found
                self._check()
                while batch := reader.consume(10_000, 0.2):
                    found += sum(message.error() is None for message in batch)
                    if all(message.error() for message in batch):
                        break
                return found >= self._made.size.people

            wait_until(complete, "The register's way to the reconciler", seconds=PATIENCE)
        finally:
            reader.close()

    def _add_synced_at(self) -> None:
        with psycopg.connect(self._dsn(self._side.target)) as connection:
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD COLUMN {} timestamptz DEFAULT clock_timestamp()").format(
                    self._target, sql.Identifier(SYNCED_AT)
                )
            )

    # -- measuring

    def _throughput(self, source: psycopg.Connection[tuple[object, ...]]) -> Figures:
        programs, size = self._side.programs, self._made.size
        cpu, server = programs.cpu(), measurement.server_cpu(self._data_dir)
        began = 0.0
        for path in self._made.measured:
            committed = _commit_copy(source, path)
            began = began or committed
        self._await_rows(size.warm_up + size.rows)
        cpu_after, server_after = programs.cpu(), measurement.server_cpu(self._data_dir)
        return Figures(
            rows=size.rows,
            seconds=self._last_write() - began,
            cpu={name: cpu_after[name] - cpu[name] for name in cpu},
            server_cpu={name: server_after[name] - server[name] for name in server},
            rss={},
        )

    def _latency(self) -> list[float]:
        size = self._made.size
        found = workload.columns("civil_servant", STAFF)
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in found)
        values = sql.SQL(", ").join(
            sql.SQL("clock_timestamp()") if column.name == UPDATED else sql.SQL("%s") for column in found
        )
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(STAFF_TABLE), names, values)
        keys = []
        with psycopg.connect(self._dsn(self._side.source), autocommit=True) as source:
            started = time.monotonic()
            for number, texts in enumerate(workload.singles(self._made)):
                # The rate is the workload: this waits for the clock, not for a condition.
                time.sleep(max(0.0, started + number / size.rate - time.monotonic()))
                row = [text for text, column in zip(texts, found, strict=True) if column.name != UPDATED]
                source.execute(statement, row, prepare=True)
                keys.append(texts[0])
        self._await_rows(size.people)
        query = sql.SQL(
            "SELECT extract(epoch FROM {} - {})::float8 FROM {} WHERE {} = ANY(%s)"
        ).format(
            sql.Identifier(SYNCED_AT), sql.Identifier(UPDATED), self._target, sql.Identifier(workload.KEY)
        )  # fmt: skip
        with psycopg.connect(self._dsn(self._side.target)) as target:
            return [float(row[0]) for row in target.execute(query, (keys,)).fetchall()]

    # -- the target

    @property
    def _target(self) -> sql.Identifier:
        return sql.Identifier(*self._side.target_table.split("."))

    def _await_rows(self, wanted: int) -> None:
        """Wait until the target's table is there and has ``wanted`` rows."""
        with psycopg.connect(self._dsn(self._side.target), autocommit=True) as connection:
            looked = 0.0

            def arrived() -> bool:
                nonlocal looked
                self._check()
                if time.monotonic() - looked < LOOK_SECONDS:
                    return False
                looked = time.monotonic()
                there = connection.execute("SELECT to_regclass(%s)", (self._side.target_table,)).fetchone()
                if there is None or there[0] is None:
                    return False
                row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self._target)).fetchone()
                return row is not None and int(row[0]) >= wanted

            wait_until(arrived, f"The last of {wanted} rows", seconds=PATIENCE, hint="read the logs")

    def _check(self) -> None:
        """Look at processes and tasks, every few seconds: a failed task would be waited for in vain."""
        self._side.programs.check()
        if time.monotonic() - self._looked > 5:
            self._looked = time.monotonic()
            check_tasks(self._side.url, list(self._side.configs()))

    def _last_write(self) -> float:
        query = sql.SQL("SELECT extract(epoch FROM max({}))::float8 FROM {}").format(
            sql.Identifier(SYNCED_AT), self._target
        )
        with psycopg.connect(self._dsn(self._side.target)) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return float(row[0])

    def _verify(self) -> None:
        """The plain copies must equal their source; golden records what is right, and the source's own times."""
        side = self._side
        source, target = self._dsn(side.source), self._dsn(side.target)
        if not isinstance(side, Whole):
            wanted = content.content(source, STAFF_TABLE, STAFF)
            content.require(side.name, "its rows", content.content(target, side.target_table, STAFF), wanted)
            return
        self._table(EXPECTED, "civil_servant", STAFF_TABLE, STAFF)
        with psycopg.connect(self._dsn(EXPECTED)) as connection:
            _copy(connection, STAFF_TABLE, self._made.expected)
        facts = [name for name in STAFF if name != UPDATED]
        wanted = content.content(self._dsn(EXPECTED), STAFF_TABLE, facts)
        content.require(side.name, "its golden records", content.content(target, side.target_table, facts), wanted)
        times = (workload.KEY, UPDATED)
        wanted = content.content(source, STAFF_TABLE, times)
        content.require(side.name, "its times", content.content(target, side.target_table, times), wanted)


def _copy(connection: psycopg.Connection[tuple[object, ...]], table: str, path: Path) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy,
        path.open("rb") as file,
    ):
        while part := file.read(1 << 18):
            copy.write(part)


def _commit_copy(connection: psycopg.Connection[tuple[object, ...]], path: Path) -> float:
    """Insert a file's rows in one transaction; the time (Unix, seconds) just before its commit."""
    _copy(connection, STAFF_TABLE, path)
    now = time.time()
    connection.commit()
    return now
