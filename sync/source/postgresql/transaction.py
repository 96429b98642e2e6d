"""Transaction metadata (``provide.transaction.metadata``): BEGIN and END records, and each change's place.

``capture`` asks it for each record that it writes, and counts a transaction again from its first change after a
restart, so that what is counted never depends on where a batch ended. Forms are Debezium 3.4's, an id that holds the
position of each single change among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sync.schema import datum
from sync.schema.avro import encode_one, header
from sync.source.postgresql.envelope import Schema
from sync.source.postgresql.route import Route

_SPACE = "io.debezium.connector.common"


def _optional(name: str, kind: Any) -> Schema:
    return {"name": name, "type": ["null", kind], "default": None}


def _named(name: str, fields: list[Schema]) -> Schema:
    full = f"{_SPACE}.{name}"
    return {
        "type": "record",
        "name": name,
        "namespace": _SPACE,
        "fields": fields,
        "connect.version": 1,
        "connect.name": full,
    }


_COLLECTION: Schema = {
    "type": "record",
    "name": "collection",
    "namespace": "event",
    "fields": [{"name": "data_collection", "type": "string"}, {"name": "event_count", "type": "long"}],
    "connect.version": 1,
    "connect.name": "event.collection",
}
KEY_SCHEMA: Schema = _named("TransactionMetadataKey", [{"name": "id", "type": "string"}])
SCHEMA: Schema = _named(
    "TransactionMetadataValue",
    [
        {"name": "status", "type": "string"},
        {"name": "id", "type": "string"},
        _optional("event_count", "long"),
        _optional("data_collections", {"type": "array", "items": ["null", _COLLECTION]}),
        {"name": "ts_ms", "type": "long"},
    ],
)


class Transactions:
    """Counts the records of the transaction at hand, and writes what is told of it to ``topic``."""

    def __init__(self, topic: str, register: Callable[[str, Schema], int]) -> None:
        """Register the schemas. Raises what ``register`` raises."""
        self.topic = topic
        self._key = header(register(f"{topic}-key", KEY_SCHEMA))
        self._value = header(register(f"{topic}-value", SCHEMA))
        self._xid = self._lsn = self._ts_ms = 0
        self._total = 0
        self._tables: dict[str, int] = {}

    def begin(self, xid: int, lsn: int, ts_us: int) -> None:
        """Begin to count; ``lsn`` is where BEGIN stands, ``ts_us`` the time of the commit."""
        self._xid, self._lsn, self._ts_ms = xid, lsn, ts_us // 1000
        self._total = 0
        self._tables = {}

    @property
    def fresh(self) -> bool:
        """True while nothing was counted: the first record is to be preceded by ``opening``."""
        return not self._total

    def place(self, route: Route, lsn: int) -> bytes:
        """Count a record; return the envelope's ``transaction``."""
        return self.count(str(route.table), lsn)

    def count(self, collection: str, lsn: int) -> bytes:
        """As ``place``, for a record of what ``collection`` names."""
        self._total += 1
        order = self._tables[collection] = self._tables.get(collection, 0) + 1
        name = b"%d:%d" % (self._xid, lsn)
        return datum.SOME + datum.text(name) + datum.zigzag(self._total) + datum.zigzag(order)

    def opening(self) -> tuple[bytes, bytes]:
        """Return the BEGIN record."""
        return self._record("BEGIN", self._lsn, None, None)

    def closing(self, lsn: int) -> tuple[bytes, bytes]:
        """Return the END record; ``lsn`` is the end of the transaction."""
        tables = [{"data_collection": name, "event_count": count} for name, count in self._tables.items()]
        return self._record("END", lsn, self._total, tables)

    def _record(self, status: str, lsn: int, count: int | None, tables: Any) -> tuple[bytes, bytes]:
        name = f"{self._xid}:{lsn}"
        value = {"status": status, "id": name, "event_count": count, "data_collections": tables, "ts_ms": self._ts_ms}
        return self._key + encode_one(KEY_SCHEMA, {"id": name}), self._value + encode_one(SCHEMA, value)
