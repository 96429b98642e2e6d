"""Cases of the reconcile step and what data stewards decided about them, applied to the codes of a batch's matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from sync.process.decision import REJECT, Case, Decided, facts
from sync.process.entity import source_row
from sync.process.reason import ACCEPTED, KEPT, MATCHED, OPEN, REFUSED
from sync.process.touched import Contribution
from sync.rule.duplicate import Told, units
from sync.schema.dataset import Dataset

STAGE = "reconcile"


class Settled(NamedTuple):
    """What is said of each contribution.

    ``codes``: all considered. ``facts``: by row, what a decision is bound to. ``matches``: by the register alone.
    """

    codes: pl.Series
    facts: Mapping[int, str]
    matches: pl.Series


def settle(
    matches: pl.Series,
    frame: pl.DataFrame,
    compared: pl.DataFrame,
    contributions: Sequence[Contribution],
    dataset: Dataset,
    by: Decided,
) -> Settled:
    """Find persons active in two units among those that match, and look all that is open up among the decisions.

    ``frame``: the contributions (and below them the register's rows). ``compared``: beside ``matches``, what was
    compared: the contribution's values and the register's. A decision that was made on other values does not count.
    """
    activity, taking = dataset.policy.activity, matches.is_in(MATCHED)
    own = frame[: len(matches)]
    told = Told({}, {}) if activity is None else units(own, taking, activity)
    codes, placements = _replaced(matches, told.codes), told.placements
    bound: dict[int, str] = {}
    decided: dict[int, str] = {}
    for row in codes.is_in(OPEN).arg_true().to_list():
        source, name = source_row(contributions[row][1])
        seen = placements[row] if row in placements else compared.row(row, named=True)
        bound[row] = facts({"code": codes[row], "seen": seen})
        decision = by.of(Case(dataset.id, STAGE, source, name)).decision
        if decision is not None and decision.facts == bound[row]:
            decided[row] = REFUSED if decision.action == REJECT else KEPT if row in placements else ACCEPTED
    refused = [row for row, code in decided.items() if code == REFUSED and row in placements]
    if refused and activity is not None:
        # Without those that were refused another unit may be the only one that is left.
        left = units(own, taking.scatter(refused, False), activity).codes
        codes = _replaced(codes, {row: left.get(row, matches[row]) for row in placements})
    return Settled(_replaced(codes, decided), bound, matches)


def _replaced(codes: pl.Series, by: Mapping[int, str]) -> pl.Series:
    return codes.clone().scatter(list(by), list(by.values())) if by else codes
