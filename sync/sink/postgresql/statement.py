"""The SQL that the sink sends, built from identifiers and columns. Pure; called by ``table`` and ``target``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync.sink.postgresql.column import Column

_WITHOUT_EQUALITY = ("json", "xml", "point", "polygon", "txid_snapshot", "pg_snapshot")
"""Types without ``=``, or whose ``=`` isn't sameness: compared as text."""

_CASTABLE_ARRAY = tuple(f"{name}[]" for name in _WITHOUT_EQUALITY)


def quote(name: str) -> str:
    """An identifier as SQL; keeps case and any character."""
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str | None, table: str) -> str:
    """``"schema"."table"``, or only the table where the search path decides."""
    return f"{quote(schema)}.{quote(table)}" if schema else quote(table)


def columns_list(names: Sequence[str]) -> str:
    """Identifiers with commas between."""
    return ", ".join(quote(name) for name in names)


def create_schema(schema: str) -> str:
    """A schema if there is none."""
    return f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}"


def create_table(target: str, key: Sequence[Column], rest: Sequence[Column], synced_at: str) -> str:
    """A table with ``key`` as its primary key; the others allow null, because a later schema may drop a field."""
    parts = [f"{quote(c.name)} {c.type} NOT NULL" for c in key]
    parts += [f"{quote(c.name)} {c.type}" for c in rest]
    if synced_at:
        parts.append(f"{quote(synced_at)} timestamptz NOT NULL DEFAULT clock_timestamp()")
    parts.append(f"PRIMARY KEY ({columns_list([c.name for c in key])})")
    return f"CREATE TABLE IF NOT EXISTS {target} ({', '.join(parts)})"


def add_columns(target: str, columns: Sequence[Column], synced_at: str = "") -> str:
    """New columns, all allowing null."""
    parts = [f"ADD COLUMN IF NOT EXISTS {quote(c.name)} {c.type}" for c in columns]
    if synced_at:
        parts.append(f"ADD COLUMN IF NOT EXISTS {quote(synced_at)} timestamptz NOT NULL DEFAULT clock_timestamp()")
    return f"ALTER TABLE {target} {', '.join(parts)}"


def create_stage(stage: str, target: str, columns: Sequence[Column]) -> str:
    """A temporary table with the target's own column types, emptied by each commit."""
    names = columns_list([c.name for c in columns])
    return (
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {quote(stage)} ON COMMIT DELETE ROWS "
        f"AS SELECT {names} FROM {target} WITH NO DATA"
    )


def copy(stage: str, columns: Sequence[Column]) -> str:
    """Rows into the stage: null is an empty field, the empty string is quoted (``column.csv``)."""
    return f"COPY pg_temp.{quote(stage)} ({columns_list([c.name for c in columns])}) FROM STDIN (FORMAT csv)"


def staged(stage: str) -> str:
    """The stage as the source of ``merge`` and ``delete``."""
    return f"pg_temp.{quote(stage)}"


def given(columns: Sequence[Column]) -> str:
    """Parameters as the source: for each column one array of texts, read as the target's type without its length.

    The length is checked when the value is assigned, as COPY would: a cast to ``varchar(5)`` would cut the text off.
    """
    names = columns_list([c.name for c in columns])
    casts = ", ".join(f"{quote(c.name)}::{c.base or c.type} AS {quote(c.name)}" for c in columns)
    arrays = ", ".join("\0::text[]" for _ in columns)
    return f"(SELECT {casts} FROM unnest({arrays}) AS p({names}))"


def parametrised(sql: str) -> str:
    """A statement on ``given``'s source for psycopg: percent signs of identifiers doubled, placeholders in."""
    return sql.replace("%", "%%").replace("\0", "%s")


