"""The rare messages of the pgoutput protocol, taken apart: begin, commit, origin, relation.

Called by ``capture`` (which handles inserts, updates and deletes itself: they are the hot path). Layout:
PostgreSQL documentation, 54.9 "Logical Replication Message Formats", protocol version 1. ``at`` is where the
message's type byte stands; pure functions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

EPOCH_MICROS = 946_684_800_000_000
"""2000-01-01 (PostgreSQL's epoch) in microseconds since 1970."""

_BEGIN = struct.Struct(">QqI").unpack_from
_COMMIT = struct.Struct(">QQq").unpack_from
_LSN = struct.Struct(">Q").unpack_from
_RELATION = struct.Struct(">I").unpack_from
_COLUMN = struct.Struct(">Ii").unpack_from
_SHORT = struct.Struct(">H").unpack_from


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A published column: ``key`` if it is part of the replica identity."""

    name: str
    key: bool
    type_oid: int
    modifier: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the log describes it before its first change and after each change of its definition."""

    oid: int
    schema: str
    table: str
    identity: str
    columns: tuple[RelationColumn, ...]


def begin(message: bytes, at: int) -> tuple[int, int, int]:
    """Return commit LSN, commit time (microseconds since 1970) and transaction id."""
    lsn, time, xid = _BEGIN(message, at + 1)
    return lsn, time + EPOCH_MICROS, xid


def commit(message: bytes, at: int) -> tuple[int, int]:
    """Return the LSN of the commit and the end of the transaction."""
    lsn, end, _time = _COMMIT(message, at + 2)
    return lsn, end


def origin(message: bytes, at: int) -> tuple[bytes, int]:
    """Return a replication origin's name and the commit LSN there."""
    (lsn,) = _LSN(message, at + 1)
    return message[at + 9 : message.index(b"\0", at + 9)], lsn


def relation(message: bytes, at: int) -> Relation:
    """Return a table's description. An empty schema name stands for pg_catalog."""
    (oid,) = _RELATION(message, at + 1)
    schema, place = _string(message, at + 5)
    table, place = _string(message, place)
    identity = chr(message[place])
    (count,) = _SHORT(message, place + 1)
    place += 3
    columns = []
    for _ in range(count):
        key = bool(message[place] & 1)
        name, place = _string(message, place + 1)
        type_oid, modifier = _COLUMN(message, place)
        place += 8
        columns.append(RelationColumn(name, key, type_oid, modifier))
    return Relation(oid, schema or "pg_catalog", table, identity, tuple(columns))


def _string(message: bytes, place: int) -> tuple[str, int]:
    end = message.index(b"\0", place)
    return message[place:end].decode(), end + 1
