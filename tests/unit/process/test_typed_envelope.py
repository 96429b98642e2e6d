"""Readers inside the project cope with every type of a source: the validate step's columns, and the sink's."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from sync.process.envelope import Envelopes
from sync.process.reader import FRAME
from sync.record import TableId
from sync.schema import datum
from sync.schema.avro import encode_one, header
from sync.sink.postgresql.column import column_of, csv
from sync.source.postgresql import envelope
from sync.source.postgresql.column import Options
from sync.source.postgresql.table import Column, PgType, Table
from sync.source.postgresql.transcoder import Transcoder
from tests.type_table import MODES
from tests.type_written import TABLES, Written, options

SHAPES = ("default", "second", "fourth")
"""Modes that between them have every Avro shape: records, maps, arrays of entries, strings, bytes."""


class Schemas:
    """A registry that knows one envelope (1) and its key (2)."""

    def __init__(self, written: Written, mode: str) -> None:
        self._schemas = {
            1: envelope.envelope_schema("s", written.table, options(mode)),
            2: envelope.key_schema("s", written.table, options(mode)),
        }

    def schema(self, number: int) -> dict[str, Any]:
        return self._schemas[number]


class One:
    """A registry that knows one schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    def schema(self, number: int) -> dict[str, Any]:
        del number
        return self._schema


class Message:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def key(self) -> bytes:
        return self._key


def values(written: Written, mode: str) -> list[bytes]:
    """The rows as the envelopes of inserts."""
    fields = {field["name"]: field["type"] for field in Schemas(written, mode).schema(1)["fields"]}
    source = {field["name"]: {"string": "x", "long": 1}.get(str(field["type"])) for field in fields["source"]["fields"]}
    ending = datum.NULL + datum.text(b"c") + datum.NULL * 3
    end = encode_one(fields["source"], {**source, "snapshot": "false"}) + ending
    begin = header(1) + datum.NULL + datum.SOME
    return [begin + written.datum(row, written.transcoder.rows) + end for row in written.texts()]


@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize("table", TABLES)
def test_the_validate_step_reads_a_table_with_any_type(table: str, mode: str) -> None:
    written = Written(table, mode)
    envelopes = Envelopes(Schemas(written, mode))  # type: ignore[arg-type]
    records = values(written, mode)
    found = envelopes.of(records[0])
    frame = found.columns.decode([record[FRAME:] for record in records])
    after = frame["after"].struct.unnest()
    assert set(after.columns) == set(written.fields)
    rows = [written.row(row) for row in written.texts()]
    for name, field in written.fields.items():
        # A Connect logical time is a time in a frame, and the helper parses JSON.
        if name == "id" or (field["type"] == "string" and field.get("name") != "io.debezium.data.Json"):
            assert after[name].to_list() == [row[name] for row in rows]


@pytest.mark.parametrize("mode", MODES)
def test_a_key_of_any_type_names_its_row(mode: str) -> None:
    written = Written("type_key", mode)
    row = written.texts()[0]
    envelopes = Envelopes(Schemas(written, mode))  # type: ignore[arg-type]
    key = header(2) + written.datum(row, written.transcoder.rows)
    (name,) = envelopes.row_keys([Message(key)], "public.type_key")  # type: ignore[list-item]
    assert name is not None
    assert name.startswith("public.type_key/1|")


def test_a_key_of_bytes_or_of_a_decimal_without_precision_names_its_row() -> None:
    columns = (Column("n", PgType("numeric"), False), Column("y", PgType("bytea"), False))
    table = Table(TableId("public", "t"), columns, ("n", "y"))
    transcoder = Transcoder(table, Options())
    parts = [header(1)]
    transcoder.logged(b"t\0\0\0\x034.5" + b"t\0\0\0\x06" + rb"\xfffe", 0, transcoder.rows, parts)
    schema = envelope.key_schema("s", table, Options())
    envelopes = Envelopes(One(schema))  # type: ignore[arg-type]
    assert envelopes.row_keys([Message(b"".join(parts))], "public.t") == ["public.t/1:2d|fffe"]  # type: ignore[list-item]


@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize("table", TABLES)
def test_the_sink_has_a_text_for_every_column(table: str, mode: str) -> None:
    written = Written(table, mode)
    envelopes = Envelopes(Schemas(written, mode))  # type: ignore[arg-type]
    records = values(written, mode)
    frame = envelopes.of(records[0]).columns.decode([record[FRAME:] for record in records])
    after = frame["after"].struct.unnest()
    columns = [column_of(field) for field in written.schema["fields"]]
    assert [column.field for column in columns] == after.columns
    assert csv(after, columns).count(b"\n") >= after.height
    assert isinstance(after, pl.DataFrame)
