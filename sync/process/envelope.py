"""The change envelopes of source topics, compiled: what the columns of a row mean and how its key reads.

Used by the validate step. Any envelope in Debezium's form will do, ours or Debezium's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from sync.errors import SyncError, Unreadable
from sync.process.reader import FRAME
from sync.schema.avro import branch, split
from sync.schema.columns import Columns
from sync.schema.plan import DType
from sync.schema.registry import RegistryClient

_READ = ("after", "source", "op")
"""The fields of an envelope that are looked at."""


@dataclass(slots=True)
class Envelope:
    """One schema of a topic's values: the columns ``after``, ``source`` and ``op``, and what the types mean."""

    columns: Columns
    semantics: dict[str, str]


class Keyed(Protocol):
    """A record with a key: a message of Kafka's client."""

    def key(self) -> bytes | None:
        """The key in wire format."""


class Envelopes:
    """Envelopes and keys by schema id; schemas are cached."""

    def __init__(self, registry: RegistryClient) -> None:
        self._registry = registry
        self._envelopes: dict[int, Envelope] = {}
        self._keys: dict[int, Columns] = {}

    def of(self, value: bytes | None) -> Envelope:
        """The compiled envelope of a value's schema; Unreadable if there is none or it is no change envelope."""
        schema_id, _ = split(value)
        if schema_id not in self._envelopes:
            schema = self._registry.schema(schema_id)
            fields = {item["name"]: item["type"] for item in schema.get("fields", [])}
            if not {"before", "after", "source", "op"} <= fields.keys():
                raise Unreadable("The record is no change envelope: before, after, source or op is missing.")
            # The definition stands where the record is first named, under before.
            row = branch(fields["before"])
            row = row if isinstance(row, Mapping) else branch(fields["after"])
            kinds = {item["name"]: branch(item["type"]) for item in row["fields"]}
            self._envelopes[schema_id] = Envelope(
                Columns(schema, only=_READ),
                {
                    name: kind["connect.name"]
                    for name, kind in kinds.items()
                    if isinstance(kind, Mapping) and "connect.name" in kind
                },
            )
        return self._envelopes[schema_id]

    def row_keys(self, messages: Sequence[Keyed], table: str) -> list[str | None]:
        """``schema.table/<primary key>`` of each message, None where the key can't be read."""
        found: list[str | None] = [None] * len(messages)
        by_frame: dict[bytes, list[int]] = {}
        keys = [message.key() or b"" for message in messages]
        for number, key in enumerate(keys):
            by_frame.setdefault(key[:FRAME], []).append(number)
        for numbers in by_frame.values():
            try:
                schema_id, _ = split(keys[numbers[0]])
                if schema_id not in self._keys:
                    self._keys[schema_id] = Columns(self._registry.schema(schema_id))
                frame = self._keys[schema_id].decode([keys[number][FRAME:] for number in numbers])
            except SyncError:
                continue
            parts = [_key_text(pl.col(name), dtype) for name, dtype in frame.schema.items()]
            text = frame.select(pl.concat_str(parts, separator="|", ignore_nulls=True)).to_series()
            for number, key_text in zip(numbers, text, strict=True):
                found[number] = f"{table}/{key_text}"
        return found


def _key_text(part: pl.Expr, dtype: DType) -> pl.Expr:
    """A key column as text: bytes in hexadecimal, the fields of a record (a decimal's scale and digits) joined."""
    if dtype == pl.Binary:
        return part.bin.encode("hex")
    if isinstance(dtype, pl.Struct):
        inner = [_key_text(part.struct.field(name), kind) for name, kind in dtype.to_schema().items()]
        return pl.concat_str(inner, separator=":", ignore_nulls=True)
    return part.cast(pl.String)
