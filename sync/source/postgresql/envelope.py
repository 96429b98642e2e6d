"""Debezium's change envelope for PostgreSQL: names, Avro schemas and the constant parts of its bytes.

Used when a table's transcoder is compiled. Field order, names and ``connect.*`` properties are those of
Debezium 3.4 behind Confluent's Avro converter, so that whatever reads its topics reads ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from sync.errors import Refused
from sync.record import TableId
from sync.schema import datum
from sync.source.postgresql.column import Options
from sync.source.postgresql.default import default_of
from sync.source.postgresql.mask import written
from sync.source.postgresql.table import Column, Table

VERSION = "3.4.0.Final"
"""The envelope's version: that of the Debezium whose format is written."""

Schema = dict[str, Any]

_SOURCE_NAMESPACE = "io.debezium.connector.postgresql"
_SNAPSHOT_VALUES = "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"


def avro_name(name: str) -> str:
    """Return a column's or a part's name as Avro allows it: ``_`` for what it forbids (Debezium's adjuster)."""
    adjusted = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{adjusted}" if not adjusted or adjusted[0].isdigit() else adjusted


def namespace(prefix: str, table: TableId, delimiter: str = ".") -> str:
    """Return the namespace of a table's records: its topic's name as Avro allows it."""
    name = delimiter.join((prefix, table.schema, table.table))
    return ".".join(avro_name(part) for part in name.split("."))


