"""The golden records as they are now, a batch at a time: what plans are made from and statuses are counted on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import polars as pl

from sync.kafka.client import partitions
from sync.kafka.replay import replay
from sync.process.reader import FRAME, Reader
from sync.process.transfer import Move
from sync.rule.succession import Succession
from sync.schema.dataset import Dataset
from sync.schema.derived import topic
from sync.schema.registry import RegistryClient
from sync.steward.transfer.plan import Plan, moves_of

Items = list[tuple[bytes, bytes | None]]


class Golden:
    """The golden topic of one dataset, read from its beginning to its end at each call."""

    def __init__(self, bootstrap: str, registry: RegistryClient, dataset: Dataset) -> None:
        self.topic = topic(dataset.id, "golden")
        self.numbers = partitions(bootstrap, self.topic)
        self._bootstrap = bootstrap
        self._reader = Reader(registry)
        self._dataset = dataset

    def held(self, succession: Succession) -> tuple[dict[bytes, list[Move]], dict[str, int]]:
        """The records that hold ended units, by key datum, with what is to be done; and the offsets read up to."""
        linked = self._dataset.policy.transfer
        names = [name for fields in linked for name in fields]
        found: dict[bytes, list[Move]] = {}
        as_of: dict[str, int] = {}
        for number, items, position in self._batches():
            as_of[str(number)] = position
            for key, _ in items:
                found.pop(key[FRAME:], None)
            there = [(key[FRAME:], value) for key, value in dict(items).items() if value is not None]
            if not there:
                continue
            frame = self._reader.read([value for _, value in there]).select(names)
            for row, values in _ended(frame, succession):
                found[there[row][0]] = moves_of(values, linked, succession)
        return found, as_of

    def frame(self, names: Sequence[str]) -> pl.DataFrame:
        """These fields of all records there are."""
        there: dict[bytes, bytes | None] = {}
        for _, items, _ in self._batches():
            there.update((key[FRAME:], value) for key, value in items)
        values = [value for value in there.values() if value is not None]
        if values:
            return self._reader.read(values).select(names)
        return pl.DataFrame(schema={name: self._dataset.field(name).dtype for name in names})

    def entities(self) -> Iterator[list[bytes]]:
        """The key datums of the records there are, by partition."""
        for number in self.numbers:
            there: dict[bytes, None] = {}
            for items, _ in replay(self._bootstrap, self.topic, number, 0):
                for key, value in items:
                    if value is None:
                        there.pop(key[FRAME:], None)
                    else:
                        there[key[FRAME:]] = None
            yield list(there)

    def values(self, plan: Plan, fields: Sequence[str]) -> dict[str, dict[str, str | None]]:
        """By digest, for the plan's records that are there: these fields and ``_lineage``."""
        found: dict[str, dict[str, str | None]] = {}
        wanted: Collection[str] = plan.moves
        for _, items, _ in self._batches():
            named = [
                (record, value) for key, value in dict(items).items() if (record := plan.digest(key[FRAME:])) in wanted
            ]
            there = [(record, value) for record, value in named if value is not None]
            for record, value in named:
                if value is None:
                    found.pop(record, None)
            if there:
                frame = self._reader.read([value for _, value in there]).select(*fields, "_lineage")
                found.update(zip((record for record, _ in there), frame.iter_rows(named=True), strict=True))
        return found

    def _batches(self) -> Iterator[tuple[int, Items, int]]:
        for number in self.numbers:
            for items, position in replay(self._bootstrap, self.topic, number, 0):
                yield number, items, position


def _ended(frame: pl.DataFrame, succession: Succession) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """The rows that hold an ended unit, with their values."""
    hits = []
    for name in frame.columns:
        ended = [code for code in frame[name].drop_nulls().unique().to_list() if succession.of(code) is not None]
        hits.append(frame[name].is_in(ended).fill_null(False).alias(name))
    rows = pl.DataFrame(hits).select(pl.any_horizontal(pl.all())).to_series().arg_true()
    yield from zip(rows.to_list(), frame[rows].iter_rows(named=True), strict=True)
