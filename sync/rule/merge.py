"""Survivorship: one golden record from the contributions of all sources, by the dataset's policy.

A pure function of the *set* of contributions (invariant 4): it gives the same golden record for every arrival
order, because each choice is settled by the contributions' own values and, last of all, by the names of source and
row. Called by the reconcile step on a batch of entities at once. ``choose`` says which contribution gives each field:
it looks at what decides, and else only at which values are there. ``merge`` takes the values from columns; the step
itself copies their bytes (``sync.schema.cells``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sync.rule.model import Field, Group, Policy
from sync.rule.standing import MANAGER, NOBODY, ORDINALS, REGISTER, Numbers, Standing, described, gathered, standing
from sync.rule.transfer import MOVED, winners

__all__ = ["NO_LINEAGE", "ORDINALS", "REGISTER", "Choice", "Merged", "choose", "deciding", "merge"]

NO_LINEAGE = "."
CONTRIBUTOR = "_locality"
"""The field of ``Policy.locality`` that stands for the province of a contribution's source, not for one of its own."""

_UPDATED = "source_updated_at"
_CONTRIBUTORS = Group("contributors", (), order=("locality",))

There = NDArray[np.bool_]
"""Fields × contributions: which values are there."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which contributions the golden records of a batch are made of.

    ``rows``: entities × fields, the row of the contribution that gives the field, ``NOBODY`` where it is null.
    ``told``: ``_locality`` and ``_lineage`` of each entity. ``exists``: False where no contribution of a ministry or
    locality is alive (all is null).
    """

    rows: Numbers
    told: pl.DataFrame
    exists: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Merged:
    """Golden records of a batch.

    ``frame``: one row per entity in the order of the entity numbers, all canonical fields, then ``_locality`` and
    ``_lineage``. ``exists``: Boolean, as in ``Choice``.
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

    ``contributions`` holds what ``choose`` asks for and all canonical fields.
    """
    columns = [contributions[field.name] for field in fields]
    there = np.array([column.is_not_null().to_numpy() for column in columns])
    choice = choose(contributions, there, entities=entities, fields=fields, policy=policy, provinces=provinces)
    values = [gathered(column, choice.rows[:, number]) for number, column in enumerate(columns)]
    frame = pl.DataFrame([*values, *choice.told])
    return Merged(frame, pl.Series("exists", choice.exists))


def deciding(policy: Policy, fields: Sequence[Field]) -> set[str]:
    """The fields whose values ``choose`` looks at."""
    found = {_UPDATED} & {field.name for field in fields}
    found |= {group.latest for group in policy.groups if group.latest}
    found |= {name for group in policy.groups if group.max for name in group.fields}
    return found | ({policy.locality.field} if policy.locality else set())


def choose(
    contributions: pl.DataFrame,
    there: There,
    *,
    entities: int,
    fields: Sequence[Field],
    policy: Policy,
    provinces: Mapping[str, str],
) -> Choice:
    """Choose the contribution that gives each field of each entity.

    ``contributions`` holds the live, matched contributions in any order, at most one per (entity, source, row):
    ``_e`` (UInt32, entity number < ``entities``), ``_source``, ``_row``, ``_authority``, ``_locality`` (String),
    ``_changed_at`` (Datetime us UTC) and the ``deciding`` fields. ``provinces`` maps a level-1 agency code (``H26``),
    and the code of a province, to the province that owns its records. Recency is ``source_updated_at`` where the
    dataset has it, else the commit time. Columns of ``sync.rule.transfer.carry`` are told in the lineage.
    """
    recency = _recency(contributions, fields)
    order = standing(contributions, recency, entities, alone=policy.register is None)
    taken = _Taken([field.name for field in fields], there, entities)
    owners = pl.Series([None], dtype=pl.String).new_from_index(0, entities)
    located = False
    slots: dict[tuple[tuple[str, ...], str | None, str], list[Numbers]] = {}
    taken.take(policy.entity, [order.first()])
    for group in _alike(policy):
        if not located and MANAGER in group.order:
            owners, located = _owners(policy, taken, order, provinces), True
        if group.max:
            for name in group.fields:
                taken.take((name,), [order.greatest(contributions[name])])
            continue
        key = (group.order, group.latest, group.name)
        if key not in slots:
            latest = contributions[group.latest] if group.latest else None
            slots[key] = order.slots(group, owners, latest, taken.filled(group.fields) if group.atomic else None)
        taken.take(group.fields, slots[key][:1] if group.atomic else slots[key])
    if not located:
        owners = _owners(policy, taken, order, provinces)
    lineage = _lineage(taken, order, described(order, recency))
    return Choice(taken.rows.T, pl.DataFrame([owners.alias("_locality"), lineage]), order.exists)


