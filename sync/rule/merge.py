"""Survivorship: one golden record from the contributions of all sources, by the dataset's policy.

A pure function of the *set* of contributions (invariant 4): it gives the same golden record for every arrival
order, because each choice is settled by the contributions' own values and, last of all, by the names of source and
row. Called by ``sync.process.reconcile`` on a batch of entities at once; columns, not records: each policy group
orders its contributions once, and a field is then a few gathers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from sync.rule.model import Field, Group, Policy

REGISTER, MINISTRY, LOCALITY = "register", "ministry", "locality"
ORDINALS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Lineage characters: the n-th contribution of an entity, ordered by source and row."""

NO_LINEAGE = "."


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
    ``_changed_at`` (Datetime us UTC) and the canonical fields. ``provinces`` maps a level-1 agency code (``H26``) to
    the province that owns its records. Recency is ``source_updated_at`` where the dataset has it, else the commit time.
    """
    work = _order(contributions, fields)
    # The register alone makes no record, except in the register's own dataset.
    held = work if policy.register is None else work.filter(pl.col("_authority") != REGISTER)
    exists = _exists(held, entities)
    columns: dict[str, pl.Series] = {}
    marks: dict[str, pl.Series] = {}
    nulls = _nulls(work.schema, entities)
    locality = pl.Series("_locality", [None] * entities, dtype=pl.String)
    groups = _alike(policy)
    located = False
    orders: dict[tuple[tuple[str, ...], str | None], list[pl.Series]] = {}
    for group in groups:
        if not located and "manager" in group.order:
            locality, located = _locality(policy, columns, work, entities, provinces), True
        if group.max:
            _take_max(group, work, held, entities, columns, marks)
            continue
        key = (group.order, group.latest)
        if key not in orders:
            orders[key] = _slots(group, work, locality, entities)
        _take(group, work, orders[key], columns, marks, nulls)
    for name in policy.entity:
        _take_key(name, work, entities, columns, marks)
    if not located:
        locality = _locality(policy, columns, work, entities, provinces)
    frame = pl.DataFrame([columns[field.name].alias(field.name) for field in fields])
    lineage = _lineage(work, [marks.get(field.name) for field in fields], entities)
    frame = frame.with_columns(locality.alias("_locality"), lineage.alias("_lineage"))
    absent = ~exists
    if absent.any():
        frame = frame.select(pl.when(exists).then(pl.col(name)).alias(name) for name in frame.columns)
    return Merged(frame, exists)


def _alike(policy: Policy) -> list[Group]:
    """The policy's groups, those with the same order as one: a small batch costs by the group, not by the field.

    Who manages the person decides other groups, so groups without a manager come first.
    """
    fields: dict[Group, tuple[str, ...]] = {}
    for group in policy.groups:
        key = replace(group, name="", fields=())
        fields[key] = fields.get(key, ()) + group.fields
    groups = [replace(key, fields=names) for key, names in fields.items()]
    return sorted(groups, key=lambda group: "manager" in group.order)


def _order(contributions: pl.DataFrame, fields: Sequence[Field]) -> pl.DataFrame:
    """Sort by recency, source and row, and number each entity's contributions by source and row (lineage)."""
    dated = any(field.name == "source_updated_at" for field in fields)
    recency = pl.coalesce("source_updated_at", "_changed_at") if dated else pl.col("_changed_at")
    ordinal = pl.struct("_source", "_row").rank("ordinal").over("_e").cast(pl.UInt32) - 1
    marks = dict(enumerate(ORDINALS))
    return (
        contributions.with_columns(
            recency.alias("_recency"),
            ordinal.replace_strict(marks, default=ORDINALS[-1], return_dtype=pl.String).alias("_mark"),
        )
        .sort("_recency", "_source", "_row", descending=[True, False, False], nulls_last=True)
        .with_row_index("_i")
    )


def _exists(held: pl.DataFrame, entities: int) -> pl.Series:
    flags = pl.repeat(False, entities, dtype=pl.Boolean, eager=True)
    return flags.scatter(held["_e"].unique(), True) if len(held) else flags


def _nulls(schema: pl.Schema, entities: int) -> dict[str, pl.Series]:
    """A column of nulls for each field, one a type."""
    types = {str(dtype): dtype for dtype in schema.values()}
    made = {name: pl.Series([None], dtype=dtype).new_from_index(0, entities) for name, dtype in types.items()}
    return {name: made[str(dtype)] for name, dtype in schema.items()}


def _slots(group: Group, work: pl.DataFrame, locality: pl.Series, entities: int) -> list[pl.Series]:
    """Row numbers of each entity's contributions, best first: slot k holds the (k+1)-th best row or null."""
    rank = _rank(group, work, locality)
    keyed = work.select("_e", "_i", rank=rank, **({"latest": pl.col(group.latest)} if group.latest else {}))
    keyed = keyed.filter(pl.col("rank").is_not_null())
    if group.latest:
        keyed = keyed.sort(
            "_e", "latest", "rank", "_i", descending=[False, True, False, False], nulls_last=[False, True, False, False]
        )
    else:
        keyed = keyed.sort("_e", "rank", "_i")
    keyed = keyed.with_columns(slot=pl.int_range(pl.len(), dtype=pl.UInt32).over("_e"))
    empty = pl.Series("_i", [None], dtype=pl.UInt32).new_from_index(0, entities)
    slots = []
    for number in range(int(str(keyed["slot"].max())) + 1 if len(keyed) else 0):
        level = keyed.filter(pl.col("slot") == number)
        slots.append(empty.clone().scatter(level["_e"], level["_i"]))
    return slots


