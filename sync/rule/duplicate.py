"""One person active in two units (VR07): a transfer whose former unit did not close its record, or a duplicate.

A pure function of the contributions of one batch's entities, called by ``sync.process.settlement``. It takes nothing
out: golden records come from the policy as before. It says who has to be told, and who has to be asked (DOMAIN 7.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from sync.rule.model import Activity
from sync.rule.standing import LOCALITY

TWO_UNITS, AWAY, HERE = "TWO_UNITS", "TRANSFERRED_AWAY", "TRANSFERRED_HERE"


class Told(NamedTuple):
    """``codes``: row → what is to be told. ``placements``: row → what it was judged on, of all units of the person."""

    codes: Mapping[int, str]
    placements: Mapping[int, Sequence[Sequence[Any]]]


def units(frame: pl.DataFrame, taking: pl.Series, activity: Activity) -> Told:
    """Judge the rows of ``frame`` that take part in the merge (``taking``, Boolean).

    ``frame``: ``_e``, ``_source``, ``_row``, ``_authority`` and the fields of ``activity``. A row is active by its
    status, in the unit that it names; one that tells of a concurrent position (kiêm nhiệm) is left alone. With a start
    later than all others one unit has the person now: it and the former ones are told. Else each is asked.
    """
    names = [activity.unit, activity.since, activity.status, activity.concurrent]
    active = (
        frame.select("_e", "_source", "_row", "_authority", *names)
        .with_row_index("at")
        .filter(
            taking
            & (pl.col("_authority") == LOCALITY)
            & pl.col(activity.unit).is_not_null()
            & pl.col(activity.status).is_in(activity.active)
            & pl.col(activity.concurrent).is_null()
        )
    )
    if len(active) < 2:
        return Told({}, {})
    several = active.filter(pl.col(activity.unit).n_unique().over("_e") > 1).sort("_e", "_source", "_row")
    codes: dict[int, str] = {}
    placements: dict[int, Sequence[Sequence[Any]]] = {}
    for part in several.partition_by("_e", maintain_order=True):
        rows, body, since = (part[name].to_list() for name in ("at", activity.unit, activity.since))
        told = list(part.select("_source", "_row", activity.unit, activity.since).iter_rows())
        newest = max((start for start in since if start is not None), default=None)
        current = {unit for unit, start in zip(body, since, strict=True) if start == newest}
        # A unit that does not say since when might be the one.
        decided = newest is not None and len(current) == 1 and None not in since
        for row, unit in zip(rows, body, strict=True):
            codes[row] = TWO_UNITS if not decided else HERE if unit in current else AWAY
            placements[row] = told
    return Told(codes, placements)
