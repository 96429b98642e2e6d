"""What the source's catalogs say: settings, publication, slot, captured tables and their types.

Called at a task's start, by ``check``, and when the log announces a changed table. It reads; what is changed
``publication`` decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from sync.errors import Refused
from sync.record import TableId
from sync.source.postgresql.pgoutput import Relation
from sync.source.postgresql.session import Connection, place, refusals
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.table import Column, Identity, PgType, Table

_log = logging.getLogger(__name__)

_TABLES = """
select n.nspname, c.relname
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relpersistence = 'p'
  and case when %(by_root)s then c.relkind in ('r', 'p') and not c.relispartition else c.relkind = 'r' end
  and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
order by 1, 2
"""

_PARTITIONS = """
select n.nspname, c.relname, m.nspname, l.relname
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join lateral pg_catalog.pg_partition_tree(c.oid) t on t.isleaf
  left join pg_catalog.pg_class l on l.oid = t.relid left join pg_catalog.pg_namespace m on m.oid = l.relnamespace
where c.relkind = 'p' order by 1, 2
"""

_COLUMNS = """
select a.attname, a.atttypid, a.atttypmod, a.attnotnull,
  case when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end, a.attgenerated <> ''
from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped order by a.attnum
"""

_RELATION = """
select c.oid, c.relreplident::text,
  coalesce((select array_agg(a.attname::text order by k.place)
   from pg_catalog.pg_index i
     cross join lateral unnest(i.indkey::int2[]) with ordinality k(attnum, place)
     join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
   where i.indrelid = c.oid and k.place <= i.indnkeyatts
     and case when c.relreplident = 'i' then i.indisreplident else i.indisprimary end),
   (select array_agg(a.attname::text order by k.place)
   from (
     select u.* from pg_catalog.pg_index u join pg_catalog.pg_class x on x.oid = u.indexrelid
     where u.indrelid = c.oid and c.relreplident = 'f' and u.indisunique and u.indisvalid
       and u.indpred is null and u.indexprs is null and not exists (
         select from pg_catalog.pg_attribute n
         where n.attrelid = c.oid and n.attnum = any(u.indkey::int2[]) and not n.attnotnull)
     order by x.relname limit 1
   ) i
     cross join lateral unnest(i.indkey::int2[]) with ordinality k(attnum, place)
     join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
   where k.place <= i.indnkeyatts), '{}')
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s
"""

_IDENTITY = """
select c.relreplident::text,
  (select i.relname from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid
   where x.indrelid = c.oid and x.indisreplident and c.relreplident = 'i')
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s
"""

_INDEX = """
select array_agg(a.attname::text order by k.place)
from pg_catalog.pg_index x
  join pg_catalog.pg_class i on i.oid = x.indexrelid
  join pg_catalog.pg_class c on c.oid = x.indrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  cross join lateral unnest(x.indkey::int2[]) with ordinality k(attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
where n.nspname = %s and c.relname = %s and i.relname = %s and k.place <= x.indnkeyatts
group by i.oid
"""

_TYPE = """
select t.typname, t.typtype::text, t.typbasetype, t.typtypmod,
  case when t.typcategory = 'A' and t.typsubscript = 'array_subscript_handler'::regproc then t.typelem else 0 end,
  coalesce((select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_catalog.pg_enum e
            where e.enumtypid = t.oid), '{}')
from pg_catalog.pg_type t where t.oid = %s
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot as pg_replication_slots shows it; ``confirmed`` is a log position in bytes."""

    plugin: str
    database: str | None
    active: bool
    confirmed: int
    lost: bool
    failover: bool = False


class Catalog:
    """The catalogs of one source, over a connection of its own (not shared between threads)."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self.settings = settings
        self._connection = connection
        self._types: dict[tuple[int, int], PgType] = {}

    @property
    def server_version(self) -> int:
        """As libpq numbers it: 180000."""
        return self._connection.info.server_version

    def _rows(self, query: str, *parameters: Any, what: str = "reading the catalogs") -> list[tuple[Any, ...]]:
        """Run a query; its parameters are in order, or one mapping by name."""
        given = parameters[0] if parameters and isinstance(parameters[0], dict) else parameters
        with refusals(self.settings, what):
            return self._connection.execute(query, given).fetchall()

    def require_logical(self) -> None:
        """Raise Refused unless the server writes what logical decoding needs and the role may use it."""
        if self.server_version < 130000:
            raise Refused(
                f"PostgreSQL at {place(self.settings)} has version {self.server_version // 10000}; 13 is the oldest "
                "that this connector reads.",
                hint="upgrade the server",
            )
        level, replication = self._rows(
            "select current_setting('wal_level'), rolreplication or rolsuper "
            "or coalesce(pg_has_role(to_regrole('rds_replication'), 'member'), false) "
            "from pg_catalog.pg_roles where rolname = current_user"
        )[0]
        if level != "logical":
            raise Refused(
                f"PostgreSQL at {place(self.settings)} has wal_level={level}; logical decoding needs 'logical'.",
                hint="set wal_level = logical in postgresql.conf and restart the server",
            )
        if not replication:
            user = self.settings.connection["user"]
            raise Refused(
                f"The role {user} at {place(self.settings)} has no REPLICATION attribute.",
                hint=f"ALTER ROLE {user} REPLICATION",
            )

    def require_encoding(self) -> None:
        """Raise Refused where nothing tells what characters the database's texts consist of."""
        encoding = self._connection.info.parameter_status("server_encoding")
        if encoding == "SQL_ASCII":
            raise Refused(
                f"Database {place(self.settings)} has the encoding SQL_ASCII: what characters its texts consist of is "
                "not known, and records are UTF-8.",
                hint="dump the database, load it into one with the encoding UTF8 (CREATE DATABASE … ENCODING 'UTF8' "
                "TEMPLATE template0; pg_dump --encoding names the encoding that its clients wrote), and capture that",
            )

    def chosen(self) -> list[TableId]:
        """Return the tables that the configuration selects. Refused where there is none."""
        by_root = self.by_root()
        names = [TableId(*row) for row in self._rows(_TABLES, {"by_root": by_root})]
        found = [name for name in names if name in self.settings.selection]
        if not by_root:
            self._require_partitions(set(found))
        if not found:
            raise Refused(
                f"No table of {place(self.settings)} is selected by the include and exclude lists.",
                hint="check table.include.list and schema.include.list: regular expressions of schema.table",
            )
        most = self.settings.most_tables
        if most and len(found) > abs(most):
            message = f"{len(found)} tables are selected, guardrail.collections.max is {abs(most)}."
            if most > 0:
                raise Refused(message, hint="narrow table.include.list, or raise guardrail.collections.max")
            _log.warning("Source %s: %s", self.settings.prefix, message)
        return found

    def publication_is_newer(self) -> bool:
        """Tell whether the publication may have been made or altered after the position of the slot, which is there.

        By transaction numbers: the slot keeps the catalogs as they were from ``catalog_xmin`` on.
        """
        rows = self._rows(
            "select pg_catalog.age(p.xmin) <= pg_catalog.age(s.catalog_xmin) "
            "from pg_catalog.pg_publication p, pg_catalog.pg_replication_slots s "
            "where p.pubname = %s and s.slot_name = %s and s.catalog_xmin is not null",
            self.settings.publication,
            self.settings.slot,
        )
        return bool(rows and rows[0][0])

    def by_root(self) -> bool:
        """Tell whether changes of partitions are published as their root's: what an existing publication does."""
        rows = self._rows(
            "select pubviaroot from pg_catalog.pg_publication where pubname = %s", self.settings.publication
        )
        return bool(rows[0][0]) if rows else self.settings.by_root

    def partitioned(self) -> dict[TableId, list[TableId]]:
        """Return the selected partitioned tables with all their partitions that hold rows, those of partitions too."""
        found: dict[TableId, list[TableId]] = {}
        for schema, name, leaf_schema, leaf in self._rows(_PARTITIONS):
            leaves = found.setdefault(TableId(schema, name), [])
            if leaf is not None:
                leaves.append(TableId(leaf_schema, leaf))
        return {name: leaves for name, leaves in found.items() if name in self.settings.selection}

    def _require_partitions(self, chosen: set[TableId]) -> None:
        for name, leaves in self.partitioned().items():
            if leaves and chosen.isdisjoint(leaves):
                raise Refused(
                    f"Table {name} is partitioned, and publication {self.settings.publication} publishes partitions as "
                    "tables of their own, of which none is selected.",
                    hint="select the partitions, or leave out the table; or set publish.via.partition.root=true, and "
                    f"for a publication that exists ALTER PUBLICATION {self.settings.publication} SET "
                    "(publish_via_partition_root = true)",
                )

    def unreadable(self, tables: list[TableId]) -> list[TableId]:
        """Return those of the tables that the role may not SELECT (or whose schema it may not use)."""
        rows = self._rows(
            "select n.nspname, c.relname from pg_catalog.pg_class c "
            "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
            "where not (has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')) "
            "and c.relkind in ('r', 'p')"
        )
        refused = {TableId(*row) for row in rows}
        return [table for table in tables if table in refused]

    def publication(self) -> bool | None:
        """Return whether the publication is for all tables; None where there is none."""
        rows = self._rows(
            "select puballtables from pg_catalog.pg_publication where pubname = %s", self.settings.publication
        )
        return bool(rows[0][0]) if rows else None

    def change(self, statement: sql.Composed | sql.SQL, what: str) -> None:
        """Run a statement that changes the source; ``what`` names it for the message. Raises Refused, Unavailable."""
        with refusals(self.settings, what):
            self._connection.execute(statement)

    def identity(self, name: TableId) -> tuple[Identity, str | None]:
        """Return a table's replica identity and its index's name, where it is one. Refused where there is no table."""
        rows = self._rows(_IDENTITY, name.schema, name.table)
        if not rows:
            raise Refused(f"Table {name} does not exist in {place(self.settings)}.", hint="check the table's name")
        return Identity(rows[0][0]), rows[0][1]

    def indexed(self, name: TableId, index: str) -> tuple[str, ...]:
        """Return the columns of a table's index; none where there is no such index."""
        rows = self._rows(_INDEX, name.schema, name.table, index)
        return tuple(rows[0][0]) if rows else ()

    def published(self) -> list[TableId]:
        """Return the tables of the publication."""
        return [TableId(*row[:2]) for row in self._published()]

    def listed(self) -> list[TableId]:
        """Return the tables that the publication names, partitioned ones as such."""
        rows = self._rows(
            "select n.nspname, c.relname from pg_catalog.pg_publication_rel r "
            "join pg_catalog.pg_publication p on p.oid = r.prpubid join pg_catalog.pg_class c on c.oid = r.prrelid "
            "join pg_catalog.pg_namespace n on n.oid = c.relnamespace where p.pubname = %s",
            self.settings.publication,
        )
        return [TableId(*row) for row in rows]

    def _published(self) -> list[tuple[Any, ...]]:
        details = "attnames::text[], rowfilter" if self.server_version >= 150000 else "null, null"
        return self._rows(
            f"select schemaname, tablename, {details} from pg_catalog.pg_publication_tables "
            "where pubname = %s order by 1, 2",
            self.settings.publication,
        )

    def tables(self) -> list[Table]:
        """Return the captured tables: published and selected. Refused where a selected one isn't published."""
        published = {TableId(row[0], row[1]): row for row in self._published()}
        missing = [table for table in self.chosen() if table not in published]
        if not published:
            raise Refused(
                f"Publication {self.settings.publication} has no tables.",
                hint=f"ALTER PUBLICATION {self.settings.publication} ADD TABLE …, or set "
                "publication.autocreate.mode=filtered",
            )
        if missing and self.settings.selection.include:
            raise Refused(
                f"Publication {self.settings.publication} lacks selected tables: {', '.join(map(str, missing))}.",
                hint="add them to the publication, or set publication.autocreate.mode=filtered",
            )
        return [
            self.table(name, row[2], filter_=row[3])
            for name, row in published.items()
            if name in self.settings.selection
        ]

    def captured(self, name: TableId) -> Table | None:
        """Return a table as it is published; None where it isn't, is not selected, or does not exist."""
        published = [row for row in self._published() if TableId(row[0], row[1]) == name]
        if not published or name not in self.settings.selection:
            return None
        return self.table(name, published[0][2], filter_=published[0][3])

    def table(self, name: TableId, columns: list[str] | None, *, filter_: str | None = None) -> Table:
        """Return a table, with the named columns only if given. Refused where it does not exist."""
        rows = self._rows(_RELATION, name.schema, name.table)
        if not rows:
            raise Refused(f"Table {name} does not exist in {place(self.settings)}.", hint="check the table's name")
        oid, identity, key = rows[0]
        # Before PostgreSQL 18 a publication lists generated columns and the log never has them.
        unlogged = self.server_version < 180000
        found = tuple(
            Column(column, self.type(type_oid, modifier), not required, default)
            for column, type_oid, modifier, required, default, generated in self._rows(_COLUMNS, oid)
            if (columns is None or column in columns) and not (generated and unlogged)
        )
        names = {column.name for column in found}
        return Table(name, found, tuple(key) if set(key) <= names else (), Identity(identity), filter_)

    def described(self, relation: Relation, former_key: Callable[[Relation], tuple[str, ...]] = lambda _: ()) -> Table:
        """Return the table as the log describes it; what the log doesn't say (NOT NULL, key order) as it is now.

        With full identity it doesn't say the key either. If what is the key now was no column then, ``former_key``
        tells what it was.
        """
        name = TableId(relation.schema, relation.table)
        required: set[str] = set()
        defaults: dict[str, str | None] = {}
        key: tuple[str, ...] = ()
        rows = self._rows(_RELATION, name.schema, name.table)
        if rows:
            found = self._rows(_COLUMNS, rows[0][0])
            required = {row[0] for row in found if row[3]}
            defaults = {row[0]: row[4] for row in found}
            key = tuple(rows[0][2])
        logged = {column.name for column in relation.columns if column.key}
        identity = Identity(relation.identity)
        if identity in (Identity.DEFAULT, Identity.INDEX) and set(key) != logged:
            key = tuple(column.name for column in relation.columns if column.key)
        elif not rows or not set(key) <= {column.name for column in relation.columns}:
            key = former_key(relation)
        columns = tuple(
            Column(
                column.name,
                self.type(column.type_oid, column.modifier),
                column.name not in required and column.name not in key,
                defaults.get(column.name),
            )
            for column in relation.columns
        )
        return Table(name, columns, key, identity)

    def type(self, oid: int, modifier: int) -> PgType:
        """Return a type, domains resolved. A type that is gone is read as text."""
        known = self._types.get((oid, modifier))
        if known is None:
            known = self._types[oid, modifier] = self._type(oid, modifier)
        return known

    def _type(self, oid: int, modifier: int) -> PgType:
        rows = self._rows(_TYPE, oid)
        if not rows:
            return PgType("text")
        name, kind, base, base_modifier, element, labels = rows[0]
        if kind == "d":
            return replace(self.type(base, base_modifier), domain=True)
        if kind == "c":
            return PgType("record")
        if name == "money":
            modifier = self._money_digits()
        return PgType(name, modifier, tuple(labels), self.type(element, modifier) if element else None)

    def _money_digits(self) -> int:
        # The fraction digits of lc_monetary, by which the server divides what it stores.
        zero = str(self._rows("select 0::money::text")[0][0])
        return sum(character.isdigit() for character in zero) - 1

    def slot(self) -> Slot | None:
        """Return the configured slot; None where there is none."""
        failover = "failover" if self.server_version >= 170000 else "false"
        rows = self._rows(
            "select plugin, database, active, coalesce(confirmed_flush_lsn - '0/0'::pg_lsn, 0)::int8, "
            f"wal_status is not distinct from 'lost', {failover} "
            "from pg_catalog.pg_replication_slots where slot_name = %s",
            self.settings.slot,
        )
        return Slot(*rows[0]) if rows else None
