"""The merge against a plain reading of the policy, one entity and one field at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.rule.merge import CONTRIBUTOR, ORDINALS, merge
from sync.rule.model import Locality
from tests.unit.rule.merging import EPOCH, FIELDS, POLICY, PROVINCES, SCHEMA, contributions, run


def oracle(rows: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """Golden values of one entity and the source of each field, by the policy's words."""
    local = [row for row in rows if row["_authority"] != "register"]
    if not local:
        return None, {}
    owner: str | None = None
    golden: dict[str, Any] = {"citizen_id": rows[0]["citizen_id"]}
    origin: dict[str, str] = {}

    def place(order: tuple[str, ...], row: dict[str, Any]) -> int | None:
        if row["_authority"] == "locality" and "manager" in order and owner is not None and row["_locality"] == owner:
            return order.index("manager")
        return order.index(row["_authority"]) if row["_authority"] in order else None

    for group in sorted(POLICY.groups, key=lambda group: "manager" in group.order):
        if group.max:
            held = [row["source_updated_at"] for row in local if row["source_updated_at"] is not None]
            golden["source_updated_at"] = max(held, default=None)
            continue
        ranked = sorted(
            (row for row in rows if place(group.order, row) is not None),
            key=lambda row: (
                -(row[group.latest].toordinal() if row[group.latest] else 0) if group.latest else 0,
                place(group.order, row),
                -(row["source_updated_at"] or row["_changed_at"]).timestamp(),
                row["_source"],
                row["_row"],
            ),
        )
        if group.atomic:
            ranked = [row for row in ranked if any(row[name] is not None for name in group.fields)][:1]
        for name in group.fields:
            candidates = ranked
            best = next((row for row in candidates if row[name] is not None), None)
            golden[name] = best and best[name]
            if best:
                origin[name] = f"{best['_source']}/{best['_row']}"
        if group.name == "placement":
            owner = PROVINCES.get((golden["agency"] or "").split(".")[0])
    golden["_locality"] = owner
    return golden, origin


@given(contributions(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_every_arrival_order_gives_the_same_golden_records(rows: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert run(rows, 4).equals(run(shuffled, 4))


@given(contributions())
@settings(max_examples=60, deadline=None)
def test_golden_records_are_what_the_policy_says(rows: list[dict[str, Any]]) -> None:
    for entity, golden in enumerate(run(rows, 4).iter_rows(named=True)):
        mine = [row for row in rows if row["_e"] == entity]
        expected, origin = oracle(mine)
        assert golden["exists"] == (expected is not None)
        if expected is None:
            continue
        assert {name: golden[name] for name in expected} == expected
        lineage = json.loads(golden["_lineage"])
        sources = [f"{item['source']}/{item['row']}" for item in lineage["sources"]]
        named = {
            field.name: sources[ORDINALS.index(mark)]
            for field, mark in zip(FIELDS, lineage["fields"], strict=True)
            if mark != "." and field.name in origin
        }
        assert named == origin


def test_a_record_may_belong_to_the_province_whose_source_told_it_last() -> None:
    rows = [
        contribution(source, authority, province, day)
        for source, authority, province, day in (
            ("tinh_01", "locality", "01", 1),
            ("tinh_31", "locality", "31", 2),
            ("bonoivu", "ministry", None, 3),
        )
    ]
    policy = replace(POLICY, locality=Locality(CONTRIBUTOR, "contributor"))
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")

    merged = merge(frame, entities=1, fields=FIELDS, policy=policy, provinces={"01": "01", "31": "31"})

    assert merged.frame["_locality"].to_list() == ["31"]


def contribution(source: str, authority: str, province: str | None, day: int) -> dict[str, Any]:
    """A contribution to entity 0 that fills nothing but its meta fields."""
    meta = {"_e": 0, "_source": source, "_row": "t/1", "_authority": authority, "_locality": province}
    return dict.fromkeys(SCHEMA) | meta | {"citizen_id": "1", "_changed_at": datetime(2026, 1, day, tzinfo=UTC)}


@given(contributions(), st.integers(0, 4), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_entities_merge_alike_alone_and_together(rows: list[dict[str, Any]], first: int, random: Any) -> None:
    """A batch is no unit: any split of the entities over batches, in any order, gives the same golden records."""
    whole = run(rows, 4)
    numbers = list(range(4))
    random.shuffle(numbers)
    for part in (numbers[:first], numbers[first:]):
        mine = [{**row, "_e": part.index(row["_e"])} for row in rows if row["_e"] in part]
        alone = run(mine, len(part)) if part else whole.head(0)
        assert alone.equals(whole[part])


def test_a_group_that_comes_whole_passes_over_who_says_nothing_of_it() -> None:
    def salary(source: str, authority: str, locality: str | None, grade: str | None) -> dict[str, Any]:
        empty = dict.fromkeys(SCHEMA)
        told = {"_source": source, "_row": "a", "_authority": authority, "_locality": locality, "_changed_at": EPOCH}
        return {**empty, "_e": 0, **told, "citizen_id": "1", "agency": "H26", "grade": grade}

    silent, speaking = salary("bo", "ministry", None, None), salary("hn", "locality", "01", "A1")
    assert run([silent, speaking], 1)["grade"].to_list() == ["A1"]
    assert run([{**silent, "coefficient": "2"}, speaking], 1).select("grade", "coefficient").rows() == [(None, "2")]


def test_an_empty_batch_has_no_golden_records() -> None:
    frame = run([], 2)
    assert frame["exists"].to_list() == [False, False]
