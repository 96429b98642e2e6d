"""The demo's databases: created empty, with the tables of each layout, then filled by COPY.

All are databases of one PostgreSQL server. Called by ``sync.demo.command`` before any connector is registered; assumes
a role that may create databases and replication origins. Streams: a few buffers of memory for any number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from sync.demo import script, unit, world
from sync.demo.error import Row
from sync.demo.layout import Layout, copy_line, layout
from sync.demo.site import CENTRE, RETURN_SCHEMA, RETURNED, Site, Table, returned
from sync.demo.story import Stage
from sync.rule.model import Field
from sync.schema.dataset import Dataset, load

Dsn = Callable[[str], str]
"""Database name → connection string."""

KEY = "id"
"""Primary key of the tables whose own ID column cannot be trusted."""

BUFFER = 1 << 16

TABLE_TYPES = {"date": "date", "int": "integer", "bool": "boolean", "datetime": "timestamptz"}


@dataclass(frozen=True)
class Layouts:
    """All layouts of the demo by (dataset, mapping), and the datasets."""

    by_name: Mapping[tuple[str, str], Layout]
    datasets: Mapping[str, Dataset]

    @property
    def fields(self) -> dict[tuple[str, str], frozenset[str]]:
        """What ``sync.demo.story.Stage`` needs to know of the layouts."""
        return {name: found.fields for name, found in self.by_name.items()}

    def of(self, row: Row) -> Layout:
        """The layout of the table that ``row`` stands in."""
        table = next(table for table in row.site.tables if table.name == row.table)
        return self.by_name[table.dataset, table.mapping]


def layouts(root: Path, sites: tuple[Site, ...]) -> Layouts:
    """Read the layouts of all tables of ``sites``; ConfigError where a mapping is missing."""
    names = {
        "ethnic_code": {row["code"]: row["name"] for row in world.rows(root, "ethnic_groups")},
        "religion_code": {row["code"]: row["name"] for row in world.rows(root, "religions")},
    }
    tables = {(table.dataset, table.mapping) for site in sites for table in site.tables}
    datasets = {
        name: load(name) for name in ("civil_servant", "organization_unit", "administrative_unit", "population")
    }
    return Layouts({key: layout(datasets[key[0]], key[1], names) for key in sorted(tables)}, datasets)


def create(dsn: Dsn, sites: tuple[Site, ...], found: Layouts) -> None:
    """Create the databases of ``sites`` and the centre with empty tables; existing ones of these names are replaced."""
    with psycopg.connect(dsn("postgres"), autocommit=True) as connection:
        for name in (*(site.name for site in sites), CENTRE):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'").format(sql.Identifier(name))
            )
    for site in sites:
        with psycopg.connect(dsn(site.name)) as connection:
            for table in site.tables:
                if not returned(table.name):
                    connection.execute(_own_table(table, found.by_name[table.dataset, table.mapping]))
            if site.locality:
                _create_returned(connection, found)
    with psycopg.connect(dsn(CENTRE)) as connection:
        _create_returned(connection, found)


def _own_table(table: Table, layout: Layout) -> sql.Composed:
    key = key_columns(table, layout)
    columns: list[sql.Composable] = [
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.sql)) for column in layout.columns
    ]
    if key == (KEY,):
        columns.insert(0, sql.SQL("{} bigint").format(sql.Identifier(KEY)))
    columns.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, key))))
    return sql.SQL("CREATE TABLE {} ({})").format(_name(table.name), sql.SQL(", ").join(columns))


def key_columns(table: Table, layout: Layout) -> tuple[str, ...]:
    """Primary key of a source table: a number of its own for personnel, the dataset's key elsewhere."""
    if table.dataset == "civil_servant":
        return ("citizen_id",) if returned(table.name) else (KEY,)
    fields = {"population": ("citizen_id",), "organization_unit": ("agency_code",)}
    names = fields.get(table.dataset, ("unit_code", "vintage"))
    return tuple(layout.column(name).name for name in names)


