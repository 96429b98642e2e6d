"""Survivorship: one golden record from the contributions of all sources, by the dataset's policy.

A pure function of the *set* of contributions (invariant 4): it gives the same golden record for every arrival
order, because each choice is settled by the contributions' own values and, last of all, by the names of source and
row. Called by ``sync.process.reconcile`` on a batch of entities at once: ``sync.rule.standing`` orders row numbers, and
a field is then a few gathers of its column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sync.rule.model import Field, Group, Policy
from sync.rule.standing import MANAGER, ORDINALS, REGISTER, Standing, described, standing
from sync.rule.transfer import winners

__all__ = ["NO_LINEAGE", "ORDINALS", "REGISTER", "Merged", "merge"]

NO_LINEAGE = "."
CONTRIBUTOR = "_locality"
"""The field of ``Policy.locality`` that stands for the province of a contribution's source, not for one of its own."""

_CONTRIBUTORS = Group("contributors", (), order=("locality",))


@dataclass(frozen=True, slots=True)
class Merged:
    """Golden records of a batch.

    ``frame``: one row per entity in the order of the entity numbers, all canonical fields, then ``_locality`` and
    ``_lineage``. ``exists``: Boolean, False where no contribution of a ministry or locality is alive (all fields null).
    """

    frame: pl.DataFrame
    exists: pl.Series


def merge(
    contributions: pl.DataFrame,
    *,
    entities: int,
    fields: Sequence[Field],
    policy: Policy,
    provinces: Mapping[str, str],
) -> Merged:
    """Merge contributions into golden records.

    ``contributions`` holds the live, matched contributions in any order, at most one per (entity, source, row):
    ``_e`` (UInt32, entity number < ``entities``), ``_source``, ``_row``, ``_authority``, ``_locality`` (String),
    ``_changed_at`` (Datetime us UTC) and the canonical fields. ``provinces`` maps a level-1 agency code (``H26``), and
    the code of a province, to the province that owns its records. Recency is ``source_updated_at`` where the dataset
    has it, else the commit time. Columns of ``sync.rule.transfer.carry`` are told in the lineage.
    """
    recency = _recency(contributions, fields)
    order = standing(contributions, recency, entities, alone=policy.register is None)
    work = contributions.with_columns(order.marks.alias("_mark"))
    columns = _Columns(work, entities)
    owners = pl.Series([None], dtype=pl.String).new_from_index(0, entities)
    located = False
    slots: dict[tuple[tuple[str, ...], str | None, str], list[pl.Series]] = {}
    columns.take(policy.entity, [order.first()])
    for group in _alike(policy):
        if not located and MANAGER in group.order:
            owners, located = _owners(policy, columns, order, provinces), True
        if group.max:
            for name in group.fields:
                columns.take((name,), [order.greatest(work[name])])
            continue
        key = (group.order, group.latest, group.name)
        if key not in slots:
            latest = work[group.latest] if group.latest else None
            slots[key] = order.slots(group, owners, latest, columns.filled(group.fields) if group.atomic else None)
        columns.take(group.fields, slots[key][:1] if group.atomic else slots[key])
    if not located:
        owners = _owners(policy, columns, order, provinces)
    frame = pl.DataFrame([columns.values[field.name].alias(field.name) for field in fields])
    lineage = _lineage(columns, fields, described(order, recency), winners(work, columns.marks, entities))
    frame = frame.with_columns(owners.alias("_locality"), lineage)
    return Merged(frame, pl.Series("exists", order.exists))


def _recency(contributions: pl.DataFrame, fields: Sequence[Field]) -> pl.Series:
    if any(field.name == "source_updated_at" for field in fields):
        return contributions.select(pl.coalesce("source_updated_at", "_changed_at")).to_series()
    return contributions["_changed_at"]


def _alike(policy: Policy) -> list[Group]:
    """The policy's groups, those with the same order as one: a small batch costs by the group, not by the field.

    A group that comes whole from one contribution stays by itself, under its name. Who manages the person decides other
    groups, so groups without a manager come first.
    """
    fields: dict[Group, tuple[str, ...]] = {}
    for group in policy.groups:
        key = replace(group, name=group.name if group.atomic else "", fields=())
        fields[key] = fields.get(key, ()) + group.fields
    groups = [replace(key, fields=names) for key, names in fields.items()]
    return sorted(groups, key=lambda group: MANAGER in group.order)


