"""Which slot a task gets, and which tasks move."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sync.connect.registrations import TaskId
from sync.connect.slot import LEADER_SLOT, SLOTS, choose, even, scattered

slots = st.integers(0, SLOTS - 1)
taken_slots = st.dictionaries(st.tuples(st.text(max_size=3), st.integers(0, 9)), slots, max_size=100)


@st.composite
def owned(draw: st.DrawFn) -> dict[int, str]:
    """Each slot's owner, of one to nine workers, of whom each has one at least."""
    workers = [f"w{number}" for number in range(draw(st.integers(1, 9)))]
    rest = draw(st.lists(st.sampled_from(workers), min_size=SLOTS - len(workers), max_size=SLOTS - len(workers)))
    return dict(enumerate(draw(st.permutations([*workers, *rest]))))


def loads(taken: dict[TaskId, int], owners: dict[int, str]) -> Counter[str]:
    return Counter(dict.fromkeys(owners.values(), 0)) + Counter(owners[slot] for slot in taken.values())


def test_scattered_slots_are_all_the_slots() -> None:
    assert {scattered(number) for number in range(SLOTS)} == set(range(SLOTS))
    assert LEADER_SLOT in range(SLOTS)


@given(taken_slots, owned())
def test_after_the_moves_no_worker_has_two_tasks_more_than_another(
    taken: dict[TaskId, int], owners: dict[int, str]
) -> None:
    moves = even(taken, owners)
    after = loads({**taken, **moves}, owners)
    counts = [after[worker] for worker in set(owners.values())]
    assert max(counts) - min(counts) <= 1


@given(taken_slots, owned())
def test_no_more_tasks_move_than_stand_above_an_even_share(taken: dict[TaskId, int], owners: dict[int, str]) -> None:
    before, workers = loads(taken, owners), set(owners.values())
    share, more = divmod(len(taken), len(workers))
    ranked = sorted((before[worker] for worker in workers), reverse=True)
    fewest = sum(max(0, load - share - (place < more)) for place, load in enumerate(ranked))
    assert len(even(taken, owners)) == fewest


@given(taken_slots, owned())
def test_an_even_spread_stays_as_it_is(taken: dict[TaskId, int], owners: dict[int, str]) -> None:
    assert even({**taken, **even(taken, owners)}, owners) == {}


@given(taken_slots, owned())
def test_a_new_task_goes_to_a_worker_with_the_fewest(taken: dict[TaskId, int], owners: dict[int, str]) -> None:
    before = loads(taken, owners)
    chosen = owners[choose(taken, owners)]
    assert before[chosen] == min(before[worker] for worker in owners.values())


def test_tasks_of_a_group_whose_owners_are_unknown_lie_far_apart() -> None:
    taken: dict[TaskId, int] = {}
    for number in range(SLOTS):
        taken["a", number] = choose(taken, {})
    assert sorted(taken.values()) == list(range(SLOTS))
    assert [taken["a", number] for number in range(4)] == [0, 32, 16, 48]