def _create_returned(connection: psycopg.Connection[tuple[object, ...]], found: Layouts) -> None:
    """The tables that our sinks write, as their golden records stand; full row images make edits visible to capture."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(RETURN_SCHEMA)))
    for name in RETURNED:
        dataset = found.datasets[name]
        columns: list[sql.Composable] = [_returned_column(field) for field in dataset.fields]
        columns += [sql.SQL("_locality text"), sql.SQL("_lineage jsonb")]
        columns.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, dataset.key))))
        table = sql.Identifier(RETURN_SCHEMA, name)
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(columns)))
        connection.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(table))


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _returned_column(field: Field) -> sql.Composed:
    decimal = f"numeric({field.precision},{field.scale})"
    kind = decimal if field.type == "decimal" else TABLE_TYPES.get(field.type, "text")
    return sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(kind))


class Copying:
    """Open COPYs into the tables of all sites; ``write`` buffers a row's line."""

    def __init__(self, copies: Mapping[tuple[str, str], psycopg.Copy], found: Layouts) -> None:
        self._copies = copies
        self._layouts = found
        self._buffers: dict[tuple[str, str], list[str]] = {key: [] for key in copies}
        self._sizes = dict.fromkeys(copies, 0)
        self.rows = 0

    def write(self, row: Row) -> None:
        """Add a row to its table."""
        layout = self._layouts.of(row)
        texts = layout.texts(row.clean, row.raw)
        if row.table in ("public.can_bo", "public.ho_so"):
            texts.insert(0, row.key)
        line = copy_line(texts)
        place = (row.site.name, row.table)
        self._buffers[place].append(line)
        self._sizes[place] += len(line)
        self.rows += 1
        if self._sizes[place] > BUFFER:
            self._send(place)

    def flush(self) -> None:
        """Send what is buffered."""
        for place in self._copies:
            self._send(place)

    def _send(self, place: tuple[str, str]) -> None:
        if self._buffers[place]:
            self._copies[place].write("".join(self._buffers[place]))
            self._buffers[place].clear()
            self._sizes[place] = 0


@contextmanager
def copying(dsn: Dsn, sites: tuple[Site, ...], found: Layouts) -> Iterator[Copying]:
    """Open a COPY into every own table of ``sites``, each on a connection of its own; commits on a normal exit."""
    with ExitStack() as stack:
        copies = {}
        for site in sites:
            for table in site.tables:
                if returned(table.name):
                    continue
                connection = stack.enter_context(psycopg.connect(dsn(site.name)))
                cursor = stack.enter_context(connection.cursor())
                layout = found.by_name[table.dataset, table.mapping]
                names = [column.name for column in layout.columns]
                if key_columns(table, layout) == (KEY,):
                    names.insert(0, KEY)
                statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    _name(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
                )
                copies[site.name, table.name] = stack.enter_context(cursor.copy(statement))
        target = Copying(copies, found)
        yield target
        target.flush()


def fill(dsn: Dsn, stage: Stage, found: Layouts, root: Path, progress: Callable[[int], None]) -> dict[str, int]:
    """Write everything that exists before the live phase; returns rows by topic (``<site>.<schema>.<table>``)."""
    counts: dict[str, int] = {}
    with copying(dsn, stage.sites, found) as target:
        for row in _initial(stage, found, root):
            target.write(row)
            topic = f"{row.site.name}.{row.table}"
            counts[topic] = counts.get(topic, 0) + 1
            if target.rows % 1000 == 0:
                progress(target.rows)
    progress(target.rows)
    return counts


def _initial(stage: Stage, found: Layouts, root: Path) -> Iterator[Row]:
    types = {field.name: field.type for field in found.datasets[unit.ADMINISTRATIVE].fields}
    for record in unit.administrative(root, dict(types)):
        yield unit.administrative_row(record)
    for code in unit.codes(stage.world):
        yield from unit.unit_rows(stage, code)
    for index in range(stage.people):
        told = script.story(stage, index)
        if told.register is not None:
            yield told.register
        yield from told.rows
