"""Counts of rows as they are now: the sums of differences are the counts, whatever happened on the way."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.process.counting import added, difference
from sync.process.origin import SourceTable
from sync.process.outbox import Subject
from sync.process.quality import Tally, parsed, qualities
from sync.process.scoring import Quality
from sync.process.standing import ALL, Entry, Place, coverage, indicator, totals
from sync.process.usage import Registered
from sync.rule.score import Measure
from sync.schema.dataset import load
from sync.schema.derived import findings_key_schema, indicators_schema
from sync.schema.registry import RegistryClient

RULES = ["VR01@1", "VR10", "VR16@2"]
MEASURE = Measure({"VR01": "validity", "VR10": "validity", "VR16": "consistency"}, frozenset({"VR01"}))

quality = st.builds(
    lambda unit, rules: f"{unit}|{','.join(sorted(rules))}".encode(),
    st.sampled_from(["H26", "H49", ""]),
    st.sets(st.sampled_from(RULES)),
)
changes = st.lists(
    st.lists(st.tuples(st.sampled_from(["bo", "hn"]), st.integers(0, 4), st.none() | quality), max_size=6), max_size=8
)
"""Batches of (source, row, its quality now; None: deleted)."""


def summed(batches: list[list[tuple[str, int, bytes | None]]], repeat: Any) -> dict[Place, Entry]:
    """The table that the indicators make of the batches' differences, some of them delivered more than once."""
    state: dict[tuple[str, int], bytes] = {}
    log: list[dict[str, Any]] = []
    for batch in batches:
        tally = Tally()
        for source, row, now in batch:
            tally.replace("d", source, state.pop((source, row), b""), now or b"")
            if now:
                state[source, row] = now
        log += [value for _, value in tally.records(1)]
    table: dict[Place, Entry] = {}
    offset = 0
    while offset < len(log):
        record = log[offset]
        place = record["dataset"], record["source"], record["unit"]
        table[place] = added(table.get(place), offset, record, difference) or table[place]
        # A consumer that starts again reads from an earlier offset.
        back = repeat.randint(0, 3)
        offset = max(0, offset - back) if back and repeat.random() < 0.2 else offset + 1
    return table


def recomputed(batches: list[list[tuple[str, int, bytes | None]]]) -> dict[Place, tuple[int, Counter[str]]]:
    """The same counts from the rows as they are in the end."""
    rows = {(source, row): now for batch in batches for source, row, now in batch}
    counts: dict[Place, tuple[int, Counter[str]]] = {}
    for (source, _), now in rows.items():
        if now:
            unit, rules = parsed(now)
            number, found = counts.get(("d", source, unit), (0, Counter()))
            counts["d", source, unit] = number + 1, found + Counter(rules)
    return counts


@given(changes, st.randoms(use_true_random=False))
def test_incremental_counts_and_scores_are_those_of_a_recount(batches: Any, random: Any) -> None:
    table, expected = summed(batches, random), recomputed(batches)
    assert {place: (entry["rows"], entry["found"]) for place, entry in table.items() if entry["rows"]} == expected
    assert all(not entry["found"] for entry in table.values() if not entry["rows"])
    batch = {place: {"rows": rows, "found": dict(found), "ts_ms": 1} for place, (rows, found) in expected.items()}
    scores = {place: indicator(place, entry, MEASURE) for place, entry in totals(table).items() if entry["rows"]}
    assert scores == {place: indicator(place, entry, MEASURE) for place, entry in totals(batch).items()}


def test_a_rows_quality_has_its_unit_and_each_rule_once() -> None:
    fixes = pl.DataFrame({"row": [0, 0, 2], "field": ["a", "b", "a"], "rule": ["VR10"] * 3})
    found = pl.DataFrame({"row": [2], "field": ["a"], "rule": ["VR01"], "severity": ["ERROR"]})
    made = qualities(pl.Series(["H26", None, "G09"]), (fixes, found), 3, {"VR01": "VR01@2"})
    assert [parsed(one) for one in made] == [("H26", ["VR10"]), ("", []), ("G09", ["VR01@2", "VR10"])]