def merge(target: str, source: str, key: Sequence[Column], rest: Sequence[Column], synced_at: str) -> str:
    """Write the source's rows; a row that is already equal is not written again, and its count not reported."""
    names = columns_list([c.name for c in (*key, *rest)])
    into, chosen = names, names
    if synced_at:
        into, chosen = f"{names}, {quote(synced_at)}", f"{names}, clock_timestamp()"
    insert = f"INSERT INTO {target} AS t ({into}) SELECT {chosen} FROM {source} AS s"
    conflict = f"ON CONFLICT ({columns_list([c.name for c in key])})"
    if not rest:
        return f"{insert} {conflict} DO NOTHING"
    sets = [f"{quote(c.name)} = excluded.{quote(c.name)}" for c in rest]
    if synced_at:
        sets.append(f"{quote(synced_at)} = clock_timestamp()")
    old = ", ".join(_comparable("t", c) for c in rest)
    new = ", ".join(_comparable("excluded", c) for c in rest)
    return f"{insert} {conflict} DO UPDATE SET {', '.join(sets)} WHERE ROW({old}) IS DISTINCT FROM ROW({new})"


def _comparable(alias: str, column: Column) -> str:
    reference = f"{alias}.{quote(column.name)}"
    if column.type in _WITHOUT_EQUALITY:
        return f"{reference}::text"
    if column.type in _CASTABLE_ARRAY:
        return f"{reference}::text[]"
    return reference


def delete(target: str, source: str, key: Sequence[Column]) -> str:
    """Delete the rows whose keys are in the source."""
    same = " AND ".join(f"t.{quote(c.name)} = s.{quote(c.name)}" for c in key)
    return f"DELETE FROM {target} AS t USING {source} AS s WHERE {same}"


@dataclass(frozen=True, slots=True)
class Offsets:
    """Statements on the table of offsets; ``table`` is its SQL name, without percent signs."""

    table: str

    @property
    def create(self) -> str:
        """The table if there is none. ``owner`` changes with every assignment of the partition."""
        return (
            f"CREATE TABLE IF NOT EXISTS {self.table} (connector text NOT NULL, topic text NOT NULL, "
            "partition integer NOT NULL, next_offset bigint NOT NULL, owner text NOT NULL, "
            "updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (connector, topic, partition))"
        )

    @property
    def claim(self) -> str:
        """Take a partition over: parameters (connector, topic, partition, owner) → next_offset, 0 for a new one.

        Waits for a transaction that a former owner has open, so the offset is final.
        """
        return (
            f"INSERT INTO {self.table} AS o (connector, topic, partition, next_offset, owner) "
            "VALUES (%s, %s, %s, 0, %s) ON CONFLICT (connector, topic, partition) "
            "DO UPDATE SET owner = excluded.owner RETURNING next_offset"
        )

    @property
    def place(self) -> str:
        """Set an offset from outside: parameters (connector, topic, partition, next offset, owner)."""
        return (
            f"INSERT INTO {self.table} (connector, topic, partition, next_offset, owner) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (connector, topic, partition) DO UPDATE "
            "SET next_offset = excluded.next_offset, owner = excluded.owner, updated_at = clock_timestamp()"
        )

    @property
    def forget(self) -> str:
        """Remove an offset: parameters (connector, topic, partition)."""
        return f"DELETE FROM {self.table} WHERE connector = %s AND topic = %s AND partition = %s"

    @property
    def forget_all(self) -> str:
        """Remove a connector's offsets: parameter (connector)."""
        return f"DELETE FROM {self.table} WHERE connector = %s"

    @property
    def advance(self) -> str:
        """Compare and set: (topics, partitions, expected, next, connector, owner); the row count tells who failed."""
        return (
            f"UPDATE {self.table} AS o SET next_offset = v.next, updated_at = clock_timestamp() "
            "FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) AS v(topic, partition, expected, next) "
            "WHERE o.connector = %s AND o.owner = %s AND o.topic = v.topic AND o.partition = v.partition "
            "AND o.next_offset = v.expected"
        )