def _recency(contributions: pl.DataFrame, fields: Sequence[Field]) -> pl.Series:
    if any(field.name == _UPDATED for field in fields):
        return contributions.select(pl.coalesce(_UPDATED, "_changed_at")).to_series()
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


class _Taken:
    """The choice as it comes about. ``rows``: fields × entities."""

    def __init__(self, names: Sequence[str], there: There, entities: int) -> None:
        self.names = names
        self.rows = np.full((len(names), entities), NOBODY, dtype=np.int64)
        self._there = there
        self._numbers = {name: number for number, name in enumerate(names)}
        # Most sources fill a third of the fields: what nobody fills costs nothing.
        self._known = np.asarray(there.any(axis=1))

    def take(self, names: Sequence[str], slots: Sequence[Numbers]) -> None:
        """Choose each entity's first slot for the fields ``names``, and where that has no value the next."""
        open_ = self._filled(names)
        for slot in slots:
            if not len(open_):
                break
            # A slot of nobody reads the last contribution, which does not count.
            offered = self._there[open_[:, None], slot] & (slot != NOBODY)
            rows = self.rows[open_]
            rows = np.where((rows == NOBODY) & offered, slot, rows)
            self.rows[open_] = rows
            open_ = open_[(rows == NOBODY).any(axis=1)]

    def filled(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Which contributions say anything of the fields ``names``."""
        return np.asarray(self._there[self._filled(names)].any(axis=0))

    def of(self, name: str) -> Numbers:
        """The rows chosen for a field."""
        rows: Numbers = self.rows[self._numbers[name]]
        return rows

    def _filled(self, names: Sequence[str]) -> Numbers:
        return np.array([number for name in names if self._known[number := self._numbers[name]]], dtype=np.int64)


def _owners(policy: Policy, taken: _Taken, order: Standing, provinces: Mapping[str, str]) -> pl.Series:
    """The province that owns each golden record: the policy's field, by its level-1 code; null = the centre."""
    nobody = pl.Series([None], dtype=pl.String).new_from_index(0, order.entities)
    if policy.locality is None:
        return nobody
    column = order.contributions[policy.locality.field]
    if policy.locality.field == CONTRIBUTOR:
        contributors = _Taken((CONTRIBUTOR,), column.is_not_null().to_numpy()[None], order.entities)
        contributors.take((CONTRIBUTOR,), order.slots(_CONTRIBUTORS, nobody, None))
        rows = contributors.of(CONTRIBUTOR)
    else:
        rows = taken.of(policy.locality.field)
    agency = gathered(column, rows).str.split_exact(".", 1).struct.field("field_0")
    province = agency.replace_strict(provinces, default=None, return_dtype=pl.String)
    return pl.select(pl.when(pl.Series(order.exists)).then(province)).to_series()


def _lineage(taken: _Taken, order: Standing, sources: pl.Series) -> pl.Series:
    """JSON per entity: ``{"fields": "0012.…", "sources": [{"source", "row", "changed_at"}, …]}``; null without sources.

    ``fields`` has one character per canonical field in schema order: the number (``ORDINALS``) of the contribution
    that gave it, ``.`` where none did. ``transfers`` (``[{"field", "old", "plan"}, …]``) is there where a transfer gave
    a field's value.
    """
    # The last character is that of NOBODY, the row -1.
    characters = np.append(order.marks, np.uint8(ord(NO_LINEAGE)))
    width, letters = len(taken.names), characters[taken.rows.T].tobytes().decode()
    marks = pl.Series([letters[start : start + width] for start in range(0, len(letters), width)], dtype=pl.String)
    # A null among the sources makes the whole text null.
    text = pl.concat_str(pl.lit('{"fields":"'), marks, pl.lit('","sources":['), sources, pl.lit("]"))
    transfers = _transfers(taken, order)
    if transfers is not None:
        moved = pl.when(transfers != "").then(pl.concat_str(pl.lit(',"transfers":['), transfers, pl.lit("]")))
        text = pl.concat_str(text, moved.otherwise(pl.lit("")))
    return pl.select(pl.concat_str(text, pl.lit("}")).alias("_lineage")).to_series()


def _transfers(taken: _Taken, order: Standing) -> pl.Series | None:
    """For each entity what the transfers gave to its golden record (``winners``)."""
    moved = [name.removeprefix(MOVED) for name in order.contributions.columns if name.startswith(MOVED)]
    if not moved:
        return None
    own = pl.Series("_mark", order.marks)
    marks = {name: gathered(own, taken.of(name)) for name in moved}
    return winners(order.contributions.with_columns(own), marks, order.entities)
