"""Who comes first: the order of an entity's contributions for each group of a policy.

Used by ``sync.rule.merge``. Orders are made of row numbers, not of records, by numpy: a sort of small integers costs
little by the row in a large batch and little by the call in a small one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sync.rule.model import Group

REGISTER, MINISTRY, LOCALITY, MANAGER = "register", "ministry", "locality", "manager"

ORDINALS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Lineage characters: the n-th contribution of an entity, ordered by source and row; the last stands for all others."""

Numbers = NDArray[np.int64]

_AUTHORITIES = {name: number for number, name in enumerate((REGISTER, MINISTRY, LOCALITY))}
_LETTERS = np.frombuffer(ORDINALS.encode(), dtype=np.uint8)
NOBODY = -1
"""In place of a row number: there is no such contribution."""

_NONE = np.iinfo(np.int64).max
_ESCAPED = r'["\\\x00-\x1f]'


@dataclass(frozen=True)
class Standing:
    """The order of a batch's contributions, as arrays of row numbers.

    ``entity``: the entity of each row. ``named``: the rows that take part, by entity, then by source and row.
    ``recent``: the same, by entity, then the most recent first, then by source and row. ``own``: false for the
    register's rows where the register alone makes no record.
    """

    contributions: pl.DataFrame
    entities: int
    entity: Numbers
    named: Numbers
    recent: Numbers
    own: NDArray[np.bool_]

    @cached_property
    def exists(self) -> NDArray[np.bool_]:
        """Which entities have contributions that take part."""
        found = np.zeros(self.entities, dtype=np.bool_)
        found[self.entity[self.named]] = True
        return found

    @cached_property
    def marks(self) -> NDArray[np.uint8]:
        """The lineage character of each row."""
        ordinals = np.zeros(len(self.entity), dtype=np.int64)
        ordinals[self.named] = np.minimum(_places(self.entity[self.named]), len(ORDINALS) - 1)
        return _LETTERS[ordinals]

    def first(self) -> Numbers:
        """The first contribution of each entity: a row number, -1 where there is none."""
        return self.levels(self.recent)[0]

    def slots(
        self, group: Group, owners: pl.Series, latest: pl.Series | None, filled: NDArray[np.bool_] | None = None
    ) -> list[Numbers]:
        """Item k has the row of each entity's (k+1)-th best contribution for ``group``, or -1; at least one item.

        ``owners``: the province that manages each entity. ``latest``: the column whose greatest value comes first.
        ``filled``: which contributions say anything of the group; by default all.
        """
        ranks = self._ranks(group, owners)[self.recent]
        taking = ranks < len(group.order)
        if filled is not None:
            taking &= filled[self.recent]
        rows, ranks = self.recent[taking], ranks[taking]
        entity = self.entity[rows]
        # ``recent`` is in order already, and the sort is stable: rows of equal rank stay as they are.
        keys = (ranks, entity) if latest is None else (ranks, _descending(latest)[rows], entity)
        return self.levels(rows[np.lexsort(keys)])

    @cached_property
    def _authority(self) -> Numbers:
        """The authority of each row, as its place in ``_AUTHORITIES``."""
        codes = self.contributions["_authority"].replace_strict(_AUTHORITIES, default=len(_AUTHORITIES))
        return codes.cast(pl.Int64).to_numpy()

    def _ranks(self, group: Group, owners: pl.Series) -> Numbers:
        """The place of each row's authority in the group's order; ``len(order)`` where it has none."""
        order: dict[str, int] = {name: number for number, name in enumerate(group.order)}
        none = len(order)
        ranks = np.array([*(order.get(name, none) for name in _AUTHORITIES), none])[self._authority]
        if MANAGER in order:
            owner = owners.gather(pl.Series(self.entity))
            manages = (self.contributions["_locality"] == owner).fill_null(False).to_numpy()
            ranks[manages & (self._authority == _AUTHORITIES[LOCALITY])] = order[MANAGER]
        return ranks

    def greatest(self, values: pl.Series) -> Numbers:
        """The row with the greatest value of the contributions that count; of equal ones the most recent."""
        order = _descending(values)
        rows = self.recent[self.own[self.recent] & (order[self.recent] != _NONE)]
        return self.levels(rows[np.lexsort((order[rows], self.entity[rows]))])[0]

    def levels(self, rows: Numbers) -> list[Numbers]:
        """Rows in order by entity → item k has each entity's (k+1)-th row, or -1; at least one item."""
        entity = self.entity[rows]
        places = _places(entity)
        levels = []
        for place in range(max(1, int(places.max(initial=0)) + 1)):
            here = places == place
            level = np.full(self.entities, NOBODY, dtype=np.int64)
            level[entity[here]] = rows[here]
            levels.append(level)
        return levels


