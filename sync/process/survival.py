"""The reconcile step's pure part, in columns: contributions are matched with the register and merged."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from sync.process.entity import Entity
from sync.process.means import Means
from sync.process.reason import MATCHED
from sync.rule.matching import MATCH, match
from sync.rule.merge import REGISTER, merge
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

    def match(self, frame: pl.DataFrame, entities: Sequence[Entity]) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
        """The match code of each contribution and what was compared; the register's rows are added to the frame."""
        policy = self._dataset.policy
        if policy.register is None or policy.match is None:
            codes = pl.Series("code", [MATCH], dtype=pl.String).new_from_index(0, len(frame))
            return frame, codes, pl.DataFrame()
        held = [(number, entity.register) for number, entity in enumerate(entities) if entity.register is not None]
        people = pl.DataFrame(schema={"_e": pl.UInt32})
        if held:
            people = self._means.reader.read([value for _, value in held if value is not None])
            people = people.with_columns(pl.Series("_e", [number for number, _ in held], dtype=pl.UInt32))
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
        if held:
            rows = people.with_columns(
                _source=pl.lit(policy.register),
                _row=pl.lit(""),
                _authority=pl.lit(REGISTER),
                _locality=pl.lit(None, dtype=pl.String),
                _changed_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
            )
            known = [name for name in frame.columns if name in rows.columns]
            frame = pl.concat([frame, rows.select(known)], how="diagonal_relaxed")
        return frame, decided["code"], beside.select(*compared, *(f"r_{name}" for name in compared))

    def merge(
        self, frame: pl.DataFrame | None, codes: pl.Series, entities: int
    ) -> tuple[pl.DataFrame, list[bytes | None]]:
        """Golden frame and its datums; None where an entity has no golden record."""
        dataset, datums = self._dataset, [None] * entities
        if frame is None:
            return pl.DataFrame({"_locality": [None], "_lineage": [None]}, schema=_TOLD)[[0] * entities], [*datums]
        keep = codes.is_in(MATCHED).append(pl.Series([True]).new_from_index(0, len(frame) - len(codes)))
        merged = merge(
            frame if keep.all() else frame.filter(keep),
            entities=entities,
            fields=dataset.fields,
            policy=dataset.policy,
            provinces=self._means.provinces,
        )
        encode = self._means.subjects.golden(dataset).value.encode
        if merged.exists.all():
            return merged.frame, [*encode(merged.frame)]
        whole: list[bytes | None] = [*datums]
        numbers = merged.exists.arg_true()
        for number, datum in zip(numbers, encode(merged.frame[numbers]) if len(numbers) else (), strict=True):
            whole[number] = datum
        return merged.frame, whole
