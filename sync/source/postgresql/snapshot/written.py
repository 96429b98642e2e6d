"""What an interrupted snapshot already wrote, so that reading it all again writes nothing twice (invariant 2).

An exported snapshot ends with its connection, so a restart reads the rest of a table under a later one. Where the rest
can't be told from what was read (a table that isn't cut by its key), it reads all of it: rows that are in the topic as
they are now are skipped; rows that are gone since get the delete that no log will tell of. Used by ``phase`` after a
crash only; it costs a read of the table's topic and about 150 bytes of memory a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from sync.kafka.client import read_all
from sync.schema.avro import decode_one, encode_one, split, wire
from sync.schema.registry import RegistryClient
from sync.source.postgresql.batch import Record
from sync.source.postgresql.envelope import SourceBlock

_HEADER = 5
_DIGEST = 16


class Written:
    """The last row by key in each of a connector's topics."""

    def __init__(self, bootstrap: str, registry: RegistryClient, block: SourceBlock) -> None:
        self._bootstrap = bootstrap
        self._registry = registry
        self._mark = block.constant
        self._rows: dict[str, dict[bytes, bytes]] = {}

    def load(self, topic: str) -> None:
        """Read the topic's committed records. Raises Unavailable."""
        rows = self._rows[topic] = {}
        for message in read_all(self._bootstrap, topic):
            key, value = message.key(), message.value()
            if key is None:
                continue
            if value is None:
                rows.pop(key, None)
            else:
                # The row ends where the source block starts, and nothing after that repeats its start.
                rows[key] = _digest(value[_HEADER : value.rfind(self._mark)])

    def filter(self, topic: str, records: list[Record], ending: int) -> None:
        """Drop those of the records whose row is the topic's last of its key; the keys count as met either way.

        ``ending`` is the length of what follows the row in a value.
        """
        rows = self._rows.get(topic)
        if rows is not None:
            records[:] = [record for record in records if not _repeats(rows, *record, ending)]

    def gone(self, topic: str, position: int, now_ns: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield ``(key, delete)`` of the rows that were not met. Raises Unavailable, Unreadable."""
        left = self._rows.pop(topic, {})
        if not left:
            return
        values: dict[bytes, bytes | None] = {}
        for message in read_all(self._bootstrap, topic):
            key = message.key()
            if key in left:
                values[key] = message.value()
        for key, value in values.items():
            if value is None:
                continue
            number, datum = split(value)
            schema = self._registry.schema(number)
            record = decode_one(schema, datum)
            if record["after"] is not None:
                yield key, wire(number, encode_one(schema, _delete(record, position, now_ns)))


def _repeats(rows: dict[bytes, bytes], key: bytes | None, value: bytes | None, ending: int) -> bool:
    if key is None or value is None:
        return False
    known = rows.pop(key, None)
    return known is not None and known == _digest(value[_HEADER:-ending])


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST).digest()


def _delete(record: dict[str, Any], position: int, now_ns: int) -> dict[str, Any]:
    times = {"ts_ms": now_ns // 1_000_000, "ts_us": now_ns // 1000, "ts_ns": now_ns}
    source = {
        **record["source"],
        **times,
        "snapshot": "true",
        "sequence": f'[null,"{position}"]',
        "lsn": position,
        "txId": None,
        "origin": None,
        "origin_lsn": None,
    }
    return {**record, **times, "before": record["after"], "after": None, "op": "d", "source": source}
