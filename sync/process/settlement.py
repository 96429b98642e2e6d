"""Cases of the reconcile step and what data stewards decided about them, applied to the codes of a batch's matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from sync.process.decision import CHOOSE, REJECT, Case, Decided, facts
from sync.process.entity import source_row
from sync.process.person import Persons
from sync.process.reason import ACCEPTED, KEPT, MATCHED, OPEN, REFERRED, REFUSED
from sync.process.touched import Contribution
from sync.rule.duplicate import Told, units
from sync.schema.dataset import Dataset

STAGE = "reconcile"


class Settled(NamedTuple):
    """What is said of each contribution.

    ``codes``: all considered. ``facts``: by row, what a decision is bound to. ``matches``: by the register alone.
    ``referred``: those that are another person's, with the key of that person's entity.
    """

    codes: pl.Series
    facts: Mapping[int, str]
    matches: pl.Series
    referred: Mapping[Contribution, bytes]


def settle(
    matches: pl.Series,
    frame: pl.DataFrame,
    compared: pl.DataFrame,
    contributions: Sequence[Contribution],
    dataset: Dataset,
    by: Decided,
    persons: Persons,
) -> Settled:
    """Find persons active in two units among those that match, and look all that is open up among the decisions.

    ``frame``: the contributions (and below them the register's rows). ``compared``: beside ``matches``, what was
    compared: the contribution's values and the register's. A decision that was made on other values does not count.
    """
    own = frame[: len(matches)]
    referred = persons.merged(own, contributions)
    codes = _replaced(matches, dict.fromkeys(referred, REFERRED))
    activity, taking = dataset.policy.activity, codes.is_in(MATCHED)
    told = Told({}, {}) if activity is None else units(own, taking, activity)
    codes, placements = _replaced(codes, told.codes), told.placements
    bound: dict[int, str] = {}
    decided: dict[int, str] = {}
    for row in codes.is_in(OPEN).arg_true().to_list():
        source, name = source_row(contributions[row][1])
        seen = placements[row] if row in placements else compared.row(row, named=True)
        bound[row] = facts({"code": codes[row], "seen": seen})
        decision = by.standing(Case(dataset.id, STAGE, source, name), bound[row])
        if decision is None:
            continue
        if decision.action == CHOOSE:
            person = persons.chosen(own, row, contributions, decision)
            if person is not None:
                referred[row], decided[row] = person, REFERRED
            continue
        decided[row] = REFUSED if decision.action == REJECT else KEPT if row in placements else ACCEPTED
    refused = [row for row, code in decided.items() if code == REFUSED and row in placements]
    if refused and activity is not None:
        # Without those that were refused another unit may be the only one that is left.
        left = units(own, taking.scatter(refused, False), activity).codes
        codes = _replaced(codes, {row: left.get(row, matches[row]) for row in placements})
    taken = {contributions[row]: person for row, person in referred.items()}
    return Settled(_replaced(codes, decided), bound, matches, taken)


def _replaced(codes: pl.Series, by: Mapping[int, str]) -> pl.Series:
    return codes.clone().scatter(list(by), list(by.values())) if by else codes
