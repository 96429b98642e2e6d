"""Verification finds each kind of difference, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.demo import script
from sync.demo.person import Record
from sync.demo.report import Report
from sync.demo.site import CENTRE
from sync.demo.story import Stage
from sync.demo.tally import Counts
from sync.demo.verify import Findings, Sorted, compare

Verdict = tuple[str, str, str, str | None]


class Copy:
    """What the databases would hold if everything went right, to be spoilt by a test."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.centre: list[tuple[int, Record]] = []
        self.local: dict[str, list[tuple[int, Record]]] = {code: [] for code in stage.world.connected}
        self.verdicts: list[tuple[int, Verdict]] = []
        for number in stage.numbers():
            story = script.story(stage, number)
            expected = stage.expected(story)
            for (source, row), (outcome, codes) in expected.verdicts.items():
                if outcome != "MATCH":
                    self.verdicts.append((number, (source, row, outcome, min(codes) if codes else outcome)))
            if expected.golden is None:
                continue
            record = dict(expected.golden.record)
            if expected.golden.locality:
                record["_locality"] = expected.golden.locality
            self.centre.append((number, record))
            if expected.golden.locality in self.local:
                self.local[expected.golden.locality].append((number, dict(record)))

    def compare(self) -> Findings:
        return compare(self.stage, self.centre, self.local, self.verdicts)


@pytest.fixture
def copy(stage: Stage) -> Copy:
    return Copy(stage)


def test_nothing_differs_where_everything_went_right(copy: Copy) -> None:
    findings = copy.compare()
    assert findings.good
    assert findings.rows == len(copy.centre) + sum(map(len, copy.local.values()))
    assert all(rows == right for rows, right in findings.outcomes.values())
    assert 90 < findings.matched_percent < 100


def missing(copy: Copy) -> None:
    del copy.centre[5]


def surplus(copy: Copy) -> None:
    copy.centre.append((copy.stage.numbers()[-1] + 1, {"citizen_id": "x"}))


def wrong_value(copy: Copy) -> None:
    copy.centre[7][1]["phone"] = "0"


def extra_value(copy: Copy) -> None:
    copy.centre[7][1]["concurrent_position"] = "x"


@pytest.mark.parametrize("spoil", [missing, surplus, wrong_value, extra_value])
def test_a_difference_in_the_centre_is_found(copy: Copy, spoil: Callable[[Copy], None]) -> None:
    spoil(copy)
    findings = copy.compare()
    assert (findings.centre_differences, findings.locality_differences) == (1, 0)


def test_a_row_in_the_wrong_province_is_found_in_both(copy: Copy) -> None:
    first, second = copy.stage.world.connected[:2]
    row = copy.local[first].pop(3)
    copy.local[second].append(row)
    copy.local[second].sort(key=lambda pair: pair[0])
    assert copy.compare().locality_differences == 2


def test_a_missing_verdict_on_a_damaged_row_is_found(copy: Copy) -> None:
    copy.verdicts = [pair for pair in copy.verdicts if pair[1][2] != "REJECTED"]
    findings = copy.compare()
    assert findings.verdict_differences > 0
    assert findings.outcomes["bad_id"][1] < findings.outcomes["bad_id"][0]


def test_a_verdict_for_the_wrong_reason_is_found(copy: Copy) -> None:
    place = next(n for n, (_, verdict) in enumerate(copy.verdicts) if verdict[3] == "NAME_DIFFERS")
    number, (source, row, outcome, _) = copy.verdicts[place]
    copy.verdicts[place] = (number, (source, row, outcome, "SEX_DIFFERS"))
    assert copy.compare().verdict_differences == 1


def test_an_example_names_the_field_and_never_a_value(copy: Copy) -> None:
    copy.centre[7][1]["phone"] = "0999999999"
    (example,) = copy.compare().examples
    assert example.startswith(f"{CENTRE}: person ")
    assert example.endswith("differs in phone")
    assert "0999999999" not in example


def test_a_sorted_stream_counts_what_nobody_asked_for() -> None:
    rows = Sorted([(1, "a"), (3, "b"), (3, "c"), (9, "d")])
    assert (rows.below(3), rows.take(3), rows.rest()) == (1, ["b", "c"], 1)


def counted(**outcomes: int) -> Counts:
    counts = Counts()
    for outcome, number in outcomes.items():
        counts.add({"topic": "a.b.c", "outcome": outcome, "count": number})
    return counts


def test_the_ledger_balances_when_every_captured_change_has_an_end() -> None:
    assert not counted(captured=10, suppressed=3, applied=4, merged=1, rejected=1, review=1).unbalanced()
    assert counted(captured=10, applied=9).unbalanced() == {"a.b.c": 1}


def test_an_echo_taken_for_a_change_is_a_problem() -> None:
    counts = counted(captured=10, applied=10)
    assert Report(counts, Findings(), {"a.b.c": 10}, 1.0).good
    assert not Report(counts, Findings(), {"a.b.c": 9}, 1.0).good


def test_the_result_for_scripts_has_the_promised_keys() -> None:
    result = Report(counted(captured=1, applied=1), Findings(), {"a.b.c": 1}, 1.0, [0.1, 0.2], 2).as_json()
    assert list(result) == [
        *("captured", "applied", "merged", "rejected", "review", "suppressed"),
        *("balanced", "central_matches_model", "localities_match_model", "matched_percent", "latency_ms", "rows_per_s"),
        "candidates",
    ]
    assert result["latency_ms"] == {"p50": 150.0, "p99": 199.0}
