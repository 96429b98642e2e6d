"""A run of change events, decoded: what the validate step knows of each message until it is settled."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.process.decision import Ruling
from sync.process.refusal import Found, Reason


@dataclass(slots=True)
class Decoded:
    """One run of messages, decoded: per message what it is, where its row is, what was decided about it."""

    kinds: list[str]
    rows: list[str | None]
    partitions: list[int]
    rulings: list[Ruling]
    reasons: dict[int, list[Reason]] = field(default_factory=dict)
    index: dict[int, int] = field(default_factory=dict)
    entities: list[bytes] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    fixes: list[str | None] = field(default_factory=list)
    warnings: list[str | None] = field(default_factory=list)
    proposals: list[str | None] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    qualities: list[bytes] = field(default_factory=list)
    facts: dict[int, str] = field(default_factory=dict)
    records: dict[int, str] = field(default_factory=dict)
    decided: set[int] = field(default_factory=set)

    def quality(self, number: int) -> bytes:
        """What was found in a message's row; where it was not read, that."""
        place = self.index.get(number)
        if place is not None:
            return self.qualities[place]
        return f"|{self.reasons[number][0]['rule']}".encode() if number in self.reasons else b""

    def found(self, number: int) -> Found:
        """The findings of a message's row; none where it was not read."""
        place = self.index.get(number)
        return Found() if place is None else Found(self.fixes[place], self.warnings[place], self.proposals[place])
