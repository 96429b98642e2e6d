"""A row that moves from one entity to another, whichever entity is read first: whose word about it stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import permutations
from random import Random
from typing import Any

import pytest

from sync.process.bridge import Output
from tests.integration.route import Arrived, Route, Source, truth

pytestmark = pytest.mark.integration

TOLD = ("civil_servant.verdict", "civil_servant.verdict.01", "civil_servant.review")
PEOPLE = (81, 82, 83)

Record = dict[str, Any]


def matching(index: int) -> Record:
    """Of which there is nothing to say."""
    return truth(index, managing_agency_code="H26.1", employing_unit_code="H26.1")


def repaired(index: int) -> Record:
    """Of which the owner is told."""
    return {**matching(index), "full_name": f" {matching(index)['full_name']} "}


def waiting(index: int) -> Record:
    """Of which the owner is told, and a person asked."""
    return {**matching(index), "full_name": "Trần Thị Bưởi"}


FORMS = (matching, repaired, waiting)


class Apart(Route):
    """Valid records wait by entity: each as a partition of its own, which may be read far behind the others."""

    def __init__(self, kafka: str, registry_url: str) -> None:
        super().__init__(kafka, registry_url)
        register = Source(self, "npdb", self.population, "register")
        self.send(*(register.change(index, truth(index)) for index in PEOPLE))
        self.hanoi = Source(self, "hn", self.civil_servant, "locality", "01")
        self.held: dict[bytes, deque[Arrived]] = {}

    def arrive(self, *records: Record | None) -> None:
        """Changes of one row pass the validate step, a batch each; what comes of them waits."""
        for record in records:
            self._hold(self.validator.process([self.hanoi.change(1, record)]))  # type: ignore[list-item]

    def _hold(self, output: Output) -> None:
        for message in self._take(output):
            self.held.setdefault(message.id or b"", deque()).append(message)

    def reconcile(self, batch: Sequence[Arrived]) -> None:
        """One batch of the reconcile step."""
        self._hold(self.reconciler.process(batch))  # type: ignore[arg-type]

    def drain(self, order: Sequence[int], *, whole: bool) -> None:
        """Read an entity to its end before the next, until none waits: in one batch (``whole``), or one by one."""
        entities = list(self.held)
        while any(self.held.values()):
            for held in (self.held[entities[number]] for number in order):
                while held:
                    self.reconcile([held.popleft() for _ in range(len(held) if whole else 1)])

    def mix(self, order: Random) -> None:
        """Read from all entities in any order, in batches of any size."""
        while ready := [held for held in self.held.values() if held]:
            chosen = order.sample(ready, order.randint(1, len(ready)))
            self.reconcile([held.popleft() for held in chosen for _ in range(order.randint(1, len(held)))])

    def told(self) -> dict[str, dict[str, tuple[Any, ...]]]:
        """What is said in the end, without its time."""
        names = ("code", "entity", "proposals", "message_vi")
        return {
            topic: {key: tuple(value[name] for name in names) for key, value in self.last(topic).items()}
            for topic in TOLD
        }


def settled(kafka: str, registry_url: str, record: Record | None) -> dict[str, dict[str, tuple[Any, ...]]]:
    """What is said of a row that never was another's."""
    path = Apart(kafka, registry_url)
    path.arrive(record)
    path.mix(Random(0))
    return path.told()


@pytest.mark.parametrize("before", FORMS)
@pytest.mark.parametrize("after", FORMS)
def test_the_present_entity_has_the_last_word_whichever_is_read_first(
    kafka: str, registry_url: str, before: Any, after: Any
) -> None:
    expected = settled(kafka, registry_url, after(82))
    assert bool(expected["civil_servant.verdict.01"]) == (after is not matching)
    assert bool(expected["civil_servant.review"]) == (after is waiting)
    for order in permutations(range(2)):
        for whole in (True, False):
            path = Apart(kafka, registry_url)
            path.arrive(before(81), after(82))
            path.drain(order, whole=whole)
            assert path.told() == expected, (order, whole)
            assert path.balanced("hn.public.t")


def test_both_entities_in_one_batch_leave_the_present_ones_word(kafka: str, registry_url: str) -> None:
    path = Apart(kafka, registry_url)
    path.arrive(waiting(81), repaired(82))
    path.reconcile([held.popleft() for held in path.held.values() for _ in range(len(held))])
    path.mix(Random(0))
    assert path.told() == settled(kafka, registry_url, repaired(82))
    assert path.balanced("hn.public.t")


@pytest.mark.parametrize("seed", range(6))
def test_the_word_follows_a_row_through_many_moves_and_its_end(kafka: str, registry_url: str, seed: int) -> None:
    random = Random(seed)
    for _ in range(3):
        made: list[Record | None] = [random.choice(FORMS)(random.choice(PEOPLE)) for _ in range(random.randint(3, 6))]
        if random.random() < 0.3:
            made.append(None)
        path = Apart(kafka, registry_url)
        path.arrive(*made)
        path.mix(random)
        assert path.told() == settled(kafka, registry_url, made[-1])
        assert path.balanced("hn.public.t")
