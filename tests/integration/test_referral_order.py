"""Rows that decisions take to other entities, read in any order: records and words are those of the set of elements."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest

from sync.process.decision import Decision, read
from tests.integration.route import truth
from tests.integration.test_moves import PEOPLE, Apart, Record, matching, repaired, waiting
from tests.integration.test_referrals import merging, mistyped
from tests.integration.test_refusals import asked, refused

pytestmark = pytest.mark.integration

GOLDEN, REVIEW = "civil_servant.golden", "civil_servant.review"
ROW = "public.t/1"


def stranger(index: int) -> Record:
    """Whose number nobody has."""
    return {**mistyped(index), "employing_unit_code": "H26.1"}


FORMS = (matching, repaired, waiting, refused, asked, stranger, stranger, None)


class Decided(Apart):
    """Decisions come between the batches, as they are made."""

    def make(self, *decisions: Decision) -> None:
        self.decisions.add(decisions)
        everywhere = {("civil_servant.valid", number) for number in range(2)}
        again = self.reconciler.again(everywhere, anew=True)
        if again:
            self.reconcile(list(again))  # type: ignore[arg-type]

    def result(self) -> dict[str, Any]:
        """Golden records without who gave what when, and what is told."""
        golden = {
            key: {name: value for name, value in record.items() if name != "_lineage"}
            for key, record in self.last(GOLDEN).items()
        }
        return {GOLDEN: golden, **self.told()}


@cache
def case(kafka: str, registry_url: str, index: int) -> dict[str, Any]:
    """The case of the row as ``stranger(index)``."""
    path = Decided(kafka, registry_url)
    path.arrive(stranger(index))
    path.mix(Random(0))
    return path.topics[REVIEW][-1][1] or {}


def made(kafka: str, registry_url: str, random: Random, id: str, before: list[Decision]) -> Decision:
    """A decision about the row or about two numbers, or the undoing of one that was made before."""
    standing = [one for one in before if one.action != "undo" and all(other.undoes != one.id for other in before)]
    if standing and random.random() < 0.3:
        one = random.choice(standing)
        told = {**_record(one), "id": id, "action": "undo", "changes": None, "undoes": one.id}
        return read(told)
    if random.random() < 0.4:
        right, wrong = random.sample(PEOPLE, 2)
        return merging(truth(right)["citizen_id"], truth(wrong)["citizen_id"], id)
    about = case(kafka, registry_url, random.choice(PEOPLE))
    chosen = truth(random.choice(PEOPLE))["citizen_id"]
    changes = f'{{"citizen_id": "{chosen}"}}'
    return read({**about, "id": id, "action": "choose", "changes": changes, "undoes": None})


def _record(decision: Decision) -> dict[str, Any]:
    names = ("topic", "partition", "key", "entity", "facts")
    return {**decision.case._asdict(), **{name: getattr(decision, name) for name in names}}


@pytest.mark.parametrize("seed", range(5))
def test_records_and_words_are_the_same_whatever_is_read_first_and_whenever_is_decided(
    kafka: str, registry_url: str, seed: int
) -> None:
    random = Random(seed)
    for _ in range(3):
        path, versions, decisions = Decided(kafka, registry_url), [], list[Decision]()
        for step in range(random.randint(3, 8)):
            if random.random() < 0.5:
                decisions.append(made(kafka, registry_url, random, str(step), decisions))
                path.make(decisions[-1])
            else:
                form = random.choice(FORMS)
                versions.append(None if form is None else form(random.choice(PEOPLE)))
                path.arrive(versions[-1])
            if random.random() < 0.5:
                path.mix(random)
        path.mix(random)
        expected = Decided(kafka, registry_url)
        expected.make(*decisions)
        for version in versions:
            expected.arrive(version)
            expected.mix(Random(0))
        assert path.result() == expected.result(), (versions, decisions)
        assert path.balanced("hn.public.t")
