"""Asks real Debezium what it gives for every type in every handling mode, and writes ``debezium_types.json``.

    python -m tests.golden.renew_types <stack's directory> [<connection string of another server> …]

By hand, when a type is added or another Debezium is followed: needs Java, Debezium's jars (as ``make bench`` gets
them) and the embedded stack's Kafka. A table is read on the first server that has what it needs: the stack's
PostgreSQL, then those named (one with the contrib extensions, ``wal_level=logical``).

The file, by mode and table: ``fields`` (the Connect schema of the row, by column), ``key``, ``read`` (rows of the
snapshot), ``created`` (the same rows streamed, where they differ), ``deleted`` (what ``before`` of the first delete
holds) and ``updated`` (``after`` of updates). A mode other than the first has only the tables that differ from it.
Beside it ``columns``: what our catalogs say of them, and the text in which PostgreSQL prints each value, in the
sessions that capture uses.
"""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.connect import DEBEZIUM, ConnectWorker
from bench.program import check_tasks
from sync.embedded.endpoint import Endpoints
from sync.embedded.stack import Stack
from sync.errors import Refused
from sync.kafka.client import read_all
from sync.record import TableId
from sync.source.postgresql import PLUGIN
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.setting import Settings
from tests.type_table import GOLDEN, MODES, TypeTable, type_tables

SESSION = "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=3"


def main() -> None:
    stack = Stack(Path(sys.argv[1]))
    endpoints = stack.up()
    embedded = make_conninfo(
        host=endpoints.postgres_host,
        port=endpoints.postgres_port,
        user=endpoints.postgres_user,
        password=endpoints.postgres_password,
        dbname="postgres",
    )
    left = [table for table in type_tables() if not table.fails]
    found: dict[str, Any] = {"debezium": DEBEZIUM, "modes": {mode: {} for mode in MODES}, "columns": {}}
    for server in [embedded, *sys.argv[2:]]:
        with psycopg.connect(server, autocommit=True) as connection:
            here = [table for table in left if table.possible(connection)]
        left = [table for table in left if table not in here]
        if here:
            _ask(server, stack.data_dir, endpoints, here, found)
    if left:
        print("No server for:", ", ".join(table.name for table in left))
    _drop_repeated(found)
    GOLDEN.write_text(_text(found), encoding="utf-8")


def _ask(server: str, data_dir: Path, endpoints: Endpoints, tables: list[TypeTable], found: dict[str, Any]) -> None:
    name = f"types_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
        try:
            _capture(make_conninfo(server, dbname=name), name, data_dir, endpoints, tables, found)
        finally:
            for slot in admin.execute("select slot_name from pg_replication_slots where database = %s", [name]):
                admin.execute("select pg_drop_replication_slot(%s)", slot)
            admin.execute(f"drop database {name} with (force)".encode())


def _capture(
    dsn: str, name: str, data_dir: Path, endpoints: Endpoints, tables: list[TypeTable], found: dict[str, Any]
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Debezium names a type without its schema only where the search path finds it, as everywhere.
        for table in tables:
            table.make(connection)
            found["columns"][table.name] = _columns(dsn, table.name)
        connection.execute("create table type_end (id int primary key)")
        connection.execute("insert into type_end values (1)")
        worker = ConnectWorker(data_dir, endpoints)
        # A null stays a null where the column has a default: the converter would write the default.
        worker.start({"value.converter.replace.null.with.default": "false"})
        try:
            worker.register({f"{name}_{mode}": _config(dsn, f"{name}_{mode}", mode) for mode in MODES})
            _wait(endpoints.bootstrap, name, 1, worker.url)
            for table in tables:
                table.change(connection)
            connection.execute("insert into type_end values (2)")
            _wait(endpoints.bootstrap, name, 2, worker.url)
        finally:
            worker.programs.stop()
    for mode in MODES:
        for table in tables:
            found["modes"][mode][table.name] = _table(endpoints.bootstrap, f"{name}_{mode}.public.{table.name}")


def _columns(dsn: str, table: str) -> list[dict[str, Any]]:
    """Return our own columns of the table (``table.Column`` as JSON) with the texts of their values, in order of id."""
    parsed = PLUGIN.config.parse(_config(dsn, "columns", next(iter(MODES))) | {"dongbo.source.locality": "01"})
    with psycopg.connect(dsn, options=SESSION) as connection:
        columns = Catalog(Settings.read(parsed.values), connection).table(TableId("public", table), None).columns
        listed = ", ".join(
            f'case when "{column.name}" is distinct from null then format(\'%s\', "{column.name}") end'
            for column in columns
        )
        rows = connection.execute(f"select {listed} from {table} order by 1::int".encode()).fetchall()
    told = ("name", "type", "optional", "default")
    return [
        {**{name: item for name, item in asdict(column).items() if name in told}, "texts": [row[place] for row in rows]}
        for place, column in enumerate(columns)
    ]


def _config(dsn: str, name: str, mode: str) -> dict[str, str]:
    server = conninfo_to_dict(dsn)
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": str(server["host"]),
        "database.port": str(server["port"]),
        "database.user": str(server["user"]),
        "database.password": str(server.get("password", "")),
        "database.dbname": str(server["dbname"]),
        "topic.prefix": name,
        "plugin.name": "pgoutput",
        "slot.name": name,
        "publication.name": name,
        "publication.autocreate.mode": "filtered",
        "schema.include.list": "public",
        "tombstones.on.delete": "false",
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.partitions": "1",
        "poll.interval.ms": "100",
        **MODES[mode],
    }


