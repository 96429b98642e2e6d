"""The reconcile step's pure part, in columns: contributions are matched with the register and merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from sync.process.entity import Entity
from sync.process.means import Means
from sync.process.outline import Contributions
from sync.process.reason import MATCHED
from sync.rule.matching import MATCH, match
from sync.rule.merge import REGISTER, choose, merge
from sync.schema.dataset import Dataset

_PADDED = '"rule":"VR06'
"""In a contribution's fixes: its ID got its zeros back. Quotes in a value are escaped, so no value has this in it."""

DOUBTED = '"rule":"DATE_PRECISION'
"""In a contribution's warnings: its birth date, the first of January, may stand for the year alone."""

_TOLD = {"_locality": pl.String, "_lineage": pl.String}


class Survival:
    """Matches and merges one dataset's contributions."""

    def __init__(self, dataset: Dataset, means: Means) -> None:
        self._dataset = dataset
        self._means = means

    def match(self, found: Contributions, entities: Sequence[Entity]) -> tuple[Contributions, pl.Series, pl.DataFrame]:
        """The match code of each contribution and what was compared; the register's rows are added at the end."""
        policy, frame = self._dataset.policy, found.frame
        if policy.register is None or policy.match is None:
            codes = pl.Series("code", [MATCH], dtype=pl.String).new_from_index(0, len(frame))
            return found, codes, pl.DataFrame()
        held = [(number, entity.register) for number, entity in enumerate(entities) if entity.register is not None]
        people = pl.DataFrame(schema={"_e": pl.UInt32})
        known: Contributions | None = None
        if held:
            known = self._means.outlines(self._dataset).read([value for _, value in held if value is not None])
            if found.cells is None or known.cells is None:
                found, known = found.whole(self._means.reader), known.whole(self._means.reader)
                frame = found.frame
            people = known.frame.with_columns(pl.Series("_e", [number for number, _ in held], dtype=pl.UInt32))
        compared = [policy.match.name, policy.match.birth_date, policy.match.sex]
        told = {
            "padded": pl.col("_fixes").str.contains(_PADDED, literal=True).fill_null(False),
            "doubted": pl.col("_warnings").str.contains(DOUBTED, literal=True).fill_null(False),
        }
        beside = frame.select("_e", *compared, **told).join(
            people.select("_e", *(pl.col(name).alias(f"r_{name}") for name in compared), found=pl.lit(True))
            if held
            else pl.DataFrame(
                schema={
                    "_e": pl.UInt32,
                    **{f"r_{name}": frame.schema[name] for name in compared},
                    "found": pl.Boolean,
                }
            ),
            on="_e",
            how="left",
            maintain_order="left",
        )
        register = beside.select(pl.col("found").fill_null(False), *(f"r_{name}" for name in compared))
        decided = match(beside.select(*compared, *told), register, policy.match)
        if known is not None:
            found = self._joined(found, replace(known, frame=people))
        return found, decided["code"], beside.select(*compared, *(f"r_{name}" for name in compared))

    def _joined(self, found: Contributions, register: Contributions) -> Contributions:
        """The contributions with those of the register below them."""
        rows = register.frame.with_columns(
            _source=pl.lit(self._dataset.policy.register),
            _row=pl.lit(""),
            _authority=pl.lit(REGISTER),
            _locality=pl.lit(None, dtype=pl.String),
            _changed_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
        )
        shared = [name for name in found.frame.columns if name in rows.columns]
        frame = pl.concat([found.frame, rows.select(shared)], how="diagonal_relaxed")
        cells = found.cells.followed(register.cells) if found.cells and register.cells else None
        return Contributions(frame, [*found.values, *register.values], cells)

    def merge(
        self, found: Contributions | None, codes: pl.Series, entities: int
    ) -> tuple[pl.DataFrame, list[bytes | None]]:
        """What is told of each golden record (locality, lineage), and its datum; None where there is none."""
        dataset = self._dataset
        datums: list[bytes | None] = [None] * entities
        if found is None:
            return pl.DataFrame({"_locality": [None], "_lineage": [None]}, schema=_TOLD)[[0] * entities], datums
        frame, cells = found.frame, found.cells
        keep = codes.is_in(MATCHED).append(pl.Series([True]).new_from_index(0, len(frame) - len(codes)))
        if not keep.all():
            frame = frame.filter(keep)
            cells = None if cells is None else cells.rows(keep.arg_true().to_list())
        by: Any = {
            "entities": entities,
            "fields": dataset.fields,
            "policy": dataset.policy,
            "provinces": self._means.provinces,
        }
        if cells is None:
            merged = merge(frame, **by)
            numbers = merged.exists.arg_true().to_list()
            told = merged.frame.select("_locality", "_lineage")
            made = self._means.subjects.golden(dataset).value.encode(merged.frame[numbers]) if numbers else []
        else:
            choice = choose(frame, cells.there, **by)
            numbers = np.flatnonzero(choice.exists).tolist()
            told = choice.told
            all_exist = len(numbers) == entities
            bodies = cells.gathered(choice.rows if all_exist else choice.rows[numbers])
            tails = self._means.outlines(dataset).told.encode(told if all_exist else told[numbers])
            made = [body + tail for body, tail in zip(bodies, tails, strict=True)]
        for number, datum in zip(numbers, made, strict=True):
            datums[number] = datum
        return told, datums
