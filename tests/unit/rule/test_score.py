"""Scores by the formulas of docs/quality.md."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.rule.model import RuleSet, RuleSpec
from sync.rule.score import CRITERIA, Measure, colour, measure, score

MEASURE = Measure({"A": "accuracy", "B": "accuracy", "C": "validity"}, frozenset({"C"}))


def test_a_criterion_is_the_mean_of_its_rules_and_the_total_that_of_the_criteria() -> None:
    made = score(200, {"A@2": 20, "B": 40}, MEASURE)
    assert made.rules == {"A": 90.0, "B": 80.0, "C": 100.0}
    assert made.criteria == {**dict.fromkeys(CRITERIA), "accuracy": 85.0, "validity": 100.0}
    assert (made.total, made.colour, made.keys) == (92.5, "green", True)


def test_weights_count() -> None:
    made = score(100, {"A": 100}, Measure(MEASURE.criteria, weights={"B": 3.0, "accuracy": 3.0}))
    assert made.criteria["accuracy"] == 75.0
    assert made.total == pytest.approx((3 * 75.0 + 100.0) / 4)


def test_a_key_identifier_at_fault_is_a_severe_incident_whatever_the_score() -> None:
    made = score(100_000, {"C@1": 1}, MEASURE)
    assert made.colour == "green"
    assert not made.keys


def test_both_versions_of_a_rule_count_for_it() -> None:
    assert score(10, {"A@1": 1, "A@2": 1, "DECISION": 5}, MEASURE).rules["A"] == 80.0


def test_nothing_is_measured_without_rows() -> None:
    made = score(0, {}, MEASURE)
    assert (made.total, made.colour) == (None, None)
    assert set(made.criteria.values()) == {None}


@pytest.mark.parametrize(
    ("value", "expected"), [(100.0, "green"), (90.0, "green"), (89.99, "yellow"), (75.0, "yellow"), (74.99, "red")]
)
def test_colours_change_at_the_values_of_the_index(value: float, expected: str) -> None:
    assert colour(value) == expected


def test_a_rules_own_criterion_counts_and_the_match_belongs_to_datasets_with_a_register() -> None:
    rules = RuleSet(
        rules=(
            RuleSpec("VR01", "ERROR", "", "", fields=("id",), criterion="uniqueness"),
            RuleSpec("X", "WARN", "", "", fields=("id",)),
        )
    )
    with_register, without = (measure(rules, ["id"], matched=matched) for matched in (True, False))
    assert with_register.criteria == {"VR01": "uniqueness", "X": "validity", "VR32": "accuracy", "VR07": "uniqueness"}
    assert set(without.criteria) == {"VR01", "X"}
    assert without.keys == {"VR01"}


@given(st.integers(1, 1000), st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(0, 1000)))
def test_scores_are_percentages_and_more_findings_never_raise_them(rows: int, found: dict[str, int]) -> None:
    made, worse = score(rows, found, MEASURE), score(rows, {**found, "A": found.get("A", 0) + 1}, MEASURE)
    assert made.total is not None
    assert worse.total is not None
    assert 0.0 <= worse.total <= made.total <= 100.0
