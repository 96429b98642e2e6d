"""The fake behind ``connect.membership.Membership``; ``contract/test_membership.py`` holds it to Kafka's ways."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sync.connect.membership import Listener
from sync.connect.slot import SLOTS


@dataclass
class MemoryGroup:
    """The members of a group, in the order in which they joined, and the slots that each was given."""

    members: list[MemoryMembership] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def target(self, member: MemoryMembership) -> set[int]:
        """The slots that a member is to have: equally many, the last ones for the first member."""
        share = -(-SLOTS // len(self.members))
        place = len(self.members) - 1 - self.members.index(member)
        return set(range(place * share, min(SLOTS, (place + 1) * share)))


@dataclass
class MemoryMembership:
    """The membership's contract: a slot is given away only after its owner has let go of it."""

    group: MemoryGroup = field(default_factory=MemoryGroup)
    worker_id: str = "worker-1"
    slots: set[int] = field(default_factory=set)
    listener: Listener | None = None

    def join(self, listener: Listener) -> None:
        with self.group.lock:
            self.listener = listener
            self.group.members.append(self)

    def poll(self) -> None:
        with self.group.lock:
            if self.listener is None or self not in self.group.members:
                return
            target = self.group.target(self)
            if away := self.slots - target:
                self.listener.released(away)
                self.slots -= away
            held = set().union(*(member.slots for member in self.group.members))
            if new := target - held:
                self.slots |= new
                self.listener.gained(new)

    def owners(self) -> dict[int, str] | None:
        with self.group.lock:
            owners = {slot: member.worker_id for member in self.group.members for slot in member.slots}
            return owners if len(owners) == SLOTS else None

    def leave(self) -> None:
        with self.group.lock:
            if self.listener is not None and self in self.group.members:
                self.listener.released(self.slots)
                self.slots = set()
                self.group.members.remove(self)

    def expire(self) -> None:
        """Let the group forget this member, which learns of it at once."""
        with self.group.lock:
            assert self.listener is not None
            self.group.members.remove(self)
            lost, self.slots = self.slots, set()
            self.listener.lost(lost)
