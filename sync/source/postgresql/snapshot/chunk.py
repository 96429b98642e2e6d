"""Cuts tables into chunks of bounded size and gives them out to the readers.

A table whose key is one indexed integer column is cut by the key: ``N`` rows each, in order of the key, so that every
finished piece is a range of keys. Any other large table is cut by blocks of its heap (``ctid``), which nothing needs an
index for. Called by ``reader``, by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from sync.source.postgresql.route import Route
from sync.source.postgresql.session import Connection, refusals
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.snapshot.progress import Range, TableProgress
from sync.source.postgresql.table import Column, Table

CHUNK_ROWS = 20_000
CHUNK_BLOCKS = 8192

_INTEGERS = ("int2", "int4", "int8")

_UNORDERED = 0.5
"""Below this correlation of key and place in the heap, reading by the key would jump about in it."""

_LOOK = """
select c.relkind = 'p', c.relpages,
  exists (select from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    join pg_catalog.pg_class x on x.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = x.relam
    where i.indrelid = c.oid and a.attname = %(key)s and i.indisvalid and i.indpred is null and m.amname = 'btree'),
  coalesce((select abs(s.correlation) from pg_catalog.pg_stats s
    where s.schemaname = n.nspname and s.tablename = c.relname and s.attname = %(key)s and not s.inherited), 1),
  case when c.relkind = 'p' then (select coalesce(sum(greatest(l.reltuples, 0)), 0)
    from pg_catalog.pg_partition_tree(c.oid) t join pg_catalog.pg_class l on l.oid = t.relid)
  else greatest(c.reltuples, 0) end
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s and c.relname = %(name)s
"""

# search_path is empty, so that a regclass is printed with its schema.
_HEAPS = """
select c.oid::regclass::text, c.relkind = 'r' and m.amname = 'heap',
  (pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int8)::int8
from pg_catalog.pg_class c left join pg_catalog.pg_am m on m.oid = c.relam
where c.oid = %(table)s::regclass and c.relkind <> 'p' or c.oid in (
  select relid from pg_catalog.pg_partition_tree(%(table)s::regclass) where isleaf)