def _wait(bootstrap: str, name: str, count: int, url: str) -> None:
    deadline = time.monotonic() + 120
    for mode in MODES:
        while len(_records(bootstrap, f"{name}_{mode}.public.type_end")) < count:
            check_tasks(url, [f"{name}_{mode}"])
            if time.monotonic() > deadline:
                print(f"mode {mode} did not come to the end; see log/connect.log of the stack")
                break
            time.sleep(0.5)


def _records(bootstrap: str, topic: str) -> list[tuple[Any, Any]]:
    try:
        return [(_json(message.key()), _json(message.value())) for message in read_all(bootstrap, topic)]
    except Refused:
        return []


def _json(data: bytes) -> Any:
    # The address of a Java object, where Debezium prints one, is another each time.
    return json.loads(re.sub(rb"(\[L[A-Za-z.]+;)@[0-9a-f]+", rb"\1", data))


def _table(bootstrap: str, topic: str) -> dict[str, Any]:
    records = _records(bootstrap, topic)
    if not records:
        return {"fields": None}
    after = next(field for field in records[0][1]["schema"]["fields"] if field["field"] == "after")
    payloads = [value["payload"] for _, value in records]
    of = {op: [_short(row["after"]) for row in payloads if row["op"] == op] for op in "rcu"}
    result = {
        "fields": _by_name(after),
        "key": _by_name(records[0][0]["schema"]),
        "read": of["r"],
        "created": [row for row in of["c"] if row.get("id", 0) < 2000],
        "deleted": next((row["before"] for row in payloads if row["op"] == "d"), None),
        "updated": of["u"],
    }
    if result["created"] == result["read"]:
        del result["created"]
    if not result["updated"]:
        del result["updated"]
    return result


def _short(row: dict[str, Any]) -> dict[str, Any]:
    # A long value of a row whose other values are of interest.
    return {name: value[:50] if isinstance(value, str) and len(value) > 4000 else value for name, value in row.items()}


def _by_name(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        field["field"]: {name: item for name, item in field.items() if name != "field"} for field in schema["fields"]
    }


def _drop_repeated(found: dict[str, Any]) -> None:
    first, *others = MODES
    for mode in others:
        tables = found["modes"][mode]
        for name in list(tables):
            if tables[name] == found["modes"][first][name]:
                del tables[name]


def _text(found: dict[str, Any]) -> str:
    """JSON with one line a table."""

    def inner(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def listed(tables: dict[str, Any]) -> str:
        return ",\n".join(f"{json.dumps(name)}: {inner(table)}" for name, table in sorted(tables.items()))

    modes = ",\n".join(f"{json.dumps(mode)}: {{\n{listed(tables)}\n}}" for mode, tables in found["modes"].items())
    return (
        f'{{"debezium": {json.dumps(found["debezium"])},\n"modes": {{\n{modes}\n}},\n'
        f'"columns": {{\n{listed(found["columns"])}\n}}}}\n'
    )


if __name__ == "__main__":
    main()
