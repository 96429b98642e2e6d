"""Transfers of merged units, applied to contributions: a code that a transfer names as old is read as its successor.

A pure function of the set of contributions and transfers (invariant 4): a source's stale code that arrives later is
read in the same way, and a newer code of the source's own is no old one and stays. Called by the reconcile step before
the merge, so that the province that owns a record follows its new unit; and by ``dongbo explain``, a record at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

MOVED = "_moved."
"""Prefix of the columns that tell which transfers gave a field's value: JSON objects with commas between, or null."""


class Passage(NamedTuple):
    """One step of an entity's ``field``: ``old`` is read as ``new``, by the plan with this id."""

    entity: int
    field: str
    old: str
    new: str
    plan: str

    @property
    def told(self) -> str:
        """What a golden record's lineage says of it: no value but a unit's code."""
        return json.dumps({"field": self.field, "old": self.old, "plan": self.plan}, ensure_ascii=False)


def carry(contributions: pl.DataFrame, passages: Sequence[Passage]) -> pl.DataFrame:
    """``contributions`` (with ``_e``) with their old codes replaced; those of an entity's field in their order.

    Adds a column ``MOVED`` + field for each field of ``passages``, which ``sync.rule.merge`` makes lineage of.
    """
    for field in dict.fromkeys(passage.field for passage in passages):
        if field not in contributions.columns:
            continue
        told = f"{MOVED}{field}"
        contributions = contributions.with_columns(pl.lit(None, dtype=pl.String).alias(told))
        for level in _levels([passage for passage in passages if passage.field == field]):
            steps = pl.DataFrame(
                [(step.entity, step.old, step.new, step.told) for step in level],
                schema={"_e": pl.UInt32, "_old": pl.String, "_new": pl.String, "_told": pl.String},
                orient="row",
            )
            hit = (pl.col(field) == pl.col("_old")).fill_null(False)
            both = pl.concat_str(pl.col(told), pl.col("_told"), separator=",", ignore_nulls=True)
            contributions = (
                contributions.join(steps, on="_e", how="left", maintain_order="left")
                .with_columns(
                    pl.when(hit).then("_new").otherwise(field).alias(field),
                    pl.when(hit).then(both).otherwise(told).alias(told),
                )
                .drop("_old", "_new", "_told")
            )
    return contributions


def _levels(passages: Sequence[Passage]) -> list[list[Passage]]:
    """Item k has the (k+1)-th passage of each entity."""
    levels: list[list[Passage]] = []
    seen: dict[int, int] = {}
    for passage in passages:
        place = seen[passage.entity] = seen.get(passage.entity, -1) + 1
        if place == len(levels):
            levels.append([])
        levels[place].append(passage)
    return levels


def carried(values: Mapping[str, Any], passages: Sequence[Passage]) -> dict[str, Any]:
    """As ``carry``, for the fields of one contribution of one entity."""
    read = dict(values)
    for passage in passages:
        if read.get(passage.field) == passage.old:
            read[passage.field] = passage.new
    return read


def winners(contributions: pl.DataFrame, marks: Mapping[str, pl.Series], entities: int) -> pl.Series | None:
    """For each entity what the transfers gave to its golden record: JSON objects with commas between, empty for none.

    ``contributions`` with the columns of ``carry`` and ``_mark``, ``marks``: by field which mark won. None where no
    contribution was touched by a transfer.
    """
    texts = []
    for column in contributions.columns:
        field = column.removeprefix(MOVED)
        if field == column or field not in marks or contributions[column].null_count() == len(contributions):
            continue
        moved = contributions.select("_e", "_mark", column).drop_nulls().unique(("_e", "_mark"), keep="first")
        numbers = pl.int_range(entities, dtype=pl.UInt32, eager=True).alias("_e")
        won = pl.DataFrame([numbers, marks[field].alias("_mark")])
        texts.append(won.join(moved, on=("_e", "_mark"), how="left", maintain_order="left")[column].alias(column))
    if not texts:
        return None
    return pl.DataFrame(texts).select(pl.concat_str(pl.all(), separator=",", ignore_nulls=True)).to_series()
