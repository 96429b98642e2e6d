"""The rare messages of the pgoutput protocol, taken apart: begin, commit, origin, relation,
logical decoding messages.

Called by ``capture`` (which handles inserts, updates and deletes itself: they are the hot path). Layout:
PostgreSQL documentation, 54.9 "Logical Replication Message Formats", protocol version 1. ``at`` is where the
message's type byte stands; pure functions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sync.errors import ProtocolViolation

EPOCH_MICROS = 946_684_800_000_000
"""2000-01-01 (PostgreSQL's epoch) in microseconds since 1970."""

HEADER = 25
"""Bytes of an XLogData message before the payload: 'w', start, end, time."""


class Damaged(ValueError):
    """A message that breaks the protocol; the text says how, without its content."""


DAMAGED = (ValueError, IndexError, struct.error)
"""What the functions here, and the reading of tuples, raise on a message that breaks the protocol."""

_BEGIN = struct.Struct(">QqI")
_COMMIT = struct.Struct(">QQq")
_POSITION = struct.Struct(">xQ").unpack_from
_LSN = struct.Struct(">Q").unpack_from
_RELATION = struct.Struct(">I").unpack_from
_COLUMN = struct.Struct(">Ii").unpack_from
_SHORT = struct.Struct(">H").unpack_from
_TEXT = ord("t")


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


def violation(message: bytes, reason: str | Exception) -> ProtocolViolation:
    """Return the error about a whole XLogData message; it quotes nothing of its content."""
    if isinstance(reason, Exception) and not isinstance(reason, Damaged):
        reason = "its lengths do not fit its content"
    where = "an unknown position"
    if len(message) >= HEADER:
        (lsn,) = _POSITION(message)
        where = f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
    kind = repr(chr(message[HEADER])) if len(message) > HEADER else "none"
    return ProtocolViolation(
        f"PostgreSQL's log at {where} holds a message of kind {kind} that can't be read: {reason}.",
        hint="restart the connector; if it stops there again, check the server's version and pg_amcheck, "
        "and what stands between server and connector",
    )


def begin(message: bytes, at: int) -> tuple[int, int, int]:
    """Return commit LSN, commit time (microseconds since 1970) and transaction id."""
    lsn, time, xid = _BEGIN.unpack(message[at + 1 :])
    return lsn, time + EPOCH_MICROS, xid


def commit(message: bytes, at: int) -> tuple[int, int]:
    """Return the LSN of the commit and the end of the transaction."""
    lsn, end, _time = _COMMIT.unpack(message[at + 2 :])
    return lsn, end


def origin(message: bytes, at: int) -> tuple[bytes, int]:
    """Return a replication origin's name and the commit LSN there."""
    (lsn,) = _LSN(message, at + 1)
    name, end = _string(message, at + 9)
    _ended(message, end)
    return name.encode(), lsn


def logical(message: bytes, at: int) -> tuple[bool, int, bytes, bytes]:
    """Return of a logical decoding message whether it is part of the transaction, its LSN, prefix and content."""
    flags = message[at + 1]
    (lsn,) = _LSN(message, at + 2)
    prefix, place = _string(message, at + 10)
    (size,) = _RELATION(message, place)
    _ended(message, place + 4 + size)
    return bool(flags & 1), lsn, prefix.encode(), message[place + 4 :]


def truncate(message: bytes, at: int) -> tuple[int, ...]:
    """Return the oids of the tables that were emptied."""
    (count,) = _RELATION(message, at + 1)
    if len(message) != at + 6 + 4 * count:
        raise Damaged("its tables are not as many as it says")
    return struct.unpack_from(f">{count}I", message, at + 6)


def relation(message: bytes, at: int) -> Relation:
    """Return a table's description. An empty schema name stands for pg_catalog."""
    (oid,) = _RELATION(message, at + 1)
    schema, place = _string(message, at + 5)
    table, place = _string(message, place)
    identity = chr(message[place])
    if identity not in "dfin":
        raise Damaged("a replica identity that does not exist")
    (count,) = _SHORT(message, place + 1)
    place += 3
    columns = []
    for _ in range(count):
        key = bool(message[place] & 1)
        name, place = _string(message, place + 1)
        type_oid, modifier = _COLUMN(message, place)
        place += 8
        columns.append(RelationColumn(name, key, type_oid, modifier))
    _ended(message, place)
    return Relation(oid, schema or "pg_catalog", table, identity, tuple(columns))


def texts(message: bytes, at: int) -> list[bytes | None]:
    """Return the texts of a tuple whose column count stands at ``at``; None for NULL and for what was left out."""
    (count,) = _SHORT(message, at)
    place = at + 2
    found: list[bytes | None] = []
    for _ in range(count):
        text, kind = None, message[place]
        place += 1
        if kind == _TEXT:
            (size,) = _RELATION(message, place)
            text = message[place + 4 : place + 4 + size]
            place += 4 + size
        found.append(text)
    return found


def _ended(message: bytes, place: int) -> None:
    if place != len(message):
        raise Damaged("it goes on after its end")


def _string(message: bytes, place: int) -> tuple[str, int]:
    end = message.find(b"\0", place)
    if end < 0:
        raise Damaged("a name without an end")
    try:
        return message[place:end].decode(), end + 1
    except UnicodeDecodeError:
        # Its text would quote the name.
        raise Damaged("a name that is not UTF-8") from None