def _rank(group: Group, work: pl.DataFrame, locality: pl.Series) -> pl.Series:
    """Position in the group's order of authorities; null for an authority that takes no part."""
    order = {name: number for number, name in enumerate(group.order)}
    authority = pl.col("_authority")
    rank = authority.replace_strict(
        {name: order[name] for name in (REGISTER, MINISTRY, LOCALITY) if name in order} or {"": 0},
        default=None,
        return_dtype=pl.UInt32,
    )
    if "manager" in order:
        manager = (authority == LOCALITY) & (pl.col("_locality") == pl.col("_owner"))
        rank = pl.when(manager).then(pl.lit(order["manager"], dtype=pl.UInt32)).otherwise(rank)
    owned = work.select("_authority", "_locality", _owner=locality.gather(work["_e"]))
    return owned.select(rank.alias("rank"))["rank"]


def _take(
    group: Group,
    work: pl.DataFrame,
    slots: list[pl.Series],
    columns: dict[str, pl.Series],
    marks: dict[str, pl.Series],
    nulls: Mapping[str, pl.Series],
) -> None:
    """Fill the group's columns: from the best contribution, then (unless atomic) from the next where it is null."""
    used = slots[:1] if group.atomic else slots
    # Most sources fill a third of the fields: what nobody fills costs nothing.
    empty = {
        name
        for name, count in work.select(group.fields).null_count().row(0, named=True).items()
        if count == work.height
    }
    filled = [name for name in group.fields if used and name not in empty]
    for name in group.fields:
        if name not in filled:
            columns[name] = nulls[name]
    if not filled:
        return
    levels = [work.select(pl.col(*filled, "_mark").gather(slot)) for slot in used]
    best = levels[0]
    chosen = best.select(pl.when(pl.col(name).is_not_null()).then(pl.col("_mark")).alias(name) for name in filled)
    taken = best.select(filled)
    for level in levels[1:]:
        missing = [name for name in filled if taken[name].null_count()]
        if not missing:
            break
        other = level.select(pl.col(missing).name.prefix("o."), "_mark")
        taken = taken.hstack(other).with_columns(pl.coalesce(name, f"o.{name}").alias(name) for name in missing)
        chosen = chosen.hstack(other).with_columns(
            pl.coalesce(name, pl.when(pl.col(f"o.{name}").is_not_null()).then(pl.col("_mark"))).alias(name)
            for name in missing
        )
        taken, chosen = taken.select(filled), chosen.select(filled)
    for name in filled:
        columns[name], marks[name] = taken[name], chosen[name]


def _take_max(
    group: Group,
    work: pl.DataFrame,
    held: pl.DataFrame,
    entities: int,
    columns: dict[str, pl.Series],
    marks: dict[str, pl.Series],
) -> None:
    """The greatest value of all contributions but the register's; of equal ones the most recent is named."""
    for name in group.fields:
        rows = held.filter(pl.col(name).is_not_null()).sort("_e", name, "_i", descending=[False, True, False])
        rows = rows.unique("_e", keep="first", maintain_order=True)
        index = pl.Series("_i", [None], dtype=pl.UInt32).new_from_index(0, entities).scatter(rows["_e"], rows["_i"])
        picked = work.select(pl.col(name, "_mark").gather(index))
        columns[name] = picked[name]
        marks[name] = picked["_mark"]


def _take_key(
    name: str, work: pl.DataFrame, entities: int, columns: dict[str, pl.Series], marks: dict[str, pl.Series]
) -> None:
    rows = work.unique("_e", keep="first", maintain_order=True)
    index = pl.Series("_i", [None], dtype=pl.UInt32).new_from_index(0, entities).scatter(rows["_e"], rows["_i"])
    columns[name] = work[name].gather(index)
    marks[name] = work["_mark"].gather(index)


def _locality(
    policy: Policy, columns: Mapping[str, pl.Series], work: pl.DataFrame, entities: int, provinces: Mapping[str, str]
) -> pl.Series:
    """The province that owns each golden record: the policy's field, by its level-1 agency code; null = the centre."""
    if policy.locality is None:
        return pl.Series("_locality", [None] * entities, dtype=pl.String)
    name = policy.locality.field
    if name in columns:
        value = columns[name]
    else:
        scratch: dict[str, pl.Series] = {}
        _take_key(name, work, entities, scratch, {})
        value = scratch[name]
    code = value.str.split(".").list.first() if len(value) else value
    return code.replace_strict(dict(provinces), default=None, return_dtype=pl.String).alias("_locality")


def _lineage(work: pl.DataFrame, marks: list[pl.Series | None], entities: int) -> pl.Series:
    """JSON per entity: ``{"fields": "0012.…", "sources": [{"source", "row", "changed_at"}, …]}``.

    ``fields`` has one character per canonical field in schema order: the number (``ORDINALS``) of the contribution
    that gave it, ``.`` where none did.
    """
    letters = [pl.lit(NO_LINEAGE) if mark is None else pl.lit(mark).fill_null(NO_LINEAGE) for mark in marks]
    fields = pl.select(pl.concat_str(pl.repeat("", entities), *letters)).to_series()
    described = (
        work.sort("_e", "_source", "_row")
        .select(
            "_e",
            text=pl.struct(
                pl.col("_source").alias("source"),
                pl.col("_row").alias("row"),
                pl.col("_recency").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").alias("changed_at"),
            ).struct.json_encode(),
        )
        .group_by("_e", maintain_order=True)
        .agg(pl.col("text").str.join(","))
    )
    sources = pl.Series("s", [""], dtype=pl.String).new_from_index(0, entities)
    sources = sources.scatter(described["_e"], described["text"]) if len(described) else sources
    parts = [pl.lit('{"fields":"'), pl.lit(fields), pl.lit('","sources":['), pl.lit(sources), pl.lit("]}")]
    return pl.select(pl.concat_str(parts).alias("_lineage")).to_series()
