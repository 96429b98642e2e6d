"""The target's tables: what they look like, creating and extending them, and the statements for a schema's rows.

Called by ``target`` with its connection, outside of a batch's transaction. Tables are only ever added to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from sync.errors import Refused
from sync.sink.postgresql import statement
from sync.sink.postgresql.column import Column, column_of, for_target
from sync.sink.postgresql.definition import Settings
from sync.sink.reduction import Rows

_LONGEST_NAME = 63
"""PostgreSQL cuts longer identifiers off without a word (NAMEDATALEN)."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How rows of one topic and schema are written: the columns in order, and the statements.

    Few rows go as parameters of ``direct``. More go by ``copy`` to a temporary table, made by ``create_stage`` when
    first needed, and by ``apply`` from there: every commit that touches a temporary table empties all of them, which
    would cost a small batch more than the rest.
    """

    target: str
    columns: tuple[Column, ...]
    stage: str
    create_stage: str
    copy: str
    apply: str
    direct: str


@dataclass(frozen=True, slots=True)
class Table:
    """An existing table: its SQL name, and its columns' types by name: as declared, and without their lengths."""

    target: str
    columns: Mapping[str, tuple[str, str]]
    unique: frozenset[frozenset[str]]

    def column(self, field: str) -> str | None:
        """The column for a field: of the same name, else of the name that PostgreSQL folds it to."""
        if field in self.columns:
            return field
        return field.lower() if field.lower() in self.columns else None


def find(connection: psycopg.Connection[Any], schema: str | None, name: str) -> Table | None:
    """The table as it is, or None if there is none."""
    target = statement.qualified(schema, name)
    found = connection.execute("SELECT to_regclass(%s)::oid", (target,)).fetchone()
    if found is None or found[0] is None:
        return None
    columns = connection.execute(
        # With -1, not NULL: "character" without a length would be read as character(1).
        "SELECT attname, format_type(atttypid, atttypmod), format_type(atttypid, -1) FROM pg_attribute "
        "WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        (found[0],),
    ).fetchall()
    unique = connection.execute(
        "SELECT (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = i.indrelid "
        "AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])) FROM pg_index i "
        "WHERE i.indrelid = %s AND i.indisunique AND i.indimmediate AND i.indisvalid "
        "AND i.indpred IS NULL AND i.indexprs IS NULL",
        (found[0],),
    ).fetchall()
    return Table(
        target, {name: (full, base) for name, full, base in columns}, frozenset(frozenset(row[0]) for row in unique)
    )


