"""What the configuration makes of a column's values: hashed, masked, cut, or left out of the record.

``shape`` gives a column its treatment; ``transcoder`` and ``envelope`` ask ``written`` how it is written, once a
version of a table. Values are those of Debezium 3.4's ``io.debezium.relational.mapping`` (read off its connector).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sync.schema import datum
from sync.source.postgresql.column import ColumnType, Encode, Options, column_type
from sync.source.postgresql.form import ENCODED
from sync.source.postgresql.source_type import length
from sync.source.postgresql.table import Column, PgType
from sync.source.postgresql.treatment import Cut, Mask, Treatment

_CHARACTERS = frozenset({"text", "varchar", "bpchar", "name", "char"})
"""Types that pgjdbc calls CHAR or VARCHAR; an enum is one too."""


def written(column: Column, options: Options) -> ColumnType:
    """Return how a column is written: its type's way, with the column's treatment and its source's description."""
    kind = column_type(column.type, options)
    if kind.schema is None:
        return kind
    if column.treatment is not None:
        kind = _treated(column, kind, column.treatment)
    if column.parameters:
        kind = replace(kind, schema=described(kind.schema, dict(column.parameters)))
    return kind


def described(schema: Any, parameters: Mapping[str, str]) -> Any:
    """Return an Avro schema with further parameters of Connect's."""
    known: dict[str, Any] = {"type": schema} if isinstance(schema, str) else schema
    return {**known, "connect.parameters": {**known.get("connect.parameters", {}), **parameters}}


def _treated(column: Column, kind: ColumnType, treatment: Treatment) -> ColumnType:
    if isinstance(treatment, Cut):
        return _cut(column, kind, treatment.size)
    kind = replace(kind, schema=described(kind.schema, {"masked": "true"}))
    if not _character(column.type):
        return kind
    if isinstance(treatment, Mask):
        stars = datum.text(b"*" * treatment.size)
        return replace(kind, encode=lambda _: stars, form=ENCODED, filler=stars, unavailable=stars, null=stars)
    most = length(column.type)

    def change(value: bytes) -> bytes:
        return treatment.digest(value, most)

    return _changed(kind, change)


def _cut(column: Column, kind: ColumnType, size: int) -> ColumnType:
    if length(column.type) <= size:
        return kind
    kind = replace(kind, schema=described(kind.schema, {"truncateLength": str(size)}))
    base = kind.schema["type"]
    if base == "string":
        return _changed(kind, lambda value: _shortened(value, size))
    if base == "bytes" and column.type.name == "bytea":
        return _changed(kind, lambda value: value[:size])
    return kind


def _shortened(value: bytes, units: int) -> bytes:
    if len(value) <= units:
        return value
    # Java counts UTF-16 units; half a pair becomes '?' when it is written as UTF-8.
    whole = value.decode().encode("utf-16-le")
    return whole[: 2 * units].decode("utf-16-le", "surrogatepass").encode("utf-8", "replace")


def _changed(kind: ColumnType, change: Callable[[bytes], bytes]) -> ColumnType:
    """Return the type with ``change`` on what its encoder wrote as a string or bytes, length left off."""
    inner: Encode = kind.encode or datum.text

    def encode(value: bytes) -> bytes:
        return datum.text(change(datum.content(inner(value))))

    unavailable = kind.unavailable
    if unavailable is not None:
        unavailable = datum.text(change(datum.content(unavailable)))
    return replace(kind, encode=encode, form=ENCODED, unavailable=unavailable)


def _character(kind: PgType) -> bool:
    return kind.element is None and (kind.name in _CHARACTERS or bool(kind.labels))
