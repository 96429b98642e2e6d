"""The tables of the golden file, written by us: for tests of what we write and of what reads it."""

from __future__ import annotations

import struct
from types import EllipsisType
from typing import Any

from sync.record import TableId
from sync.schema.avro import decode_one
from sync.source.postgresql import envelope
from sync.source.postgresql.column import Options, mapped
from sync.source.postgresql.table import Column, PgType, Table
from sync.source.postgresql.transcoder import Plan, Transcoder
from tests.differential.form import bare, connect_schema, plain, single
from tests.type_table import MODES, golden

GOLDEN = golden()
TABLES = sorted(GOLDEN["columns"])

Value = str | None | EllipsisType
"""None is NULL, ... a TOASTed value that did not change."""


def pg_type(told: dict[str, Any]) -> PgType:
    element = pg_type(told["element"]) if told["element"] else None
    return PgType(told["name"], told["modifier"], tuple(told["labels"]), element, told["domain"])


def options(mode: str) -> Options:
    given = MODES[mode]
    return Options(
        given.get("decimal.handling.mode", "precise"),
        given.get("time.precision.mode", "adaptive"),
        given.get("interval.handling.mode", "numeric"),
        given.get("hstore.handling.mode", "json"),
        given.get("binary.handling.mode", "bytes"),
        int(given.get("money.fraction.digits", "2")),
        given.get("include.unknown.datatypes") == "true",
    )


class Written:
    """A table of the golden file, written by us."""

    def __init__(self, name: str, mode: str) -> None:
        self.name = name
        self.columns = GOLDEN["columns"][name]
        made = tuple(Column(one["name"], pg_type(one["type"]), one["optional"], one["default"]) for one in self.columns)
        names = [column.name for column in made]
        key = ("id",) if "id" in names else tuple(names)
        self.table = table = mapped(Table(TableId("public", name), made, key), options(mode))
        self.transcoder = Transcoder(table, options(mode))
        self.schema = envelope.value_schema("s", table, options(mode))
        self.fields = {field["field"]: field for field in connect_schema(self.schema)["fields"]}
        for field in self.fields.values():
            del field["field"]

    def datum(self, values: list[Value], plan: Plan) -> bytes:
        """Return the record of a row whose values PostgreSQL prints so."""
        parts = [b""]
        self.transcoder.logged(b"".join(map(_field, values)), 0, plan, parts)
        return b"".join(parts)

    def texts(self) -> list[list[Value]]:
        """Return the rows as PostgreSQL prints them."""
        return [list(row) for row in zip(*(column["texts"] for column in self.columns), strict=True)]

    def row(self, values: list[Value], *, key_only: bool = False) -> dict[str, Any]:
        """Return a row as the JSON converter would show it."""
        plan = self.transcoder.keys if key_only else self.transcoder.rows
        row = plain(decode_one(bare(self.schema), self.datum(values, plan)))
        return {name: single(self.fields[name], value) for name, value in row.items()}


def _field(value: Value) -> bytes:
    if value is None:
        return b"n"
    if isinstance(value, EllipsisType):
        return b"u"
    data = value.encode()
    return b"t" + struct.pack(">I", len(data)) + data
