"""Whom the PostgreSQL sink connects as: wrong passwords, missing databases and privileges, each with its remedy."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from sync.errors import Refused
from sync.sink.postgresql import PLUGIN
from tests.sink_stand import Stand


@pytest.fixture
def clerk(stand: Stand) -> Iterator[str]:
    """A login role without any privilege."""
    name = f"clerk_{uuid.uuid4().hex[:8]}"
    stand.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p@ss:w/ord'")
    yield name
    stand.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def as_clerk(stand: Stand, clerk: str, **more: Any) -> dict[str, Any]:
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})
    return stand.config(topic, connection_username=clerk, connection_password="p@ss:w/ord", **more)


def test_a_wrong_password_is_refused_and_not_shown(stand: Stand, clerk: str) -> None:
    config = {**as_clerk(stand, clerk), "connection.password": "wrong-secret"}

    error = stand.start(config).error()

    assert isinstance(error, Refused)
    assert "connection.password" in error.hint
    assert "wrong-secret" not in str(error)
    assert list(PLUGIN.check(config)) == ["connection.password"]


def test_a_missing_database_or_server_is_told_apart(stand: Stand) -> None:
    config = stand.config(stand.topic())
    host = conninfo_to_dict(stand.dsn)["host"]

    missing = PLUGIN.check({**config, "connection.url": config["connection.url"] + "_not"})
    nobody = PLUGIN.check({**config, "connection.url": f"jdbc:postgresql://{host}:1/x"})

    assert "no such database" in missing["connection.url"][0]
    assert "does not answer" in nobody["connection.url"][0]
    assert PLUGIN.check(config) == {}


def test_missing_privileges_are_named_each_with_its_grant(stand: Stand, clerk: str) -> None:
    stand.execute("CREATE TABLE target (id text PRIMARY KEY, name text, n int)")
    dbname = conninfo_to_dict(stand.dsn)["dbname"]
    stand.execute(f"REVOKE TEMPORARY ON DATABASE {dbname} FROM PUBLIC")

    problems = PLUGIN.check(as_clerk(stand, clerk))

    assert "pg_replication_origin_session_setup" in problems["dongbo.origin"][0]
    assert "GRANT TEMPORARY" in problems["connection.username"][0]
    assert "GRANT SELECT, INSERT, UPDATE, DELETE" in problems["connection.username"][1]


def test_without_the_privilege_of_origins_a_sink_runs_only_if_told_to(stand: Stand, clerk: str) -> None:
    stand.execute(f"GRANT CREATE ON SCHEMA public TO {clerk}")

    error = stand.start(as_clerk(stand, clerk)).error()
    assert isinstance(error, Refused)
    assert "dongbo.origin=false" in error.hint

    with stand.running(as_clerk(stand, clerk, dongbo_origin="false")):
        stand.until_rows("SELECT id FROM target", [("a",)])


def test_a_clerk_with_grants_may_set_the_origin(stand: Stand, clerk: str) -> None:
    for function in ("oid", "create", "session_setup"):
        stand.execute(f"GRANT EXECUTE ON FUNCTION pg_replication_origin_{function}(text) TO {clerk}")
    stand.execute(f"GRANT CREATE ON SCHEMA public TO {clerk}")
    config = as_clerk(stand, clerk)

    assert PLUGIN.check(config) == {}
    with stand.running(config):
        stand.until_rows("SELECT id FROM target", [("a",)])
