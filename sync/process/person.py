"""Whose a contribution is where its number is wrong: by the decisions about its case, or about its number.

Used by the reconcile step. A row keeps its home, the entity of the number that its source says; a data steward says
whose it is instead: ``choose`` of one row, bound to the facts of its case, or ``merge`` of a number, of all its rows
that there are and will be. What follows from it is ``sync.process.referral``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from sync.process.decision import CHOOSE, Decided, Decision, successor
from sync.process.entity import entity_key, texts
from sync.process.touched import Contribution, Touched
from sync.schema.dataset import Dataset

REFER = "f"
"""The operation of a valid record of a row whose home is another entity."""


class Persons:
    """Looks persons of one dataset and batch up. A person has a key of one field, as the register has."""

    def __init__(self, dataset: Dataset, by: Decided, touched: Touched) -> None:
        self._dataset = dataset
        self._touched = touched
        self._merges: Mapping[str, str] = by.merges(dataset.id)

    def merged(self, own: pl.DataFrame, contributions: Sequence[Contribution]) -> dict[int, bytes]:
        """The rows of ``own`` whose number was merged into another, with that person's entity."""
        wrong: dict[int, bytes] = {}
        # By the merges, which are few, not by the batch's entities.
        for number in self._merges:
            entity, person = self._touched.numbers.get(entity_key([number])), successor(self._merges, number)
            if entity is not None and person is not None:
                wrong[entity] = entity_key([person])
        if not wrong:
            return {}
        ops = own["_op"].to_list()
        return {
            row: wrong[number] for row, (number, _) in enumerate(contributions) if number in wrong and ops[row] != REFER
        }

    def chosen(
        self, own: pl.DataFrame, row: int, contributions: Sequence[Contribution], decision: Decision
    ) -> bytes | None:
        """The entity of the person chosen for a row; None for its own, and for a row whose home is another."""
        person = decision.changes.get(self._dataset.key[0])
        if person is None or own["_op"][row] == REFER:
            return None
        person = successor(self._merges, person) or person
        return None if person == self._number(contributions[row][0]) else entity_key([person])

    def _number(self, entity: int) -> str:
        return texts(self._touched.keys[entity])[0]


def homes(decision: Decision, by: Decided) -> set[str]:
    """The numbers whose rows a decision about two numbers may send elsewhere: both, and those that lead to them."""
    found = set(decision.case.row.split("|"))
    merges, chosen = by.merges(decision.case.dataset), _chosen(decision.case.dataset, by)
    while True:
        more = {wrong for wrong, right in (*merges.items(), *chosen) if right in found or wrong in found}
        more |= {right for wrong, right in merges.items() if wrong in found}
        if more <= found:
            return found
        found |= more


def _chosen(dataset: str, by: Decided) -> set[tuple[str, str]]:
    """Number and chosen number of rows, whether the decision stands or not."""
    return {
        (one.entity, right)
        for one in by.all()
        if one.case.dataset == dataset and one.action == CHOOSE and one.entity is not None
        for right in one.changes.values()
    }
