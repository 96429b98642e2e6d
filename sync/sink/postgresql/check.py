"""Looks at a target before a connector starts: does it answer, who may do what, are the tables there.

Called by the REST API's validation. Every problem comes with its remedy, under the key that it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from sync.errors import ConfigError, Refused, SyncError
from sync.sink.postgresql.definition import Settings, settings
from sync.sink.postgresql.failure import translated
from sync.sink.postgresql.statement import qualified
from sync.sink.postgresql.table import find
from sync.sink.postgresql.target import connect, place_of

_ORIGIN_FUNCTIONS = (
    "pg_replication_origin_oid(text)",
    "pg_replication_origin_create(text)",
    "pg_replication_origin_session_setup(text)",
)


def check(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Errors by configuration key; empty if the sink could start. Never raises for what a user can mend."""
    try:
        wanted = settings(values)
    except ConfigError as error:
        return {error.field or "connection.url": [str(error)]}
    try:
        with connect(wanted, "dongbo check") as connection, translated(place_of(wanted.connect)):
            return _problems(connection, wanted)
    except Refused as error:
        key = "connection.password" if "password" in str(error) else "connection.url"
        return {key: [str(error)]}
    except SyncError as error:
        return {"connection.url": [str(error)]}


def _problems(connection: psycopg.Connection[Any], wanted: Settings) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {}
    place = place_of(wanted.connect)
    user, temporary, reader = _one(
        connection, "SELECT current_user, has_database_privilege(current_database(), 'TEMPORARY'), pg_is_in_recovery()"
    )
    if reader:
        problems.setdefault("connection.url", []).append(f"The server at {place} is a standby. Use the primary.")
        return problems
    if not temporary:
        problems.setdefault("connection.username", []).append(
            f"User {user} may not create temporary tables at {place}. GRANT TEMPORARY ON DATABASE … TO {user}."
        )
    if wanted.origin:
        lacking = [
            f for f in _ORIGIN_FUNCTIONS if not _one(connection, "SELECT has_function_privilege(%s, 'EXECUTE')", f)[0]
        ]
        if lacking:
            problems.setdefault("dongbo.origin", []).append(
                f"User {user} may not set a replication origin. GRANT EXECUTE ON FUNCTION {', '.join(lacking)} "
                f"TO {user}; or set dongbo.origin=false if the target is not captured."
            )
    for topic in wanted.topics:
        for key, problem in _table(connection, wanted, topic, user):
            problems.setdefault(key, []).append(problem)
    return problems


def _one(connection: psycopg.Connection[Any], sql: str, *parameters: Any) -> tuple[Any, ...]:
    row = connection.execute(sql.encode(), parameters or None).fetchone()
    assert row is not None
    return tuple(row)


def _table(connection: psycopg.Connection[Any], wanted: Settings, topic: str, user: str) -> list[tuple[str, str]]:
    schema, name = wanted.table_of(topic)
    target = qualified(schema, name)
    table = find(connection, schema, name)
    if table is None and not wanted.evolve:
        return [
            (
                "schema.evolution",
                f"Table {target} of topic {topic} does not exist. Create it, or set schema.evolution=basic.",
            )
        ]
    if table is None:
        return _creation(connection, wanted, schema, user)
    needed = ["SELECT", "INSERT", "UPDATE"] + (["DELETE"] if wanted.delete_enabled else [])
    lacking = [p for p in needed if not _one(connection, "SELECT has_table_privilege(%s, %s)", target, p)[0]]
    if lacking:
        rights = ", ".join(lacking)
        return [
            ("connection.username", f"User {user} lacks {rights} on {target}. GRANT {rights} ON {target} TO {user}.")
        ]
    if not table.unique:
        return [
            ("primary.key.fields", f"Table {target} has no primary key or unique index. Add one on the record's key.")
        ]
    return []


def _creation(
    connection: psycopg.Connection[Any], wanted: Settings, schema: str | None, user: str
) -> list[tuple[str, str]]:
    """May the sink create a table in ``schema``, or the schema itself?"""
    if schema is None:
        may = _one(connection, "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")[0]
        where = "the search path's first schema"
    elif _one(connection, "SELECT to_regnamespace(quote_ident(%s)) IS NOT NULL", schema)[0]:
        may = _one(connection, "SELECT has_schema_privilege(%s, 'CREATE')", schema)[0]
        where = f"schema {schema}"
    elif not wanted.create_schema:
        return [
            ("dongbo.schema.create", f"Schema {schema} does not exist. Create it, or set dongbo.schema.create=true.")
        ]
    else:
        may = _one(connection, "SELECT has_database_privilege(current_database(), 'CREATE')")[0]
        where = f"the database (schema {schema} is to be created)"
    return [] if may else [("connection.username", f"User {user} may not create in {where}. GRANT CREATE to {user}.")]
