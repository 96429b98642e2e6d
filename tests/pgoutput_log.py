"""Builds what a server sends by pgoutput, and a capture of one table that it can be fed to."""

from __future__ import annotations

import re
import struct
from typing import Any

from sync.record import Position, TableId
from sync.schema.avro import decode_one
from sync.source.postgresql.batch import Batch
from sync.source.postgresql.capture import Capture
from sync.source.postgresql.column import Options
from sync.source.postgresql.envelope import SourceBlock
from sync.source.postgresql.message import Messages, Prefixes
from sync.source.postgresql.pgoutput import EPOCH_MICROS, Relation
from sync.source.postgresql.route import Route, loosened
from sync.source.postgresql.table import Column, PgType, Table
from sync.source.postgresql.transaction import Transactions

TABLE = Table(
    TableId("public", "can_bo"),
    (
        Column("id", PgType("int4"), optional=False),
        Column("ho_ten", PgType("text")),
        Column("ngay_sinh", PgType("date")),
    ),
    key=("id",),
)
START = Position(0)
NOW_NS = 1_751_328_000_123_456_789


class Registry:
    """Gives out ids; remembers the schemas."""

    def __init__(self) -> None:
        self.schemas: list[tuple[str, Any]] = []

    def __call__(self, subject: str, schema: Any) -> int:
        self.schemas.append((subject, schema))
        return len(self.schemas)

    def read(self, data: bytes) -> dict[str, Any]:
        assert data[0] == 0
        (number,) = struct.unpack_from(">I", data, 1)
        return decode_one(self.schemas[number - 1][1], data[5:])


class Log:
    """Builds the messages that a server would send."""

    def __init__(self, capture: Capture, oid: int = 7) -> None:
        self.deliver = capture.feed
        self.oid = oid
        self.lsn = 0

    def send(self, payload: bytes, lsn: int) -> None:
        self.deliver(b"w" + struct.pack(">QQq", lsn, lsn, 0) + payload)

    def begin(self, commit: int, *, us: int = EPOCH_MICROS + 1_000_000, xid: int = 5) -> None:
        self.lsn = commit - 50
        self.send(b"B" + struct.pack(">QqI", commit, us - EPOCH_MICROS, xid), self.lsn)

    def origin(self, name: bytes, lsn: int = 3) -> None:
        self.send(b"O" + struct.pack(">Q", lsn) + name + b"\0", self.lsn)

    def commit(self, commit: int) -> None:
        self.send(b"C\0" + struct.pack(">QQq", commit, commit + 8, 0), commit)

    def relation(self, table: Table = TABLE) -> None:
        columns = b"".join(
            bytes([column.name in table.key]) + column.name.encode() + b"\0" + struct.pack(">Ii", 1, -1)
            for column in table.columns
        )
        body = struct.pack(">I", self.oid) + b"public\0can_bo\0" + table.identity.value.encode()
        self.send(b"R" + body + struct.pack(">H", len(table.columns)) + columns, self.lsn)

    def change(self, kind: bytes, *images: tuple[bytes, tuple[Any, ...]]) -> None:
        self.lsn += 1
        self.send(kind + struct.pack(">I", self.oid) + b"".join(k + image(v) for k, v in images), self.lsn)

    def truncate(self, *oids: int) -> None:
        self.lsn += 1
        self.send(b"T" + struct.pack(f">IB{len(oids)}I", len(oids), 0, *oids), self.lsn)

    def message(self, prefix: bytes, content: bytes, *, lsn: int | None = None) -> None:
        """A logical decoding message: of the transaction, or at ``lsn`` by itself."""
        self.lsn = self.lsn + 1 if lsn is None else lsn
        body = struct.pack(">BQ", lsn is None, self.lsn) + prefix + b"\0" + struct.pack(">I", len(content)) + content
        self.send(b"M" + body, self.lsn)

    def insert(self, *values: Any) -> None:
        self.change(b"I", (b"N", values))


UNCHANGED = object()


def image(values: tuple[Any, ...]) -> bytes:
    out = struct.pack(">H", len(values))
    for value in values:
        if value is UNCHANGED:
            out += b"u"
        elif value is None:
            out += b"n"
        else:
            data = value.encode()
            out += b"t" + struct.pack(">I", len(data)) + data
    return out


class World:
    """A capture of one table with what stands around it."""

    def __init__(
        self,
        table: Table = TABLE,
        position: Position = START,
        *,
        tombstones: bool = True,
        skipped: str = "t",
        metadata: bool = False,
        skip_unchanged: bool = False,
        messages: Prefixes | None = None,
    ) -> None:
        self.registry = Registry()
        self.table = table

        def resolve(_: Relation, nullable: frozenset[str]) -> Route:
            return Route(loosened(self.table, nullable), "tinh", Options(), self.registry)

        block = SourceBlock("tinh", "bonoivu")
        self.capture = Capture(
            block,
            resolve,
            position,
            skip_origin=re.compile("dongbo.*"),
            tombstones=tombstones,
            clock=lambda: NOW_NS,
            skipped=frozenset(skipped),
            transactions=Transactions("tinh.transaction", self.registry) if metadata else None,
            skip_unchanged=skip_unchanged,
            messages=None if messages is None else Messages(messages, "tinh", Options(), self.registry),
        )
        self.log = Log(self.capture)

    def transaction(self, commit: int, *rows: tuple[Any, ...], origin: bytes | None = None) -> None:
        self.log.begin(commit)
        if origin:
            self.log.origin(origin)
        self.log.relation(self.table)
        for row in rows:
            self.log.insert(*row)
        self.log.commit(commit)

    def records(self, batch: Batch, topic: str = "tinh.public.can_bo") -> list[tuple[Any, Any]]:
        return [
            (key and self.registry.read(key), value and self.registry.read(value))
            for key, value in batch.outputs[topic]
        ]
