"""A column's DEFAULT as the default of its field: what Debezium tells of it.

Called when a table's schema and transcoder are compiled. A constant is written as the column's type writes it; a call
of a function, ``now()`` or ``nextval(…)``, as Debezium's stand-in for the type; any other expression is none. Debezium
3.4's ``PostgresDefaultValueConverter`` says which types have defaults.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from sync.schema import datum
from sync.schema.avro import decode_one
from sync.source.postgresql.kind import ColumnType
from sync.source.postgresql.numeric import padded
from sync.source.postgresql.table import Column

_STAND_INS = {
    **dict.fromkeys(("bit", "varbit", "numeric", "float4", "float8", "int2", "int4", "int8"), "0"),
    **dict.fromkeys(("bpchar", "varchar", "text", "xml"), ""),
    **dict.fromkeys(("json", "jsonb"), "{}"),
    "bool": "false",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "date": "1970-01-01",
    "time": "00:00:00",
    "timestamp": "1970-01-01 00:00:00",
    "timestamptz": "1970-01-01 00:00:00+00",
    "interval": None,
}
"""Types whose fields have defaults, with what stands for the result of a function."""

_CAST = r'(?:::[\w ."(),\[\]]+)?'
_NUMBER = re.compile(rf"\(?(-?[\d.]+(?:[eE][+-]?\d+)?)\)?{_CAST}")
_QUOTED = re.compile(rf"([BbEe]?)'((?:[^']|'')*)'{_CAST}", re.DOTALL)
_CALL = re.compile(r"[(]?[A-Za-z0-9_.]+\(.*\).*", re.DOTALL)
_NOW = frozenset({"current_timestamp", "current_time", "current_date", "localtime", "localtimestamp"})


@dataclass(frozen=True, slots=True)
class Default:
    """A default: ``value`` as JSON has it in an Avro schema, ``encoded`` as a datum."""

    value: Any
    encoded: bytes


def default_of(column: Column, kind: ColumnType) -> Default | None:
    """Return the default of a column's field, None for none. A column whose values are changed has none."""
    type_ = column.type
    if column.default is None or column.treatment is not None or type_.domain or type_.element is not None:
        return None
    if not type_.labels and type_.name not in _STAND_INS:
        return None
    text = _constant(column.default, None if type_.labels else _STAND_INS[type_.name])
    if text is None:
        return None
    try:
        data = padded(type_, text.encode()) if type_.name == "numeric" else text.encode()
        encoded = (kind.encode or datum.text)(data)
    except (ValueError, OverflowError):
        return None
    value = _json(kind.schema, encoded)
    return None if value is None else Default(value, encoded)


def _constant(expression: str, stand_in: str | None) -> str | None:
    """Return the text of a constant, the stand-in for a call, otherwise None."""
    if expression in ("true", "false"):
        return expression
    if match := _NUMBER.fullmatch(expression):
        return match[1]
    if match := _QUOTED.fullmatch(expression):
        text = match[2].replace("''", "'")
        return text.replace("\\\\", "\\") if match[1] in ("E", "e") else text
    return stand_in if _CALL.fullmatch(expression) or expression.lower() in _NOW else None


def _json(schema: Any, encoded: bytes) -> Any:
    """Return a datum as a default in an Avro schema; None where JSON or Connect has no form for it."""
    if isinstance(schema, dict):
        schema = {name: item for name, item in schema.items() if name != "logicalType"}
    value = decode_one({"type": "record", "name": "d", "fields": [{"name": "d", "type": schema}]}, encoded)["d"]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value
