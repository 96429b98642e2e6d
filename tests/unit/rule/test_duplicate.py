"""One person active in two units: who is told, who is asked."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.rule.duplicate import AWAY, HERE, TWO_UNITS, units
from sync.rule.model import Activity

ACTIVITY = Activity("unit", "since", "status", ("WORKS",), "concurrent")
OLD, NEW = date(2020, 1, 1), date(2025, 7, 1)
SCHEMA = {
    "_e": pl.UInt32,
    "_source": pl.String,
    "_row": pl.String,
    "_authority": pl.String,
    "unit": pl.String,
    "since": pl.Date,
    "status": pl.String,
    "concurrent": pl.String,
}


def row(source: str, unit: str | None, since: date | None, **more: Any) -> dict[str, Any]:
    told = {"_e": 0, "_source": source, "_row": "1", "_authority": "locality", "status": "WORKS", "concurrent": None}
    return {**told, "unit": unit, "since": since, **more}


def judged(rows: list[dict[str, Any]], taking: list[bool] | None = None) -> dict[int, str]:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return dict(units(frame, pl.Series(taking or [True] * len(rows), dtype=pl.Boolean), ACTIVITY).codes)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (row("hn", "H26", OLD), row("qn", "H49", NEW), {0: AWAY, 1: HERE}),
        (row("hn", "H26", OLD), row("qn", "H49", OLD), {0: TWO_UNITS, 1: TWO_UNITS}),
        (row("hn", "H26", OLD), row("qn", "H49", None), {0: TWO_UNITS, 1: TWO_UNITS}),
        (row("hn", "H26", OLD), row("qn", "H26", NEW), {}),
        (row("hn", "H26", OLD), row("qn", "H49", NEW, status="LEFT"), {}),
        (row("hn", "H26", OLD), row("qn", "H49", NEW, concurrent="P1"), {}),
        (row("hn", "H26", OLD), row("qn", None, NEW), {}),
        (row("hn", "H26", OLD), row("bo", "H49", NEW, _authority="ministry"), {}),
        (row("hn", "H26", OLD), row("qn", "H49", NEW, _e=1), {}),
    ],
)
def test_two_active_placements_are_a_transfer_or_are_asked_about(
    first: dict[str, Any], second: dict[str, Any], expected: dict[int, str]
) -> None:
    assert judged([first, second]) == expected


def test_a_row_that_waits_in_review_is_no_placement() -> None:
    assert judged([row("hn", "H26", OLD), row("qn", "H49", NEW)], [True, False]) == {}


rows = st.lists(
    st.builds(
        row,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["H26", "H49", None]),
        st.sampled_from([OLD, NEW, None]),
        _row=st.sampled_from(["1", "2"]),
        _e=st.integers(0, 2),
        status=st.sampled_from(["WORKS", "LEFT"]),
    ),
    unique_by=lambda one: (one["_e"], one["_source"], one["_row"]),
)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_the_contributions_does_not_count(given_rows: list[dict[str, Any]], random: Any) -> None:
    def by_row(order: list[dict[str, Any]]) -> dict[tuple[Any, ...], str]:
        return {(order[at]["_e"], order[at]["_source"], order[at]["_row"]): code for at, code in judged(order).items()}

    shuffled = list(given_rows)
    random.shuffle(shuffled)
    assert by_row(shuffled) == by_row(given_rows)
