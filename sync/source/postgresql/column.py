"""PostgreSQL types → Avro types with Debezium's semantic names, and text values → Avro bytes.

Called once a column when a table's schema is compiled. A value comes as the bytes of PostgreSQL's text
output (pgoutput, or COPY of columns cast to text) under ``DateStyle=ISO``, ``IntervalStyle=postgres``,
``TimeZone=UTC``, ``bytea_output=hex``. The mapping is that of Debezium 3.4 for PostgreSQL, held against it by
``tests/golden/debezium_types.json``; docs/postgresql-types.md tells the differences.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from sync.errors import Refused
from sync.schema import datum
from sync.source.postgresql import form
from sync.source.postgresql.array import array_type, numbers_type
from sync.source.postgresql.binary import bits_type, bytea_type, unknown_type
from sync.source.postgresql.interval import interval_type
from sync.source.postgresql.kind import UNAVAILABLE, ColumnType, Encode, Options, named, plain, textual
from sync.source.postgresql.moment import NAMES as MOMENTS
from sync.source.postgresql.moment import moment_type
from sync.source.postgresql.numeric import money_type, numeric_type
from sync.source.postgresql.structure import hstore_type, point_type, vector_type
from sync.source.postgresql.table import PgType, Table

__all__ = ["UNAVAILABLE", "ColumnType", "Encode", "Options", "column_type", "mapped"]

_log = logging.getLogger(__name__)

_TEXTS = frozenset(
    {"text", "varchar", "bpchar", "char", "name", "citext", "isbn", "inet", "cidr", "macaddr", "macaddr8"}
    | {"int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"}
)
"""Types whose output is the value."""

_NAMED_TEXTS = {
    "uuid": "io.debezium.data.Uuid",
    "json": "io.debezium.data.Json",
    "jsonb": "io.debezium.data.Json",
    "xml": "io.debezium.data.Xml",
    "ltree": "io.debezium.data.Ltree",
    "tsvector": "io.debezium.data.Tsvector",
}


def column_type(kind: PgType, options: Options) -> ColumnType:
    """Return how values of a PostgreSQL type are written; ``schema`` is None for a type that is left out."""
    if kind.element is not None and kind.name not in _FAMILIES:
        return array_type(kind, column_type(kind.element, options), options)
    if kind.labels:
        return _enum(kind, options)
    name = kind.name
    if name in _TEXTS:
        return textual(options)
    if name in _NAMED_TEXTS:
        return textual(options, _NAMED_TEXTS[name])
    if name in MOMENTS:
        return moment_type(kind, options)
    if name in _FAMILIES:
        return _FAMILIES[name](kind, options)
    return _SIMPLE.get(name) or unknown_type(options)


def mapped(table: Table, options: Options) -> Table:
    """Return the table with the columns of types without a mapping left out. Refused where one is part of the key."""
    unknown = {
        column.name for column in table.columns if column.captured and column_type(column.type, options).schema is None
    }
    for name in table.key:
        if name in unknown:
            raise Refused(
                f"Column {name}, part of the key of table {table.id}, has a type without a mapping.",
                hint="set include.unknown.datatypes=true, or choose another key by message.key.columns",
            )
    if not unknown:
        return table
    _log.warning(
        "Columns of table %s have types without a mapping and are left out (include.unknown.datatypes=true captures "
        "them): %s.",
        table.id,
        ", ".join(sorted(unknown)),
    )
    columns = (replace(column, captured=False) if column.name in unknown else column for column in table.columns)
    return replace(table, columns=tuple(columns))


def _enum(kind: PgType, options: Options) -> ColumnType:
    allowed = {"allowed": ",".join(kind.labels)}
    schema = named("string", "io.debezium.data.Enum", parameters=allowed)
    return ColumnType(schema, None, datum.text(b""), datum.text(options.placeholder))


def _integer(value: bytes) -> bytes:
    return datum.zigzag(int(value))


def _boolean(value: bytes) -> bytes:
    # 't' in the log, 'true' in a column cast to text.
    return b"\x01" if value[:1] == b"t" else b"\x00"


_SIMPLE = {
    "bool": plain("boolean", _boolean, form=form.BOOLEAN),
    "int2": plain({"type": "int", "connect.type": "int16"}, _integer, form=form.INTEGER),
    "int4": plain("int", _integer, form=form.INTEGER),
    "int8": plain("long", _integer, form=form.INTEGER),
    "oid": plain("long", _integer, form=form.INTEGER),
    "float4": plain("float", lambda value: datum.single(float(value)), bytes(4)),
    "float8": plain("double", lambda value: datum.double(float(value)), bytes(8)),
}

_FAMILIES: dict[str, Callable[[PgType, Options], ColumnType]] = {
    "numeric": numeric_type,
    "money": money_type,
    "interval": lambda _, options: interval_type(options),
    "bytea": lambda _, options: bytea_type(options),
    "bit": lambda kind, _: bits_type(kind),
    "varbit": lambda kind, _: bits_type(kind),
    "point": lambda *_: point_type(),
    "hstore": lambda _, options: hstore_type(options),
    "vector": lambda kind, _: vector_type(kind.name),
    "halfvec": lambda kind, _: vector_type(kind.name),
    "sparsevec": lambda kind, _: vector_type(kind.name),
    "int2vector": lambda kind, _: numbers_type(kind),
    "oidvector": lambda kind, _: numbers_type(kind),
}
