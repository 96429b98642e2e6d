"""Reads again what the log does not repeat: TOASTed values that an update left alone.

Called by the stream for a batch before it is committed, where ``dongbo.reselect.unavailable`` asks for it: one query a
table and batch, by primary key. A value is what the row holds now, which may be newer than the change (then that
change follows); of a row that is gone the placeholder stays. As Debezium's ReselectColumnsPostProcessor.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence

from psycopg import errors, sql

from sync.source.postgresql.batch import Gap, Record
from sync.source.postgresql.route import Route
from sync.source.postgresql.session import Connection, connect, refusals
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.transcoder import UnexpectedNullError

_log = logging.getLogger(__name__)

_TYPES = """
select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped
"""


class Reselect:
    """Fills gaps, over a connection of its own. ``close`` it in the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Connection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def fill(self, gaps: Sequence[Gap], outputs: Mapping[str, list[Record]]) -> None:
        """Put the values into the records of ``outputs``. Raises Refused, Unavailable."""
        routes: defaultdict[int, list[Gap]] = defaultdict(list)
        for gap in gaps:
            routes[id(gap.route)].append(gap)
        for found in routes.values():
            self._fill(found[0].route, found, outputs[found[0].route.topic])

    def _fill(self, route: Route, gaps: Sequence[Gap], records: list[Record]) -> None:
        table = route.described
        wanted = sorted({place for gap in gaps for place in gap.places})
        rows = self._rows(route, [table.columns[place].name for place in wanted], {gap.row for gap in gaps})
        for gap in gaps:
            values = rows.get(gap.row)
            if values is None:
                continue
            for place in gap.places:
                try:
                    gap.parts[place + 1] = route.rows.encoded(place, values[wanted.index(place)])
                except UnexpectedNullError:
                    continue
            records[gap.index] = (records[gap.index][0], b"".join(gap.parts))

    def _rows(
        self, route: Route, columns: Sequence[str], keys: set[tuple[bytes, ...]]
    ) -> dict[tuple[bytes, ...], list[bytes | None]]:
        """Return the columns' texts by the texts of the key; nothing where the table has changed since."""
        table = route.described
        if self._connection is None:
            self._connection = connect(self._settings)
        with refusals(self._settings, f"reading unchanged values of table {table.id} again"):
            types: dict[str, str] = dict(self._connection.execute(_TYPES, (table.id.schema, table.id.table)).fetchall())
            if not {*columns, *table.key} <= types.keys():
                return {}
            names = [sql.Identifier(f"k{number}") for number in range(len(table.key))]
            # format_type() gives a type's name as SQL takes it.
            cast = [
                sql.SQL("{}::{}").format(name, sql.SQL(types[key])) for name, key in zip(names, table.key, strict=True)
            ]
            query = sql.SQL("select {} from {} where ({}) in (select {} from unnest({}) u({}))").format(
                sql.SQL(", ").join(map(sql.Identifier, (*table.key, *columns))),
                sql.Identifier(table.id.schema, table.id.table),
                sql.SQL(", ").join(map(sql.Identifier, table.key)),
                sql.SQL(", ").join(cast),
                sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(table.key)),
                sql.SQL(", ").join(names),
            )
            lists = [[key[place].decode() for key in keys] for place in range(len(table.key))]
            try:
                result = self._connection.execute(query, lists).pgresult
            except (errors.UndefinedColumn, errors.UndefinedTable, errors.DataError):
                # Changed since; the change of definition comes with the log.
                _log.warning("Source %s: table %s has changed since.", self._settings.prefix, table.id)
                return {}
        found: dict[tuple[bytes, ...], list[bytes | None]] = {}
        width = len(table.key)
        for row in range(result.ntuples if result else 0):
            texts = [result.get_value(row, column) for column in range(width + len(columns))] if result else []
            found[tuple(text or b"" for text in texts[:width])] = texts[width:]
        return found
