"""bytea, bit strings, and the raw form of types without a mapping.

Called by ``column``. Debezium 3.4's documentation, ``binary.handling.mode`` and ``include.unknown.datatypes``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from sync.schema import datum
from sync.source.postgresql.kind import LEFT_OUT, ColumnType, Options, named, plain
from sync.source.postgresql.table import PgType

_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "bytes": bytes,
    "base64": base64.b64encode,
    "base64-url-safe": base64.urlsafe_b64encode,
    "hex": lambda data: data.hex().encode(),
}

_VARYING = 2**31 - 1
"""Length that Debezium tells of a varbit without one."""


def bytea_type(options: Options) -> ColumnType:
    """Return how bytes are written: as they are, or as text."""
    return _raw(options, lambda value: bytes.fromhex(value[2:].decode()))


def bytes_type(options: Options) -> ColumnType:
    """Return how bytes are written that come as they are, not in PostgreSQL's text form."""
    return _raw(options, bytes)


def unknown_type(options: Options) -> ColumnType:
    """Return how a type without a mapping is written: its text as bytes, or not at all."""
    return bytes_type(options) if options.unknown else LEFT_OUT


def _raw(options: Options, content: Callable[[bytes], bytes]) -> ColumnType:
    form = _FORMS[options.binaries]
    schema = "bytes" if options.binaries == "bytes" else "string"
    # As Debezium: only text in hexadecimal has the placeholder as it is.
    unavailable = options.placeholder if options.binaries in ("bytes", "hex") else form(options.placeholder)
    return ColumnType(schema, lambda value: datum.text(form(content(value))), datum.text(b""), datum.text(unavailable))


def bits_type(kind: PgType) -> ColumnType:
    """Return how a bit string is written: a boolean for one bit, otherwise bytes, least significant first."""
    length = kind.modifier if kind.modifier > 0 else 1 if kind.name == "bit" else _VARYING
    if length == 1:
        return plain("boolean", _bit)
    parameters = {"length": str(length)}
    return plain(named("bytes", "io.debezium.data.Bits", parameters=parameters), _bits, datum.text(b""))


def _bit(value: bytes) -> bytes:
    return b"\x01" if int(value, 2) else b"\x00"


def _bits(value: bytes) -> bytes:
    number = int(value or b"0", 2)
    return datum.text(number.to_bytes((number.bit_length() + 7) // 8, "little"))
