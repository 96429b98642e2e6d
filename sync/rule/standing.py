"""Who comes first: the order of an entity's contributions for each group of a policy.

Used by ``sync.rule.merge``. Orders are made of row numbers, not of records, in plain Python: an entity has two or three
contributions, and a handful of comparisons costs less than any column operation on a small batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from sync.rule.model import Group

REGISTER, MINISTRY, LOCALITY, MANAGER = "register", "ministry", "locality", "manager"

ORDINALS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Lineage characters: the n-th contribution of an entity, ordered by source and row; the last stands for all others."""

Index = list[int | None]
"""A row number for each entity, None where there is none."""


@dataclass(slots=True)
class Standing:
    """The contributions that take part, by entity: row numbers, the most recent first, then by source and row.

    ``marks`` has the lineage character of each row; ``localities``, ``authorities`` are columns of the batch.
    """

    members: list[list[int]]
    marks: list[str]
    authorities: list[str]
    localities: list[str | None]
    held: list[bool]

    def first(self) -> Index:
        """The first contribution of each entity."""
        return [rows[0] if rows else None for rows in self.members]

    def slots(self, group: Group, owners: Sequence[str | None], latest: Sequence[Any] | None) -> list[Index]:
        """Slot k has each entity's (k+1)-th best contribution for ``group``, or None.

        ``owners``: the province that manages each entity. ``latest``: the column whose greatest value comes first.
        """
        order: dict[str, int] = {name: number for number, name in enumerate(group.order)}
        slots: list[Index] = []
        for entity, rows in enumerate(self.members):
            for slot, row in enumerate(self._ranked(rows, order, owners[entity], latest)):
                if slot == len(slots):
                    slots.append([None] * len(self.members))
                slots[slot][entity] = row
        return slots

    def _ranked(
        self, rows: list[int], order: Mapping[str, int], owner: str | None, latest: Sequence[Any] | None
    ) -> list[int]:
        """The rows whose authority takes part, best first; equal ones stay in the order of ``members``."""
        ranks = {}
        for row in rows:
            authority = self.authorities[row]
            if authority == LOCALITY and MANAGER in order and owner is not None and self.localities[row] == owner:
                authority = MANAGER
            if authority in order:
                ranks[row] = order[authority]
        if len(ranks) < 2:
            return list(ranks)
        ranked = sorted(ranks, key=ranks.__getitem__)
        if latest is not None:
            dated = [row for row in ranked if latest[row] is not None]
            dated.sort(key=latest.__getitem__, reverse=True)
            ranked = dated + [row for row in ranked if latest[row] is None]
        return ranked

    def greatest(self, values: Sequence[Any]) -> Index:
        """The row with the greatest value of the contributions that count; of equal ones the most recent."""
        index: Index = []
        for rows in self.members:
            best: int | None = None
            for row in rows:
                if self.held[row] and values[row] is not None and (best is None or values[row] > values[best]):
                    best = row
            index.append(best)
        return index


def standing(contributions: pl.DataFrame, recency: pl.Series, entities: int, *, alone: bool) -> Standing:
    """Order the contributions by recency (nulls last), source and row.

    The register alone makes no record (``alone`` False): entities with nothing else have no members.
    """
    numbers = contributions["_e"].to_list()
    sources, rows = contributions["_source"].to_list(), contributions["_row"].to_list()
    authorities = contributions["_authority"].to_list()
    moments = recency.to_physical().to_list()
    members: list[list[int]] = [[] for _ in range(entities)]
    held = [alone or authority != REGISTER for authority in authorities]
    kept = {number for number, counts in zip(numbers, held, strict=True) if counts}
    for row, number in enumerate(numbers):
        if number in kept:
            members[number].append(row)
    marks = [ORDINALS[0]] * len(numbers)
    for found in members:
        if len(found) > 1:
            found.sort(key=lambda row: (sources[row], rows[row]))
            for ordinal, row in enumerate(found):
                marks[row] = ORDINALS[min(ordinal, len(ORDINALS) - 1)]
            found.sort(key=lambda row: (moments[row] is None, -(moments[row] or 0)))
    return Standing(members, marks, authorities, contributions["_locality"].to_list(), held)


def described(contributions: pl.DataFrame, recency: pl.Series, order: Standing) -> list[str]:
    """For each entity the JSON of its contributions in the order of their marks: source, row, changed_at."""
    moments = recency.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_list()
    sources, rows = contributions["_source"].to_list(), contributions["_row"].to_list()
    names = {source: json.dumps(source, ensure_ascii=False) for source in set(sources)}

    def one(row: int) -> str:
        moment = "null" if moments[row] is None else f'"{moments[row]}"'
        text = json.dumps(rows[row], ensure_ascii=False)
        return f'{{"source":{names[sources[row]]},"row":{text},"changed_at":{moment}}}'

    return [
        ",".join(one(row) for row in sorted(found, key=lambda row: (sources[row], rows[row])))
        for found in order.members
    ]
