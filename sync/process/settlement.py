"""Cases of the reconcile step and what data stewards decided about them, applied to the codes of a batch's matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from sync.process.decision import REJECT, Case, Decided, facts
from sync.process.entity import source_row
from sync.process.reason import ACCEPTED, MATCHED, REFUSED
from sync.process.touched import Contribution
from sync.schema.dataset import Dataset

STAGE = "reconcile"


class Settled(NamedTuple):
    """``codes``: the match codes, decided ones replaced. ``facts``: by row, what a decision is bound to."""

    codes: pl.Series
    facts: Mapping[int, str]


def settle(
    codes: pl.Series,
    compared: pl.DataFrame,
    contributions: Sequence[Contribution],
    dataset: Dataset,
    by: Decided,
) -> Settled:
    """Look each contribution that does not match up among the decisions.

    ``compared``: beside ``codes``, what was compared: the contribution's values and the register's. A decision that was
    made on other values does not count.
    """
    open_rows = (~codes.is_in(MATCHED)).arg_true().to_list()
    bound: dict[int, str] = {}
    decided: dict[int, str] = {}
    for row in open_rows:
        source, name = source_row(contributions[row][1])
        bound[row] = facts({"code": codes[row], **compared.row(row, named=True)})
        decision = by.of(Case(dataset.id, STAGE, source, name)).decision
        if decision is not None and decision.facts == bound[row]:
            decided[row] = REFUSED if decision.action == REJECT else ACCEPTED
    if decided:
        codes = codes.scatter(list(decided), list(decided.values()))
    return Settled(codes, bound)