def value_schema(space: str, table: Table, options: Options) -> Schema:
    """Return the record of a row, ``<namespace>.Value``. Refused where two columns get the same Avro name."""
    fields = _once([field for column in table.columns if (field := _column_field(column, options)) is not None])
    names = [field["name"] for field in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Refused(
            f"Columns of table {table.id} have the same name once Avro's rules are applied: {', '.join(twice)}.",
            hint="Rename one of the columns, or leave the table out by table.exclude.list.",
        )
    return _record(f"{space}.Value", fields)


def key_schema(space: str, table: Table, options: Options) -> Schema:
    """Return the record of the key columns, ``<namespace>.Key``; nullable are only those of message.key.columns."""
    columns = [table.columns[place] for place in table.indexes(table.key)]
    found = [_column_field(replace(column, parameters=()), options) for column in columns]
    fields = _once([field for field in found if field is not None])
    return _record(f"{space}.Key", fields)


def _record(full_name: str, fields: list[Schema]) -> Schema:
    space, _, name = full_name.rpartition(".")
    return {"type": "record", "name": name, "namespace": space, "fields": fields, "connect.name": full_name}


def _column_field(column: Column, options: Options) -> Schema | None:
    """Return a column's field; None for one that records do not have."""
    kind = written(column, options)
    if not column.captured or kind.schema is None:
        return None
    name = avro_name(column.name)
    default = default_of(column, kind)
    if default is None:
        return _optional(name, kind.schema) if column.optional else {"name": name, "type": kind.schema}
    known = {"type": kind.schema} if isinstance(kind.schema, str) else kind.schema
    schema = {**known, "connect.default": default.value}
    return {"name": name, "type": [schema, "null"] if column.optional else schema, "default": default.value}


def _once(fields: list[Schema]) -> list[Schema]:
    """Return the fields with each named type defined where it is first met, and named after that."""
    known: set[str] = set()

    def seen(schema: Any) -> Any:
        if isinstance(schema, list):
            return [seen(branch) for branch in schema]
        if not isinstance(schema, dict):
            return schema
        if "fields" in schema:
            full = f"{schema['namespace']}.{schema['name']}"
            if full in known:
                return full
            known.add(full)
            return {**schema, "fields": [{**field, "type": seen(field["type"])} for field in schema["fields"]]}
        return {name: seen(item) if name in ("items", "values") else item for name, item in schema.items()}

    return [{**field, "type": seen(field["type"])} for field in fields]


def _optional(name: str, kind: Any) -> Schema:
    return {"name": name, "type": ["null", kind], "default": None}


def envelope_schema(space: str, table: Table, options: Options) -> Schema:
    """Return the record ``<namespace>.Envelope``: before, after, source, transaction, op, ts_ms, ts_us, ts_ns."""
    row = value_schema(space, table, options)
    fields: list[Schema] = [
        _optional("before", row),
        _optional("after", f"{space}.Value"),
        {"name": "source", "type": source_schema()},
        _optional("transaction", transaction_schema()),
        {"name": "op", "type": "string"},
        *(_optional(name, "long") for name in ("ts_ms", "ts_us", "ts_ns")),
    ]
    return {**_record(f"{space}.Envelope", fields), "connect.version": 2}


def source_schema() -> Schema:
    """Return the record of the source block."""
    snapshot = {
        "type": "string",
        "connect.version": 1,
        "connect.parameters": {"allowed": _SNAPSHOT_VALUES},
        "connect.default": "false",
        "connect.name": "io.debezium.data.Enum",
    }
    fields: list[Schema] = [
        {"name": "version", "type": "string"},
        {"name": "connector", "type": "string"},
        {"name": "name", "type": "string"},
        {"name": "ts_ms", "type": "long"},
        {"name": "snapshot", "type": [snapshot, "null"], "default": "false"},
        {"name": "db", "type": "string"},
        _optional("sequence", "string"),
        _optional("ts_us", "long"),
        _optional("ts_ns", "long"),
        {"name": "schema", "type": "string"},
        {"name": "table", "type": "string"},
        *(_optional(name, "long") for name in ("txId", "lsn", "xmin")),
        _optional("origin", "string"),
        _optional("origin_lsn", "long"),
    ]
    return {**_record(f"{_SOURCE_NAMESPACE}.Source", fields), "connect.version": 1}


def transaction_schema() -> Schema:
    """Return the record of a change's place in its transaction."""
    fields: list[Schema] = [
        {"name": "id", "type": "string"},
        {"name": "total_order", "type": "long"},
        {"name": "data_collection_order", "type": "long"},
    ]
    return {**_record("event.block", fields), "connect.version": 1}


@dataclass(frozen=True, slots=True)
class Origin:
    """What a transaction says of itself, in the order of the source block. Times in microseconds since 1970.

    ``name``/``lsn`` are those of the replication origin, where the transaction was replayed from elsewhere.
    """

    ts_us: int
    xid: int | None
    name: bytes | None = None
    lsn: int = 0


class SourceBlock:
    """Encodes ``source`` in pieces, most of them once a transaction or once a table.

    ``opening | the sequence's end | times | table names | transaction | lsn | closing``; ``ending`` comes after
    it.
    """

    def __init__(self, prefix: str, database: str) -> None:
        self.xmin: int | None = None
        """The slot's xmin as last asked for (``xmin.fetch.interval.ms``)."""
        constant = (VERSION, "postgresql", prefix)
        self.constant = b"".join(datum.text(item.encode()) for item in constant)
        self._database = datum.text(database.encode())

    def opening(self, ts_us: int, sequence: bytes, more: int = 0, *, snapshot: bytes = b"false") -> bytes:
        """Return version … db and ``sequence``, of which ``more`` bytes are still to come."""
        ts_ms = datum.zigzag(ts_us // 1000)
        size = datum.zigzag(len(sequence) + more)
        return b"".join(
            (self.constant, ts_ms, b"\x00", datum.text(snapshot), self._database, datum.SOME, size, sequence)
        )

    def times(self, origin: Origin) -> bytes:
        """Return ts_us and ts_ns."""
        return datum.SOME + datum.zigzag(origin.ts_us) + datum.SOME + datum.zigzag(origin.ts_us * 1000)

    def transaction(self, origin: Origin) -> bytes:
        """Return txId, then the union branch of ``lsn``."""
        return (datum.NULL if origin.xid is None else datum.SOME + datum.zigzag(origin.xid)) + datum.SOME

    def closing(self, origin: Origin) -> bytes:
        """Return xmin, origin and origin_lsn of the block."""
        xmin = datum.NULL if self.xmin is None else datum.SOME + datum.zigzag(self.xmin)
        if origin.name is None:
            return xmin + datum.NULL * 2
        named = datum.SOME + datum.text(origin.name) + datum.SOME + datum.zigzag(origin.lsn)
        return xmin + named

    def whole(self, origin: Origin, sequence: bytes, names: bytes, lsn: int, *, snapshot: bytes = b"false") -> bytes:
        """Return all of it; ``sequence`` is whole, ``names`` as ``table_names``."""
        return b"".join(
            (
                self.opening(origin.ts_us, sequence, snapshot=snapshot),
                self.times(origin),
                names,
                self.transaction(origin),
                datum.zigzag(lsn),
                self.closing(origin),
            )
        )


NAMELESS = datum.text(b"") * 2
"""``table_names`` of what belongs to no table."""


def table_names(table: TableId) -> bytes:
    """Return the source block's schema and table."""
    return datum.text(table.schema.encode()) + datum.text(table.table.encode())


def ending(op: str, now_ns: int) -> bytes:
    """Return the envelope's null ``transaction``, op, ts_ms, ts_us, ts_ns: the time when the event was handled here."""
    times = (now_ns // 1_000_000, now_ns // 1000, now_ns)
    return datum.NULL + datum.text(op.encode()) + b"".join(datum.SOME + datum.zigzag(time) for time in times)