def test_sums_are_over_units_and_sources() -> None:
    entry = {"rows": 2, "found": {"VR01": 1}, "ts_ms": 5}
    table = {("d", "bo", "H26"): entry, ("d", "bo", "H49"): entry, ("d", "hn", "H26"): {**entry, "ts_ms": 9}}
    sums = totals(table)
    assert sums["d", ALL, ALL] == {"rows": 6, "found": {"VR01": 3}, "ts_ms": 9}
    assert sums["d", ALL, "H26"]["rows"] == sums["d", "bo", ALL]["rows"] == 4


def test_coverage_names_the_bodies_and_sources_that_sent_nothing_and_tells_stale_ones() -> None:
    day = 86_400_000
    table = {
        ("d", "bo", "H26"): {"rows": 2, "found": {}, "ts_ms": 200 * day},
        ("d", "bo", "G09"): {"rows": 1, "found": {}, "ts_ms": day},
        ("d", "hn", "22"): {"rows": 0, "found": {}, "ts_ms": 200 * day},
    }
    bodies = {"01": "Hà Nội", "22": "Quảng Ninh", "G09": "Bộ Nội vụ"}
    found = coverage(
        table,
        {"d": bodies, "e": {}}.__getitem__,
        {"d": ["bo", "hn"], "e": ["x"]},
        lambda unit: {"H26": "01"}.get(unit, unit),
        201 * day,
    )
    first, second = found
    assert (first["expected"], first["reporting"], first["fresh"]) == (3, 2, 1)
    assert (first["missing"], first["sources_missing"]) == (["22"], ["hn"])
    assert (second["dataset"], second["expected"], second["missing"], second["sources_missing"]) == ("e", 0, [], ["x"])
    assert json.dumps(found)


class Tables:
    """What sources are registered for: a catalogue, a register and personnel."""

    def poll(self) -> dict[str, SourceTable]:
        names = ("administrative_unit", "civil_servant", "population")
        tables = [SourceTable(f"bo.public.{name}", "bo", name, "ministry", None, name, "canonical") for name in names]
        return {table.topic: table for table in tables}


@pytest.mark.parametrize(
    ("related", "used", "judged"),
    [
        ([], ["civil_servant", "award_history"], False),
        (["award_history"], ["award_history"], False),
        (["award_history"], ["civil_servant", "award_history"], True),
    ],
)
def test_a_rule_across_datasets_is_measured_where_it_is_judged(
    related: list[str], used: list[str], *, judged: bool
) -> None:
    rule = next(rule for rule in load("award_history").rules.rules if rule.relations)
    tables = [SourceTable(f"bo.{name}", "bo", name, "ministry", None, name, "canonical") for name in used]
    registered = SimpleNamespace(poll=lambda: {table.topic: table for table in tables})
    registry = cast(RegistryClient, SimpleNamespace(register=lambda *_: 1))
    indicators = Subject(registry, "dongbo.indicators", findings_key_schema(), indicators_schema())
    quality = Quality(indicators, cast(Registered, registered), {}, {}, lambda: related)

    entry = {"rows": 4, "found": {f"{rule.id}@{rule.version}": 4}, "ts_ms": 0}
    assert [*quality.renew({"award_history|bo|": entry})]

    (told,) = quality.told({"source": "bo", "unit": ""})["scores"]
    assert rule.criterion is not None
    assert (told[rule.criterion] < 100.0) == judged


def test_bodies_are_expected_to_report_only_what_is_of_a_body() -> None:
    quality = Quality(cast(Subject, None), cast(Registered, Tables()), {"01": "Hà Nội"}, {}, tuple, lambda: 0.0)

    assert [*quality.renew({})] == []

    expected = {item["dataset"]: (item["expected"], item["missing"]) for item in quality.told({})["coverage"]}
    assert expected == {"administrative_unit": (0, []), "civil_servant": (1, ["01"]), "population": (0, [])}
