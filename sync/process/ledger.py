"""The ledger: every captured change ends in exactly one outcome, and the sums prove it (invariant 1).

Counts are records of ``dongbo.ledger``, written in the transaction of what they count; a change that moves to another
outcome (a review that is decided) is a pair of counts, −1 and +1.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple

Outcome = Literal["received", "suppressed", "applied", "merged", "rejected", "review"]


class Origin(NamedTuple):
    """Where a counted change came in."""

    source: str
    topic: str
    partition: int
    dataset: str


class Ledger:
    """Counts of one batch."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._counts: Counter[tuple[Origin, str]] = Counter()

    def count(self, origin: Origin, outcome: Outcome, number: int = 1) -> None:
        """Count ``number`` changes."""
        self._counts[origin, outcome] += number

    def move(self, origin: Origin, old: Outcome, new: Outcome) -> None:
        """A change counted as ``old`` earlier is now ``new``; nothing where they are the same."""
        self._counts[origin, old] -= 1
        self._counts[origin, new] += 1

    def records(self, ts_ms: int) -> list[tuple[dict[str, object], dict[str, object]]]:
        """Keys and values for the topic; counts of zero say nothing and are left out."""
        return [
            (
                {"stage": self.stage, "topic": origin.topic},
                {
                    "ts_ms": ts_ms,
                    "stage": self.stage,
                    "source": origin.source,
                    "topic": origin.topic,
                    "partition": origin.partition,
                    "dataset": origin.dataset,
                    "outcome": outcome,
                    "count": number,
                },
            )
            for (origin, outcome), number in self._counts.items()
            if number
        ]

    def outcomes(self) -> dict[tuple[str, str], int]:
        """Counts by dataset and outcome, for the metrics."""
        totals: Counter[tuple[str, str]] = Counter()
        for (origin, outcome), number in self._counts.items():
            totals[origin.dataset, outcome] += number
        return dict(totals)
