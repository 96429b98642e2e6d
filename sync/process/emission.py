"""What the validate step puts into ``<dataset>.valid``: contributions, closings, refusals, in the changes' order."""

from __future__ import annotations

from typing import Any

import polars as pl

from sync.process.bridge import Output
from sync.process.decoded import Decoded
from sync.process.origin import SourceTable
from sync.process.outbox import Subject, partition_of
from sync.process.parked import PARK
from sync.schema.avro import decode_one

Closing = dict[str, Any]
"""Meta and key fields of a record that closes a contribution."""


class Emission:
    """The records of one source table and batch."""

    def __init__(self, at: SourceTable, valid: Subject, partitions: int) -> None:
        """``valid``: the dataset's topic; ``partitions``: how many it has."""
        self._at = at
        self._valid = valid
        self._partitions = partitions
        self._emitted: list[tuple[bytes, bytes | Closing]] = []
        self.key = valid.key

    def encode(self, frame: pl.DataFrame) -> list[bytes]:
        """The values, in wire format, of cleaned rows with the meta columns that differ from row to row.

        ``_changed_at`` is in microseconds.
        """
        at = self._at
        constants = {
            "_source": at.source,
            "_topic": at.topic,
            "_authority": at.authority,
            "_locality": at.locality,
            "_op": "u",
            "_refusal": None,
        }
        columns = [
            pl.Series(name, [value], dtype=pl.String).new_from_index(0, frame.height)
            for name, value in constants.items()
        ]
        return self._valid.value.encode(frame.hstack(columns), prefix=self._valid.value_header)

    def add(self, entity: bytes, value: bytes) -> None:
        """A contribution, as ``encode`` made it, to the entity with the key datum ``entity``."""
        self._emitted.append((entity, value))

    def close(self, op: str, entity: bytes, number: int, decoded: Decoded, to: bytes | None = None) -> None:
        """Close the contribution of a message's row to ``entity``.

        ``d`` is a counted delete; ``x`` belongs to a counted upsert of the entity ``to``, which the record's own key
        fields name; ``r`` retracts what a decision had let in: then the row is under review again, which is told here.
        """
        self._end(op, entity, number, decoded, names=entity if to is None else to)

    def refuse(self, entity: bytes, number: int, decoded: Decoded, told: str | None) -> None:
        """A message's row, which contributes to ``entity`` or did so last, has a newer version that was refused.

        ``told``: what is told of it (``sync.process.told``); None where the row is no more. It is counted where
        it is refused.
        """
        self._end(PARK, entity, number, decoded, names=entity, _refusal=told)

    def _end(self, op: str, entity: bytes, number: int, decoded: Decoded, *, names: bytes, **more: str | None) -> None:
        meta: Closing = {
            **decode_one(self._valid.key.schema, names),
            **more,
            "_op": op,
            "_row": decoded.rows[number],
            "_partition": decoded.partitions[number],
            "_version": decoded.versions[number],
            "_changed_at": decoded.changed[number],
        }
        self._emitted.append((entity, meta))

    def flush(self, output: Output) -> None:
        """Add the records to the batch's output, in their order."""
        if not self._emitted:
            return
        closings = [value for _, value in self._emitted if isinstance(value, dict)]
        closed = iter(self._encode_closings(closings))
        key_header = self._valid.key_header
        output.records.setdefault(self._valid.topic, []).extend(
            (
                key_header + entity,
                next(closed) if isinstance(value, dict) else value,
                partition_of(entity, self._partitions),
            )
            for entity, value in self._emitted
        )
        self._emitted.clear()

    def _encode_closings(self, closings: list[Closing]) -> list[bytes]:
        if not closings:
            return []
        schema: dict[str, Any] = {**self._valid.value.dtypes, "_changed_at": pl.Int64}
        at = self._at
        records = [
            {
                **meta,
                "_source": at.source,
                "_topic": at.topic,
                "_authority": at.authority,
                "_locality": at.locality,
            }
            for meta in closings
        ]
        frame = pl.DataFrame(records, schema=schema, orient="row")
        return self._valid.value.encode(frame, prefix=self._valid.value_header)
