"""The contract of ``connect.membership.Membership``: Kafka's group, and the fake that the worker's unit tests use."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection

import pytest

from sync.connect.membership import KafkaMembership, Membership
from sync.connect.slot import LEADER_SLOT, SLOTS
from tests.memory_membership import MemoryGroup, MemoryMembership

ALL = set(range(SLOTS))


class Place:
    """One member: the slots that it has, and that they were told in order."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.slots: set[int] = set()
        self.joined = False
        membership.join(self)

    def gained(self, slots: Collection[int]) -> None:
        assert not self.slots & set(slots)
        self.slots |= set(slots)
        self.joined = True

    def released(self, slots: Collection[int]) -> None:
        assert self.slots >= set(slots)
        self.slots -= set(slots)

    def lost(self, slots: Collection[int]) -> None:
        self.released(slots)


Join = Callable[[str], Place]


@pytest.fixture(params=["kafka", "memory"])
def join(request: pytest.FixtureRequest) -> Join:
    group = MemoryGroup()
    if request.param == "memory":
        return lambda name: Place(MemoryMembership(group, name))
    kafka, name = request.getfixturevalue("kafka"), uuid.uuid4().hex
    return lambda worker_id: Place(KafkaMembership(kafka, name, worker_id))


def settle(condition: Callable[[], bool], *places: Place) -> None:
    """Poll all members until ``condition`` holds; at no time has a slot two owners."""
    deadline = time.monotonic() + 30
    while not condition():
        for place in places:
            place.membership.poll()
            assert sum(len(p.slots) for p in places) == len(set().union(*(p.slots for p in places)))
        assert time.monotonic() < deadline, [sorted(place.slots) for place in places]
        time.sleep(0.01)


def test_slots_are_shared_handed_over_and_given_back(join: Join) -> None:
    one = join("one")
    settle(lambda: one.slots == ALL, one)
    assert one.membership.owners() == dict.fromkeys(range(SLOTS), "one")

    two = join("two")
    settle(lambda: two.joined and len(one.slots) == len(two.slots) == SLOTS // 2, one, two)
    # Of the slots only those moved that had to, and not the leader's.
    assert LEADER_SLOT in one.slots
    settle(lambda: one.membership.owners() is not None, one, two)
    expected = {slot: name for name, place in (("one", one), ("two", two)) for slot in place.slots}
    assert one.membership.owners() == two.membership.owners() == expected

    one.membership.leave()
    assert one.slots == set()
    settle(lambda: two.slots == ALL, two)
    two.membership.leave()
