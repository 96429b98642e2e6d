"""The ledger's sums as the indicators tell them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sync.process.counting import Entry, outcomes

OUTCOMES = ("applied", "merged", "rejected", "review")

moves = st.lists(st.tuples(st.sampled_from(OUTCOMES), st.lists(st.sampled_from(OUTCOMES[1:]), max_size=4)), max_size=12)
"""Changes: what each was counted as first, and what it came to be later."""


def ledger(changes: list[tuple[str, list[str]]]) -> dict[str, Entry]:
    """The sums of what the processors count: they take an applied change back as a merged one."""
    sums: Counter[str] = Counter()
    for first, later in changes:
        sums[first] += 1
        standing = "merged" if first == "applied" else first
        for outcome in later:
            sums[standing] -= 1
            sums[outcome] += 1
            standing = outcome
    return {f"d|hn|{outcome}|hn.public.t": {"count": number, "offset": 1} for outcome, number in sums.items()}


@given(moves)
def test_no_count_is_below_zero_and_the_balance_holds(changes: list[tuple[str, list[str]]]) -> None:
    told = outcomes(ledger(changes))

    assert all(entry["count"] >= 0 for entry in told.values())
    assert sum(entry["count"] for entry in told.values()) == len(changes)
    last = Counter(later[-1] if later else first for first, later in changes)
    for outcome in ("rejected", "review"):
        assert told.get(f"d|hn|{outcome}|hn.public.t", {"count": 0})["count"] == last[outcome]


def test_what_is_taken_back_before_it_is_counted_is_none() -> None:
    early = {"d|hn|merged|t": {"count": -1}, "d|hn|applied|u": {"count": 2}}

    assert [entry["count"] for entry in outcomes(early).values()] == [0, 2]
    assert early["d|hn|merged|t"]["count"] == -1
