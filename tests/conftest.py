"""Fixtures for tests on real servers: the embedded stack, once a session, and a fresh database for each test.

Set ``DONGBO_TEST_STACK`` to a stack's data directory to use that one and leave it running; without it a stack of the
session's own is started on free ports and ends with the session, however that ends.

Tests marked ``EVERY_SERVER`` run on PostgreSQL in a Docker container too; without a daemon or the image they are
skipped, or failed when ``DONGBO_TEST_CONTAINERS=required``.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql

from sync.embedded.endpoint import Endpoints
from sync.embedded.stack import Stack
from sync.schema.location import ENVIRONMENT, schemas_root
from tests.postgresql_server import Missing, Server, postgresql_container
from tests.sink_stand import Stand

Database = Callable[[str], str]

# By hand the property tests look at new examples each time; CI looks at the same ones, so that a failure there is one
# of the change at hand.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack."""
    if given := os.environ.get("DONGBO_TEST_STACK"):
        shared = Stack(Path(given), lifetime="detached")
        shared.up()
        yield shared
        return
    own = Stack(tmp_path_factory.mktemp("stack"), lifetime="parent")
    own.up()
    yield own
    own.reset()


@pytest.fixture(scope="session")
def endpoints(stack: Stack) -> Endpoints:
    """Where the stack answers."""
    return stack.endpoints()


@pytest.fixture(scope="session")
def kafka(endpoints: Endpoints) -> str:
    """Bootstrap servers of Kafka."""
    return endpoints.bootstrap


@pytest.fixture(scope="session")
def registry_url(endpoints: Endpoints) -> str:
    """URL of the schema registry."""
    return endpoints.registry_url


@pytest.fixture(scope="session")
def container_server() -> Iterator[Server]:
    """PostgreSQL in a container."""
    try:
        with postgresql_container() as server:
            yield server
    except Missing as missing:
        if os.environ.get("DONGBO_TEST_CONTAINERS") == "required":
            raise
        pytest.skip(str(missing))


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """The PostgreSQL of ``database``: the embedded one, or where the mark ``EVERY_SERVER`` says so a container's."""
    if getattr(request, "param", "embedded") == "container":
        return cast(Server, request.getfixturevalue("container_server"))
    return cast(Endpoints, request.getfixturevalue("endpoints")).postgres_dsn


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """``database(hint) -> connection string`` of a fresh, empty database; dropped after the test with its slots."""
    with databases(server) as create:
        yield create


@contextmanager
def databases(server: Server) -> Iterator[Database]:
    """As the fixture ``database``, for as long as the block runs."""
    made: list[str] = []

    def create(hint: str = "test") -> str:
        name = f"{re.sub('[^a-z0-9]+', '_', hint.lower())[:30]}_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(server("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        made.append(name)
        return server(name)

    try:
        yield create
    finally:
        with psycopg.connect(server("postgres"), autocommit=True) as connection:
            for name in made:
                _drop(connection, name)


def _drop(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    """End what still uses the database, drop its replication slots (they would keep WAL for ever), and drop it."""
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
        (name,),
    )
    connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", (name,)
    )
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def stand(kafka: str, registry_url: str, database: Database) -> Iterator[Stand]:
    """A target database for a PostgreSQL sink, with what its tests need around it."""
    stand = Stand(kafka, registry_url, database("sink"))
    yield stand
    stand.close()


@pytest.fixture
def schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the schemas that a test may change."""
    copy = tmp_path / "schemas"
    shutil.copytree(schemas_root(), copy)
    monkeypatch.setenv(ENVIRONMENT, str(copy))
    return copy
