"""The oracle: its own rules by hand-made cases, and agreement with the project's merge and matching."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import polars as pl
import pytest

from sync.demo import oracle, script
from sync.demo.database import Layouts
from sync.demo.oracle import Contribution
from sync.demo.story import Stage, contribution
from sync.rule.matching import match
from sync.rule.merge import merge
from sync.rule.model import Field, Group, Locality, Policy


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def given(source: str, authority: str, day: int, locality: str | None = None, **record: Any) -> Contribution:
    return Contribution(source, "t/1", authority, locality, {"id": "1", "source_updated_at": at(day), **record})


POLICY = Policy(
    entity=("id",),
    register="population",
    locality=Locality("unit", "agency_province"),
    groups=(
        Group("identity", ("name",), ("register", "manager", "ministry", "locality")),
        Group("contact", ("phone",), ("manager", "locality", "ministry")),
        Group("placement", ("unit", "since"), ("ministry", "locality"), latest="since", atomic=True),
        Group("salary", ("step", "coefficient"), ("ministry", "manager", "locality"), atomic=True),
        Group("updated", ("source_updated_at",), max=True),
    ),
)
OWNERS = {"H26": "01", "H29": "79"}


def merged(*contributions: Contribution) -> oracle.Golden | None:
    return oracle.golden(contributions, POLICY, lambda code: OWNERS.get(code.split(".")[0]))


def test_the_register_alone_makes_no_golden_record() -> None:
    assert merged(given("dancu", "register", 1, name="A")) is None


def test_the_register_names_the_person_and_the_newest_placement_wins_over_the_ministry() -> None:
    found = merged(
        given("dancu", "register", 1, name="A"),
        given("bonoivu", "ministry", 3, name="B", unit="H26", since=1, phone="1"),
        given("tinh_79", "locality", 2, "79", name="C", unit="H29.04", since=2, phone="2"),
    )
    assert found is not None
    assert found.locality == "79"
    assert found.record == {
        "id": "1", "name": "A", "unit": "H29.04", "since": 2, "phone": "2", "source_updated_at": at(3)
    }  # fmt: skip


def test_a_locality_that_does_not_manage_comes_after_the_one_that_does() -> None:
    found = merged(
        given("tinh_01", "locality", 9, "01", unit="H26", since=1, phone="old"),
        given("tinh_79", "locality", 2, "79", unit="H29", since=2, phone="new"),
    )
    assert found is not None
    assert found.record["phone"] == "new"


def test_an_atomic_group_is_not_filled_from_another_source() -> None:
    found = merged(
        given("bonoivu", "ministry", 1, step=3),
        given("tinh_01", "locality", 2, "01", step=4, coefficient=5, unit="H26"),
    )
    assert found is not None
    assert found.record["step"] == 3
    assert "coefficient" not in found.record


def test_of_two_equal_contributions_the_newer_then_the_first_by_name_wins() -> None:
    newer = merged(given("b", "locality", 2, phone="new"), given("a", "locality", 1, phone="old"))
    tie = merged(given("b", "locality", 1, phone="b"), given("a", "locality", 1, phone="a"))
    assert newer is not None
    assert newer.record["phone"] == "new"
    assert tie is not None
    assert tie.record["phone"] == "a"


@pytest.mark.parametrize(
    ("record", "register", "padded", "outcome"),
    [
        ({"full_name": "Lê Hòa"}, {}, False, ("MATCH", None)),
        ({"full_name": "Lê Hoà"}, {}, False, ("MATCH", None)),
        ({"full_name": "Lê Hóa"}, {}, False, ("REVIEW", "NAME_DIFFERS")),
        ({}, {}, True, ("MATCH_WITH_FIX", None)),
        ({"birth_date": "1980"}, {}, False, ("MATCH_WITH_FIX", None)),
        ({"birth_date": "1980-01-02"}, {}, False, ("REVIEW", "BIRTH_DATE_DIFFERS")),
        ({"gender": "2"}, {}, False, ("REVIEW", "SEX_DIFFERS")),
        ({}, None, False, ("REVIEW", "NOT_IN_REGISTER")),
        ({"citizen_id": None}, {}, False, ("REVIEW", "NO_ID")),
    ],
)
def test_a_row_is_matched_by_name_birth_date_and_sex(
    record: dict[str, Any], register: dict[str, Any] | None, padded: bool, outcome: tuple[str, str | None]
) -> None:
    person = {"citizen_id": "1", "full_name": "Lê Hòa", "birth_date": "1980-01-01", "gender": "1"}
    row = Contribution("s", "r", "locality", "01", {**person, **record}, padded)
    assert oracle.match(row, None if register is None else {**person, **register}) == outcome


def frame(contributions: list[tuple[int, Contribution]], fields: tuple[Field, ...]) -> pl.DataFrame:
    """Contributions as the merge takes them; the register's row without a commit time."""
    columns: dict[str, Any] = {
        "_e": pl.Series([number for number, _ in contributions], dtype=pl.UInt32),
        "_source": [found.source for _, found in contributions],
        "_row": [found.row for _, found in contributions],
        "_authority": [found.authority for _, found in contributions],
        "_locality": pl.Series([found.locality for _, found in contributions], dtype=pl.String),
        "_changed_at": pl.Series([None] * len(contributions), dtype=pl.Datetime("us", "UTC")),
    }
    for field in fields:
        values = [found.record.get(field.name) for _, found in contributions]
        columns[field.name] = pl.Series(values, dtype=field.dtype)
    return pl.DataFrame(columns)


@pytest.mark.parametrize("live", [False, True])
def test_the_merge_in_columns_gives_the_oracles_golden_records(stage: Stage, layouts: Layouts, live: bool) -> None:
    dataset = layouts.datasets["civil_servant"]
    taking: list[tuple[int, Contribution]] = []
    expected = []
    for number in stage.numbers():
        story = script.story(stage, number)
        register, rows = story.final(live=live)
        valid = [contribution(row) for row in rows if not row.refused or row.error == "broken"]
        found, _ = oracle.matched(valid, contribution(register) if register else None)
        taking += [(number, one) for one in found]
        expected.append(stage.expected(story, live=live).golden)
    Random(1).shuffle(taking)
    provinces = {code: province for province, codes in stage.world.agencies.items() for code in codes}
    result = merge(
        frame(taking, dataset.fields),
        entities=len(expected),
        fields=dataset.fields,
        policy=dataset.policy,
        provinces=provinces,
    )
    for number, row in enumerate(result.frame.drop("_lineage").iter_rows(named=True)):
        golden = expected[number]
        record = {name: value for name, value in row.items() if value is not None}
        wanted = {} if golden is None else dict(golden.record)
        if golden is not None and golden.locality:
            wanted["_locality"] = golden.locality
        assert record == wanted, f"person {number}"
        assert result.exists[number] == (golden is not None)


def test_the_matching_in_columns_gives_the_oracles_verdicts(stage: Stage) -> None:
    names = ("full_name", "birth_date", "gender")
    rows: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    expected = []
    for number in stage.numbers():
        register, held = script.story(stage, number).final()
        for row in held:
            if row.refused or not row.clean.get("citizen_id"):
                continue
            rows.append({**{name: row.clean[name] for name in names}, "padded": row.padded})
            known = register.clean if register else {}
            people.append({**{f"r_{name}": known.get(name) for name in names}, "found": register is not None})
            outcome, code = oracle.match(contribution(row), register.clean if register else None)
            expected.append((code or outcome, outcome))
    decided = match(pl.DataFrame(rows), pl.DataFrame(people))
    assert list(zip(decided["code"], decided["outcome"], strict=True)) == expected