order by 1
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a table to read by one COPY: ``source`` is what stands after FROM.

    ``range`` where it is one of keys; its rows then come in the key's order.
    """

    table: TableRead
    source: sql.Composable
    range: Range | None = None


@dataclass(eq=False, slots=True)
class TableRead:
    """One table of a reading: its route, what is finished of it, and what else limits its rows.

    ``statement`` is the select of ``snapshot.select.statement.overrides``; ``open`` counts the chunks being read,
    ``chunks`` gives the next one; ``estimate`` is how many rows the server's statistics expect.
    """

    route: Route
    progress: TableProgress
    statement: str | None = None
    partitioned: bool = False
    estimate: float = 0
    open: int = 0
    chunks: Iterator[Chunk] = field(default_factory=lambda: iter(()), repr=False)

    @property
    def table(self) -> Table:
        """The table as the snapshot sees it."""
        return self.route.described

    @property
    def captured(self) -> list[Column]:
        """The columns that are read."""
        return [self.table.columns[place] for place in self.route.rows.places]

    def origin(self) -> sql.Composable:
        """What is selected from: the table, or the configured statement."""
        if self.statement is not None:
            # The line's end closes a comment at the statement's end.
            return sql.SQL("({}\n) as selected").format(sql.SQL(self.statement))
        name = sql.Identifier(self.table.id.schema, self.table.id.table)
        # A table that inherits is published by itself, and so are its rows.
        return name if self.partitioned else sql.SQL("only {}").format(name)


def where(*conditions: sql.Composable | str | None) -> sql.Composable:
    """Return `` where (…) and (…)`` of those conditions that are given."""
    given = [sql.SQL(item) if isinstance(item, str) else item for item in conditions if item]
    if not given:
        return sql.SQL("")
    return sql.SQL(" where ") + sql.SQL(" and ").join(sql.SQL("({})").format(item) for item in given)


def look(settings: Settings, connection: Connection, read: TableRead) -> str | None:
    """Find out how a table is cut: set ``partitioned`` and ``estimate``, return the integer key by which it can be.

    That column needs an index that the rows lie roughly in the order of. Raises Unavailable, Refused.
    """
    table = read.table
    column = table.columns[table.indexes(table.key)[0]] if len(table.key) == 1 else None
    parameters = {"schema": table.id.schema, "name": table.id.table, "key": column.name if column else ""}
    with refusals(settings, f"looking at table {table.id}"):
        row: Any = connection.execute(_LOOK, parameters).fetchone()
    read.partitioned, pages, indexed, correlation, read.estimate = row
    if column is None or column.optional or column.treatment or not column.captured:
        return None
    if column.type.name not in _INTEGERS or column.type.element is not None:
        return None
    if read.statement is not None or not indexed or (correlation < _UNORDERED and pages > CHUNK_BLOCKS):
        return None
    return column.name


def chunks(settings: Settings, connection: Connection, read: TableRead, threads: int) -> Iterator[Chunk]:
    """Yield the chunks that are left of a table, each found over ``connection`` when it is asked for.

    ``read.progress.key`` says whether it is cut by a key.
    """
    column = read.progress.key
    if column is not None:
        for left in read.progress.left():
            yield from _ranges(settings, connection, read, column, left)
    elif threads > 1 and read.statement is None and connection.info.server_version >= 140000:
        yield from _blocks(settings, connection, read)
    else:
        yield _everything(read)


def _everything(read: TableRead) -> Chunk:
    return Chunk(read, sql.SQL("{}{}").format(read.origin(), where(read.table.filter)))


def _within(column: str, bounds: Range) -> sql.Composable | None:
    name = sql.Identifier(column)
    parts = []
    if bounds.low is not None:
        parts.append(sql.SQL("{} > {}").format(name, bounds.low))
    if bounds.high is not None:
        parts.append(sql.SQL("{} <= {}").format(name, bounds.high))
    return sql.SQL(" and ").join(parts) if parts else None


def _ranges(settings: Settings, connection: Connection, read: TableRead, column: str, left: Range) -> Iterator[Chunk]:
    name, low = sql.Identifier(column), left.low
    while True:
        query = sql.SQL("select {0} from {1}{2} order by {0} offset {3} limit 1").format(
            name, read.origin(), where(_within(column, Range(low, left.high))), CHUNK_ROWS - 1
        )
        with refusals(settings, f"looking for the end of a chunk of table {read.table.id}"):
            found = connection.execute(query).fetchone()
        high = found[0] if found is not None else left.high
        bounds = Range(low, high)
        source = sql.SQL("{}{} order by {}").format(
            read.origin(), where(_within(column, bounds), read.table.filter), name
        )
        yield Chunk(read, source, bounds)
        if high == left.high:
            return
        low = high


def _blocks(settings: Settings, connection: Connection, read: TableRead) -> Iterator[Chunk]:
    name = sql.Identifier(read.table.id.schema, read.table.id.table).as_string(None)
    with refusals(settings, f"looking at table {read.table.id}"):
        heaps = connection.execute(_HEAPS, {"table": name}).fetchall()
    if not all(is_heap for _, is_heap, _ in heaps) or all(blocks <= CHUNK_BLOCKS for *_, blocks in heaps):
        yield _everything(read)
        return
    for heap, _, blocks in heaps:
        for start in range(0, max(blocks, 1), CHUNK_BLOCKS):
            bounds = [f"ctid >= '({start},0)'"] if start else []
            # The last chunk is open: the heap may have grown.
            if start + CHUNK_BLOCKS < blocks:
                bounds.append(f"ctid < '({start + CHUNK_BLOCKS},0)'")
            limit = where(" and ".join(bounds) if bounds else None, read.table.filter)
            yield Chunk(read, sql.SQL("only {}{}").format(sql.SQL(heap), limit))
