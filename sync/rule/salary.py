"""Rank, group and coefficient (DOMAIN §4.4; NĐ 204/2004): step ``coefficient``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from sync.rule.batch import Batch, step
from sync.rule.index import Index, cached
from sync.rule.model import CleanSpec, Reference

# Three digits, perhaps written as a decimal: 234, 234.0.
_BARE = r"^[1-9][0-9]{2}(?:\.0+)?$"


@dataclass(frozen=True)
class Grades:
    """Look-ups: ranks by code with their ``group``; the coefficients of each group."""

    ranks: Index
    coefficients: Mapping[str, frozenset[str]]


def _build(tables: Reference) -> Grades:
    ranks = tables.table("ranks", "code", "salary_group")
    coefficients: dict[str, set[str]] = {}
    for group, coefficient in (
        tables.table("salary_grades", "group", "coefficient").select("group", "coefficient").iter_rows()
    ):
        coefficients.setdefault(group, set()).add(coefficient)
    # A group that the table of grades does not have (A3, C?) is an unknown one.
    groups = [group if group in coefficients else None for group in ranks["salary_group"].to_list()]
    return Grades(
        Index(ranks["code"].to_list(), {"group": groups}),
        {group: frozenset(found) for group, found in coefficients.items()},
    )


def grades(reference: Reference) -> Grades:
    """The look-ups of these reference tables, built once."""
    return cached(reference, "grades", _build)


@step("coefficient", params={"rank": "field", "group": "field", "step": "field"})
def clean_coefficient(batch: Batch, spec: CleanSpec) -> None:
    """A coefficient that lost its comma (234): 2.34 is proposed where the table of the record's rank has it (VR16)."""
    known = grades(batch.reference)
    rank = str(spec.params.get("rank", "rank_code"))
    group = str(spec.params.get("group", "salary_group"))
    for name in batch.present(spec.fields):
        text = batch.columns[name].cast(pl.String)
        bare = text.str.contains(_BARE)
        if not bare.any():
            continue
        rows = bare.arg_true()
        text = text.str.slice(0, 3)

        def related(field: str, rows: pl.Series = rows) -> list[Any]:
            column = batch.columns.get(field)
            return column.gather(rows).cast(pl.String).to_list() if column is not None else [None] * len(rows)

        ranks = pl.DataFrame({"rank": related(rank)}, schema={"rank": pl.String})
        groups = ranks.select(known.ranks.get("rank", "group")).to_series().to_list()
        found: list[str | None] = []
        for value, of_rank, stated in zip(text.gather(rows).to_list(), groups, related(group), strict=True):
            proposed = f"{value[0]}.{value[1:]}"
            found.append(proposed if proposed in known.coefficients.get(of_rank or stated or "", ()) else None)
        proposals = pl.Series(name, found, dtype=pl.String)
        batch.put(name, batch.columns[name].cast(pl.String))
        batch.offer(name, rows, proposals, spec.rule)
        batch.doubt(name, rows.filter(proposals.is_not_null()), spec.rule, "REVIEW")