def gathered(column: pl.Series, rows: Numbers) -> pl.Series:
    """The values of ``column`` in these rows; null for ``NOBODY``."""
    missing = rows == NOBODY
    if not missing.any():
        return column.gather(rows)
    index = pl.Series(np.where(missing, 0, rows).astype(np.uint32)).set(pl.Series(missing), None)
    return column.gather(index)


def standing(contributions: pl.DataFrame, recency: pl.Series, entities: int, *, alone: bool) -> Standing:
    """Order the contributions by recency (nulls last), source and row.

    The register alone makes no record (``alone`` False): entities with nothing else have no members.
    """
    entity = contributions["_e"].cast(pl.Int64).to_numpy()
    named = contributions.select(pl.arg_sort_by("_e", "_source", "_row")).to_series().to_numpy().astype(np.int64)
    own = np.ones(len(entity), dtype=np.bool_)
    if not alone:
        own = (contributions["_authority"] != REGISTER).to_numpy()
        kept = np.zeros(entities, dtype=np.bool_)
        kept[entity[own]] = True
        named = named[kept[entity[named]]]
    recent = named[np.lexsort((_descending(recency)[named], entity[named]))]
    return Standing(contributions, entities, entity, named, recent, own)


def described(order: Standing, recency: pl.Series) -> pl.Series:
    """For each entity its contributions as JSON, in the order of their marks; null where there is none."""
    moment = '"' + recency.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") + '"'
    texts = pl.select(
        pl.concat_str(
            pl.lit('{"source":'),
            _quoted(order.contributions["_source"]),
            pl.lit(',"row":'),
            _quoted(order.contributions["_row"]),
            pl.lit(',"changed_at":'),
            moment.fill_null("null"),
            pl.lit("}"),
        )
    ).to_series()
    joined = pl.select(
        pl.concat_str([gathered(texts, rows) for rows in order.levels(order.named)], separator=",", ignore_nulls=True)
    ).to_series()
    return joined if order.exists.all() else joined.set(pl.Series(~order.exists), None)


def _quoted(texts: pl.Series) -> pl.Series:
    """Texts as JSON strings."""
    if texts.str.contains(_ESCAPED).any():
        return texts.map_elements(lambda text: json.dumps(text, ensure_ascii=False), return_dtype=pl.String)
    return '"' + texts + '"'


def _places(groups: Numbers) -> Numbers:
    """The place of each item within its run of equal ``groups``, from 0."""
    numbers = np.arange(len(groups), dtype=np.int64)
    starts = np.zeros(len(groups), dtype=np.int64)
    new = np.flatnonzero(groups[1:] != groups[:-1]) + 1
    starts[new] = new
    return numbers - np.maximum.accumulate(starts)


def _descending(values: pl.Series) -> Numbers:
    """Numbers that sort as ``values`` from the greatest to the least; nulls last."""
    if values.dtype.is_temporal() or values.dtype.is_integer():
        return (-values.to_physical().cast(pl.Int64)).fill_null(_NONE).to_numpy()
    return values.rank("dense", descending=True).cast(pl.Int64).fill_null(_NONE).to_numpy()