class _Columns:
    """The golden columns as they come about: values, and for each the mark of the contribution that gave it."""

    def __init__(self, work: pl.DataFrame, entities: int) -> None:
        self._work = work
        self.entities = entities
        self.values: dict[str, pl.Series] = {}
        self.marks: dict[str, pl.Series] = {}
        self._nulls: dict[pl.DataType, pl.Series] = {}
        counts = work.null_count().row(0, named=True)
        # Most sources fill a third of the fields: what nobody fills costs nothing.
        self._empty = {name for name, count in counts.items() if count == work.height}
        self._schema = work.schema

    def take(self, names: Sequence[str], slots: Sequence[pl.Series]) -> None:
        """Fill the columns ``names`` from each entity's first slot, and where that is null from the next."""
        filled = [name for name in names if slots and name not in self._empty]
        for name in names:
            if name not in filled:
                self.values[name] = self._null(self._schema[name])
        if not filled:
            return
        best = self._level(filled, slots[0])
        taken = best.select(filled)
        marks = best.select(pl.when(pl.col(name).is_not_null()).then(pl.col("_mark")).alias(name) for name in filled)
        for slot in slots[1:]:
            counts = taken.null_count().row(0, named=True)
            missing = [name for name in filled if counts[name]]
            if not missing:
                break
            other = self._level(missing, slot).select(pl.col(missing).name.prefix("o."), "_mark")
            taken = taken.hstack(other).select(
                pl.coalesce(name, f"o.{name}").alias(name) if name in missing else name for name in filled
            )
            marks = marks.hstack(other).select(
                pl.coalesce(name, pl.when(pl.col(f"o.{name}").is_not_null()).then(pl.col("_mark"))).alias(name)
                if name in missing
                else name
                for name in filled
            )
        for name in filled:
            self.values[name], self.marks[name] = taken[name], marks[name]

    def filled(self, names: Sequence[str]) -> pl.Series:
        """Which contributions say anything of the fields ``names``."""
        told = [name for name in names if name not in self._empty]
        nobody = pl.Series([False]).new_from_index(0, self._work.height)
        return self._work.select(pl.any_horizontal(pl.col(told).is_not_null())).to_series() if told else nobody

    def _level(self, names: Sequence[str], index: pl.Series) -> pl.DataFrame:
        return self._work.select(pl.col(*names, "_mark").gather(index))

    def _null(self, dtype: pl.DataType) -> pl.Series:
        if dtype not in self._nulls:
            self._nulls[dtype] = pl.Series([None], dtype=dtype).new_from_index(0, self.entities)
        return self._nulls[dtype]


def _owners(policy: Policy, columns: _Columns, order: Standing, provinces: Mapping[str, str]) -> pl.Series:
    """The province that owns each golden record: the policy's field, by its level-1 code; null = the centre."""
    nobody = pl.Series([None], dtype=pl.String).new_from_index(0, columns.entities)
    if policy.locality is None:
        return nobody
    if policy.locality.field == CONTRIBUTOR:
        columns.take((CONTRIBUTOR,), order.slots(_CONTRIBUTORS, nobody, None))
    agency = columns.values[policy.locality.field].str.split_exact(".", 1).struct.field("field_0")
    province = agency.replace_strict(provinces, default=None, return_dtype=pl.String)
    return pl.select(pl.when(pl.Series(order.exists)).then(province)).to_series()


def _lineage(columns: _Columns, fields: Sequence[Field], sources: pl.Series, transfers: pl.Series | None) -> pl.Series:
    """JSON per entity: ``{"fields": "0012.…", "sources": [{"source", "row", "changed_at"}, …]}``; null without sources.

    ``fields`` has one character per canonical field in schema order: the number (``ORDINALS``) of the contribution
    that gave it, ``.`` where none did. ``transfers`` (``[{"field", "old", "plan"}, …]``) is there where a transfer gave
    a field's value.
    """
    nothing = np.full(columns.entities, ord(NO_LINEAGE), dtype=np.uint8)
    given = [
        columns.marks[field.name].fill_null(ord(NO_LINEAGE)).to_numpy() if field.name in columns.marks else nothing
        for field in fields
    ]
    width, letters = len(fields), np.column_stack(given).tobytes().decode()
    marks = pl.Series([letters[start : start + width] for start in range(0, len(letters), width)], dtype=pl.String)
    # A null among the sources makes the whole text null.
    text = pl.concat_str(pl.lit('{"fields":"'), marks, pl.lit('","sources":['), sources, pl.lit("]"))
    moved = pl.lit("")
    if transfers is not None:
        moved = pl.when(transfers != "").then(pl.concat_str(pl.lit(',"transfers":['), transfers, pl.lit("]")))
        moved = moved.otherwise(pl.lit(""))
    text = pl.concat_str(text, moved, pl.lit("}"))
    return pl.select(text.alias("_lineage")).to_series()
