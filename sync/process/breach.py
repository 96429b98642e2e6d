"""Contributions that break a rule of the reconcile step, counted for ``dongbo.findings`` by source and unit."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sync.process.quality import Tally, unit
from sync.process.reason import BROKEN
from sync.schema.dataset import Dataset


class Breaches:
    """Counts those of one dataset in a batch's tally."""

    def __init__(self, dataset: Dataset, tally: Tally) -> None:
        self._dataset = dataset
        self._tally = tally

    def count(self, frame: pl.DataFrame, codes: Iterable[tuple[int, str]], number: int) -> None:
        """Count ``number`` for each row whose code breaks a rule, with its source and unit."""
        found = {row: BROKEN[code] for row, code in codes if code in BROKEN}
        if found:
            told = frame[list(found)].select("_source", unit(self._dataset.policy, pl.col("_locality")).alias("unit"))
            for rule, (source, body) in zip(found.values(), told.iter_rows(), strict=True):
                self._tally.move(self._dataset.id, source, body or "", rule, number)
