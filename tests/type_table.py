"""The tables of ``tests/differential/types.sql``: every type of PostgreSQL that capture knows, in rows.

Used by the script that asks Debezium (``tests/golden/renew_types.py``) and by the tests that compare ours with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

SQL = Path(__file__).parent / "differential" / "types.sql"
GOLDEN = Path(__file__).parent / "golden" / "debezium_types.json"

MODES: dict[str, dict[str, str]] = {
    "default": {},
    "second": {
        "decimal.handling.mode": "string",
        "time.precision.mode": "adaptive_time_microseconds",
        "interval.handling.mode": "string",
        "hstore.handling.mode": "map",
    },
    "third": {
        "decimal.handling.mode": "double",
        "time.precision.mode": "connect",
        "binary.handling.mode": "base64",
    },
    "fourth": {
        "time.precision.mode": "isostring",
        "binary.handling.mode": "base64-url-safe",
        "include.unknown.datatypes": "true",
        "money.fraction.digits": "4",
    },
    "fifth": {
        "time.precision.mode": "microseconds",
        "binary.handling.mode": "hex",
        "include.unknown.datatypes": "true",
        "money.fraction.digits": "0",
    },
    "sixth": {"time.precision.mode": "nanoseconds", "include.unknown.datatypes": "true"},
}
"""Connector settings by name: every value of every handling mode once."""


@dataclass(slots=True)
class TypeTable:
    """A table: ``made`` are its statements before the rows, ``rows`` those that insert, ``after`` those while
    streaming.

    ``needs`` is an extension (or libxml, which PostgreSQL may be built without), ``version`` the least server version;
    ``fails`` where Debezium does not start with such a type.
    """

    name: str
    needs: str | None = None
    version: int = 0
    fails: bool = False
    made: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    def possible(self, connection: psycopg.Connection[Any]) -> bool:
        """Tell whether the server has what the table needs."""
        if connection.info.server_version < self.version:
            return False
        if self.needs is None:
            return True
        if self.needs == "libxml":
            return _knows_xml(connection)
        found = connection.execute("select from pg_available_extensions where name = %s", [self.needs]).fetchone()
        return found is not None

    def make(self, connection: psycopg.Connection[Any]) -> None:
        """Create the table with its rows."""
        if self.needs not in (None, "libxml"):
            connection.execute(f"create extension if not exists {self.needs}".encode())
        for statement in (*self.made, *self.rows):
            connection.execute(statement.encode())

    def change(self, connection: psycopg.Connection[Any]) -> None:
        """Delete the rows, insert them again, and run what else is for the stream."""
        connection.execute(f"delete from {self.name}".encode())
        for statement in (*self.rows, *self.after):
            connection.execute(statement.encode())


def _knows_xml(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("select xml '<a/>'")
    except psycopg.errors.FeatureNotSupported:
        return False
    return True


def type_tables() -> list[TypeTable]:
    """All tables in the file's order."""
    return list(_read(SQL.read_text(encoding="utf-8")))


def _read(text: str) -> Iterator[TypeTable]:
    for part in text.split("\n-- table: ")[1:]:
        head, _, body = part.partition("\n")
        name, *rest = head.split()
        needs = dict(zip(rest[::2], rest[1::2], strict=True))
        table = TypeTable(name, needs.get("needs"), int(needs.get("version", 0)), "debezium" in needs)
        lines = body.split("\n")
        table.after = [line.removeprefix("-- after: ") for line in lines if line.startswith("-- after: ")]
        plain = "\n".join(line for line in lines if not line.startswith("--"))
        for statement in re.split(r";\s*(?:\n|$)", plain):
            if statement.strip():
                (table.rows if statement.strip().startswith("insert") else table.made).append(statement.strip())
        yield table


def golden() -> dict[str, Any]:
    """What Debezium gave: see ``tests/golden/renew_types.py``."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found
