"""What connectors/README.md tells an administrator to do is enough for the group's ready registration."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sync.connect.manifest import read_connectors, texts
from sync.connect.plugin import Plugins
from sync.connect.validation import typed
from sync.secret import resolve
from tests.conftest import Database
from tests.integration.capturing import Source, at_least

pytestmark = pytest.mark.integration

CONNECTORS = Path(__file__).parents[2] / "connectors"
GROUPS = {
    "direct/tinh_04.yaml": (
        "## Group 1",
        (
            "CREATE ROLE qlcb_owner",
            "CREATE TABLE public.can_bo (id int PRIMARY KEY)",
            "CREATE TABLE public.don_vi (id int PRIMARY KEY)",
            "ALTER TABLE public.can_bo OWNER TO qlcb_owner",
            "ALTER TABLE public.don_vi OWNER TO qlcb_owner",
        ),
    ),
    "read-only/tinh_08.yaml": ("## Group 2", ("CREATE TABLE public.nhanvien (id int PRIMARY KEY)",)),
}


def _statements(heading: str, database: str, mark: str) -> str:
    """The group's SQL, with names of this test's own for what belongs to the whole server."""
    found = re.search(r"```sql\n(.*?)```", _section(heading), re.DOTALL)
    assert found is not None
    return _own(found[1].replace("'…'", "'x'"), database, mark)


def _section(heading: str) -> str:
    text = (CONNECTORS / "README.md").read_text(encoding="utf-8")
    return text[text.index(heading) :]


def _own(sql: str, database: str, mark: str) -> str:
    named = re.sub(r"\b(TO|ROLE|AUTHORIZATION) dongbo\b", rf"\1 dongbo_{mark}", sql)
    return named.replace("qlcb_owner", f"owner_{mark}").replace("DATABASE qlcb", f'DATABASE "{database}"')


@pytest.fixture
def mark(endpoints: Any) -> Iterator[str]:
    """Ends the names of a test's roles, which are dropped after its database."""
    mark = uuid.uuid4().hex[:8]
    yield mark
    with psycopg.connect(endpoints.postgres_dsn("postgres"), autocommit=True) as connection:
        for role in (f"dongbo_{mark}", f"owner_{mark}"):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                connection.execute(f"DROP ROLE {role}".encode())


@pytest.mark.parametrize("file", GROUPS)
def test_an_administrator_who_follows_the_readme_gets_a_valid_connector(
    file: str, mark: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    heading, tables = GROUPS[file]
    dsn = database("readme")
    server = conninfo_to_dict(dsn)
    place = {"HOST": server["host"], "PORT": server["port"], "USER": f"dongbo_{mark}", "PASSWORD": "x"}
    name = str(server["dbname"])
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in (*tables, *_statements(heading, name, mark).split(";\n")):
            if statement.strip():
                connection.execute(_own(statement, name, mark).encode())
        problems = {}
        for given in read_connectors(str(CONNECTORS / file)):
            config = {**texts(given.config), "name": given.name}
            for variable in re.findall(r"\$\{env:(\w+)\}", str(config)):
                monkeypatch.setenv(variable, str(place[variable.rpartition("_")[2]]))
            config = {key: value.replace("/qlcb", f"/{name}") for key, value in config.items()}
            if "database.dbname" in config:
                # The return table is there once the sink has run.
                config |= {
                    "database.dbname": name,
                    "dongbo.mappings": config["dongbo.mappings"].partition(",dongbo.")[0],
                }
            plugin = Plugins.discover().get(config["connector.class"])
            parsed = typed(plugin, resolve(config).config)
            assert parsed.errors == {}
            problems[given.name] = plugin.check(parsed.values)
    assert problems == {name: {} for name in problems}


def _load(connection: psycopg.Connection[Any], file: str) -> None:
    """What the README has ``psql`` do with a file of an intermediary."""
    found = re.search(r"<<'END'\n(.*?)\nEND\n", _section("## Group 3"), re.DOTALL)
    assert found is not None
    for statement in re.findall(r"\\copy[^\n]*|[^\\;]+;", found[1]):
        copied = re.fullmatch(r"\\copy (\w+) FROM '[^']+' (WITH \(.*\))", statement.strip())
        if copied is None:
            connection.execute(statement.encode())
            continue
        with connection.cursor().copy(f"COPY {copied[1]} FROM STDIN {copied[2]}".encode()) as copy:
            copy.write(file)


def test_an_intermediary_who_loads_files_sends_what_is_new_and_nothing_twice(
    database: Database, kafka: str, registry_url: str
) -> None:
    source = Source(database("readme"), kafka, registry_url)
    [given] = [one.config for one in read_connectors(str(CONNECTORS / "intake/tinh_11.yaml")) if one.name == "tinh_11"]
    own = {key for key in source.config if key.startswith(("database.", "topic.prefix", "slot.", "publication.name"))}
    source.config = {**texts(given), **{key: source.config[key] for key in own}}
    source.topic = f"{source.name}.tinh_11.ho_so"
    head, an, binh = "sodinhdanh,hovaten,ngaythangnamsinh,gioitinh\n", "1,An,1980-01-02,Nam\n", "2,Bình,,Nữ\n"
    with source.ended(), psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute(_statements("## Group 3", "", "").encode())
        _load(connection, head + an + binh)
        source.start()
        source.wait(at_least(2))
        source.wait_streaming()
        _load(connection, head + an + "2,Bình,1990-03-04,Nữ\n")
        _load(connection, head + an + "3,Chi,,Nữ\n")
        records = source.wait(at_least(4))
    # By row: the topic has two partitions.
    seen = [(key["sodinhdanh"], value["op"], value["after"]["ngaythangnamsinh"]) for key, value in records]
    assert sorted(seen, key=lambda one: one[:2]) == [
        ("1", "r", "1980-01-02"),
        ("2", "r", None),
        ("2", "u", "1990-03-04"),
        ("3", "c", None),
    ]