class Tables:
    """The specs of one connection. Not thread-safe: its owner holds the connection's lock."""

    def __init__(self, connection: psycopg.Connection[Any], settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._specs: dict[tuple[str, bytes, bytes], Spec] = {}
        self._staged: set[str] = set()

    def spec(self, topic: str, rows: Rows) -> Spec:
        """How to write ``rows`` of ``topic``; creates or extends the table first where the settings allow it.

        Raises Refused where the table, a column or the key is missing and may not be added; psycopg's errors.
        """
        known = self._specs.get((topic, rows.key_id, rows.value_id))
        if known is None:
            known = self._specs[topic, rows.key_id, rows.value_id] = self._prepare(topic, rows)
        return known

    def stage(self, spec: Spec) -> None:
        """Have the spec's temporary table."""
        if spec.stage not in self._staged:
            self._connection.execute(spec.create_stage.encode())
            self._staged.add(spec.stage)

    def _prepare(self, topic: str, rows: Rows) -> Spec:
        key = [column_of(field) for field in rows.key_fields]
        names = {column.name for column in key}
        rest = [column_of(field) for field in rows.value_fields if field["name"] not in names]
        schema, name = self._settings.table_of(topic)
        self._check_names(topic, [schema or "", name, *(c.name for c in (*key, *rest))])
        table = self._ensure(topic, schema, name, key, rest)
        key, rest = self._fit(table, key), self._fit(table, rest)
        self._check_key(table, topic, key)
        stage = f"dongbo_stage_{len(self._specs) + 1}"
        columns = (*key, *rest)

        def apply(source: str) -> str:
            if rows.values is None:
                return statement.delete(table.target, source, key)
            return statement.merge(table.target, source, key, rest, self._settings.synced_at)

        return Spec(
            table.target,
            columns,
            stage,
            statement.create_stage(stage, table.target, columns),
            statement.copy(stage, columns),
            apply(statement.staged(stage)),
            statement.parametrised(apply(statement.given(columns))),
        )

    def _check_names(self, topic: str, names: Sequence[str]) -> None:
        long = [name for name in names if len(name.encode()) > _LONGEST_NAME]
        if long:
            raise Refused(
                f"Names of topic {topic} are longer than PostgreSQL's {_LONGEST_NAME} bytes: {', '.join(long)}.",
                hint="name the table by dongbo.table.map; shorten the fields in the source",
            )

    def _fit(self, table: Table, columns: Sequence[Column]) -> list[Column]:
        fitted = []
        for column in columns:
            name = table.column(column.name)
            if name is not None:
                fitted.append(for_target(column, name, *table.columns[name]))
        return fitted

    def _ensure(
        self, topic: str, schema: str | None, name: str, key: Sequence[Column], rest: Sequence[Column]
    ) -> Table:
        table = find(self._connection, schema, name)
        missing = self._missing(table, key, rest)
        if table is not None and not missing:
            return table
        target = statement.qualified(schema, name)
        if not self._settings.evolve:
            what = "does not exist" if table is None else f"has no column {', '.join(missing)}"
            raise Refused(
                f"Table {target} of topic {topic} {what}.",
                hint="create it, or set schema.evolution=basic to let the sink do it",
            )
        with self._connection.transaction():
            # Two tasks that meet the same new schema at once take turns.
            self._connection.execute("SELECT pg_advisory_xact_lock(hashtext('dongbo schema evolution'))")
            self._evolve(schema, name, key, rest)
        table = find(self._connection, schema, name)
        if table is None:
            raise Refused(f"Table {target} is not visible after creating it.", hint="check the search path")
        return table

    def _missing(self, table: Table | None, key: Sequence[Column], rest: Sequence[Column]) -> list[str]:
        if table is None:
            return [c.name for c in (*key, *rest)]
        missing = [c.name for c in (*key, *rest) if table.column(c.name) is None]
        if self._settings.synced_at and self._settings.synced_at not in table.columns:
            missing.append(self._settings.synced_at)
        return missing

    def _evolve(self, schema: str | None, name: str, key: Sequence[Column], rest: Sequence[Column]) -> None:
        target = statement.qualified(schema, name)
        synced_at = self._settings.synced_at
        table = find(self._connection, schema, name)
        if table is None:
            if schema and self._settings.create_schema and not self._has_schema(schema):
                self._connection.execute(statement.create_schema(schema).encode())
            self._connection.execute(statement.create_table(target, key, rest, synced_at).encode())
            return
        new = [c for c in (*key, *rest) if table.column(c.name) is None]
        stamp = synced_at if synced_at not in table.columns else ""
        if new or stamp:
            self._connection.execute(statement.add_columns(target, new, stamp).encode())

    def _has_schema(self, schema: str) -> bool:
        """CREATE SCHEMA IF NOT EXISTS needs the privilege even where the schema exists."""
        row = self._connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", (statement.quote(schema),)).fetchone()
        return bool(row and row[0])

    def _check_key(self, table: Table, topic: str, key: Sequence[Column]) -> None:
        names = [c.name for c in key]
        if frozenset(names) not in table.unique:
            raise Refused(
                f"Table {table.target} has no primary key or unique index on ({', '.join(names)}), the key of topic "
                f"{topic}.",
                hint="add one, or name other fields of the record's key in primary.key.fields",
            )
