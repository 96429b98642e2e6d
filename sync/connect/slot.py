"""Which slot a task gets: pure decisions of the leader.

The group's slots are the partitions of a topic that holds nothing; Kafka's group protocol gives each slot one owner,
and who owns a slot runs the tasks in it. The leader chooses slots so that workers have equally many tasks, and moves
as few tasks as it can when they no longer have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sync.connect.registrations import TaskId

SLOTS = 64
"""Slots of a group, and the most workers that can have tasks."""

LEADER_SLOT = SLOTS - 1
"""Who owns this slot leads. The last one: the group's assignor gives the lowest numbers to a worker that joins."""


def scattered(number: int) -> int:
    """The bits of a slot's number in reverse, so that consecutive choices lie far apart (a bijection)."""
    return int(f"{number:06b}"[::-1], 2)


def choose(taken: Mapping[TaskId, int], owners: Mapping[int, str]) -> int:
    """The slot for one more task: of the worker with the fewest tasks, the slot with the fewest.

    ``taken`` are the slots of the other tasks; ``owners`` may be incomplete or empty.
    """
    loads = Counter(owners.get(slot, "") for slot in taken.values())
    crowd = Counter(taken.values())
    return min(range(SLOTS), key=lambda slot: (loads[owners.get(slot, "")], crowd[slot], scattered(slot)))


def even(taken: Mapping[TaskId, int], owners: Mapping[int, str]) -> dict[TaskId, int]:
    """The fewest moves (task → new slot) after which no worker has two tasks more than another.

    ``owners`` must tell every slot's worker; the answer does not depend on the order of ``taken``.
    """
    slots, moves = dict(taken), dict[TaskId, int]()
    tasks: dict[str, list[TaskId]] = {worker: [] for worker in set(owners.values())}
    for task in sorted(slots):
        tasks[owners[slots[task]]].append(task)
    while tasks:
        ordered = sorted(tasks, key=lambda worker: (len(tasks[worker]), worker))
        least, most = ordered[0], ordered[-1]
        if len(tasks[most]) - len(tasks[least]) < 2:
            break
        task = tasks[most].pop()
        crowd = Counter(slots.values())
        free = [slot for slot in range(SLOTS) if owners.get(slot) == least]
        slots[task] = moves[task] = min(free, key=lambda slot: (crowd[slot], scattered(slot)))
        tasks[least].append(task)
    return moves
