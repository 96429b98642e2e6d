"""The explanation against the merge: the same values, owners and winners for any set of contributions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from sync.rule.explanation import Claim, Explained, explain
from sync.rule.merge import ORDINALS
from tests.unit.rule.merging import EPOCH, FIELDS, POLICY, PROVINCES, contributions, run

NAMES = [field.name for field in FIELDS]


def claim(row: dict[str, Any]) -> Claim:
    """A contribution of the merge's test as a claim."""
    return Claim(
        source=row["_source"],
        row=row["_row"],
        authority=row["_authority"],
        locality=row["_locality"],
        changed_at=row["_changed_at"],
        values={name: row[name] for name in NAMES},
        waiting=row.get("waiting"),
    )


def explained(rows: list[dict[str, Any]]) -> dict[str, Explained]:
    made = explain([claim(row) for row in rows], fields=FIELDS, policy=POLICY, provinces=PROVINCES)
    assert made is not None
    return {item.field: item for item in made[0]}


def row(source: str, authority: str = "locality", locality: str | None = "01", **values: Any) -> dict[str, Any]:
    return {
        "_source": source,
        "_row": "a",
        "_authority": authority,
        "_locality": locality,
        "_changed_at": EPOCH,
        **dict.fromkeys(NAMES),
        "citizen_id": "1",
        **values,
    }


@given(contributions())
@settings(max_examples=60, deadline=None)
def test_an_explanation_names_the_values_and_the_winners_of_the_merge(rows: list[dict[str, Any]]) -> None:
    for entity, golden in enumerate(run(rows, 4).iter_rows(named=True)):
        mine = [row for row in rows if row["_e"] == entity]
        made = explain([claim(row) for row in mine], fields=FIELDS, policy=POLICY, provinces=PROVINCES)
        assert (made is not None) == golden["exists"]
        if made is None:
            continue
        items, owner = made
        assert owner == golden["_locality"]
        assert {item.field: item.value for item in items} == {name: golden[name] for name in NAMES}
        lineage = json.loads(golden["_lineage"])
        for item, mark in zip(items, lineage["fields"], strict=True):
            told = None if mark == "." else lineage["sources"][ORDINALS.index(mark)]
            assert (item.winner and (item.winner.source, item.winner.row)) == (told and (told["source"], told["row"]))
            assert len(item.lost) == (0 if item.group == "key" else len(mine) - (item.winner is not None))


@pytest.mark.parametrize(
    ("field", "rows", "rule", "why"),
    [
        (
            "grade",
            [row("bo", "ministry", None, grade="x"), row("qn", locality="22", grade="y")],
            "authority",
            "authority",
        ),
        ("phone", [row("hn", phone="1"), row("qn", locality="22", phone="2", source_updated_at=EPOCH)], "tie", "tie"),
        ("phone", [row("hn", phone="1"), row("qn", locality="22")], "only", "empty"),
        (
            "name",
            [row("hn", name="x"), row("zz", "ministry", None, name="y", waiting="NAME_DIFFERS")],
            "only",
            "waiting",
        ),
        (
            "coefficient",
            [row("bo", "ministry", None, grade="x", agency="H26"), row("hn", coefficient="2")],
            "only",
            "atomic",
        ),
    ],
)
def test_a_value_that_lost_is_told_with_the_reason(field: str, rows: list[dict[str, Any]], rule: str, why: str) -> None:
    item = explained(rows)[field]
    assert item.rule == rule
    assert [lost.why for lost in item.lost if lost.claim.source == rows[-1]["_source"]] == [why]


def test_nobody_but_the_register_makes_no_golden_record() -> None:
    made = explain([claim(row("npdb", "register", None))], fields=FIELDS, policy=POLICY, provinces=PROVINCES)
    assert made is None
