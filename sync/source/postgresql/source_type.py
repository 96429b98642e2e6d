"""How a column's type is described to readers who ask for it: name, length and scale as Debezium tells them.

The numbers are those of pgjdbc's ``TypeInfoCache`` (``getPrecision``, ``getScale``), which Debezium passes on as
``__debezium.source.column.length`` and ``.scale``. Used by ``shape`` and ``mask``; pure.
"""

from __future__ import annotations

from sync.source.postgresql.table import PgType

UNLIMITED = 2**31 - 1

_LENGTHS = {"int2": 5, "int4": 10, "oid": 10, "int8": 19, "float4": 8, "float8": 17, "bool": 1, "char": 1}
_LENGTHS |= {"date": 13, "interval": 49}
_TIMES = {"time": 8, "timetz": 14, "timestamp": 22, "timestamptz": 28}
_FLOATS = {"float4": 8, "float8": 17}


def length(kind: PgType) -> int:
    """Return the length of a column of this type: characters, digits or bits; ``UNLIMITED`` where there is none."""
    base = kind.element or kind
    name, modifier = base.name, base.modifier
    if name in _TIMES:
        # With one digit pgjdbc counts two.
        digits = {-1: 7, 0: 0, 1: 3}.get(modifier, modifier + 1)
        return _TIMES[name] + digits
    if name == "numeric":
        return (modifier - 4) >> 16 & 0xFFFF if modifier >= 4 else 0
    if name in ("varchar", "bpchar"):
        return modifier - 4 if modifier >= 4 else UNLIMITED
    if name in ("bit", "varbit"):
        return modifier if modifier >= 0 else UNLIMITED
    return _LENGTHS.get(name, UNLIMITED)


def scale(kind: PgType) -> int | None:
    """Return the digits after the point; None for a numeric that declares none."""
    base = kind.element or kind
    name, modifier = base.name, base.modifier
    if name == "numeric":
        return (modifier - 4) & 0xFFFF if modifier >= 4 else None
    if name in _TIMES or name == "interval":
        return 6 if modifier < 0 else modifier & 0xFFFF
    return _FLOATS.get(name, 0)


def parameters(column: str, kind: PgType) -> dict[str, str]:
    """Return what ``column.propagate.source.type`` adds to a field's schema."""
    digits = scale(kind)
    return {
        "__debezium.source.column.type": kind.name.upper(),
        "__debezium.source.column.length": str(length(kind)),
        **({} if digits is None else {"__debezium.source.column.scale": str(digits)}),
        "__debezium.source.column.name": column,
    }
