"""Values in wire format into one frame, whatever versions of a schema they were written with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any

import polars as pl

from sync.schema.avro import split
from sync.schema.columns import Columns
from sync.schema.registry import RegistryClient

FRAME = 5
"""Bytes of the wire format before a datum."""


class Reader:
    """Decodes values in wire format of any schema version into one frame. Schemas are cached."""

    def __init__(self, registry: RegistryClient, only: Collection[str] | None = None) -> None:
        """``only``: the fields that are read; the others are passed over."""
        self._registry = registry
        self._only = only
        self._columns: dict[int, Columns] = {}

    def read(self, values: Sequence[bytes]) -> pl.DataFrame:
        """One row a value, in order; columns that a version lacks are null."""
        numbers: dict[bytes, list[int]] = {}
        for number, value in enumerate(values):
            numbers.setdefault(value[:FRAME], []).append(number)
        if len(numbers) == 1:
            return self._of(values[0]).decode([value[FRAME:] for value in values])
        frames = [
            self._of(values[held[0]]).decode([values[number][FRAME:] for number in held]) for held in numbers.values()
        ]
        whole = pl.concat(frames, how="diagonal_relaxed")
        order = pl.Series(list(chain.from_iterable(numbers.values())))
        return whole[order.arg_sort()]

    def schema(self, schema_id: int) -> dict[str, Any]:
        """A schema by its id."""
        return self._registry.schema(schema_id)

    def _of(self, value: bytes) -> Columns:
        schema_id, _ = split(value)
        if schema_id not in self._columns:
            self._columns[schema_id] = Columns(self._registry.schema(schema_id), self._only)
        return self._columns[schema_id]
