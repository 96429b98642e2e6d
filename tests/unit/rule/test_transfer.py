"""Transfers in the merge: a plan and its undoing are nothing, no order counts, lineage names what gave a value."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.rule.merge import ORDINALS, merge
from sync.rule.transfer import Passage, carried, carry
from tests.unit.rule.merging import FIELDS, POLICY, PROVINCES, SCHEMA, contributions, run

UNITS = ("H26", "H26.1", "H49", "G09")
PASSAGES = st.lists(
    st.builds(
        Passage,
        st.integers(0, 3),
        st.sampled_from(["agency", "name"]),
        st.sampled_from((*UNITS, "x")),
        st.sampled_from((*UNITS, "y")),
        st.sampled_from(["a", "b"]),
    ),
    max_size=6,
)


def merged(rows: list[dict[str, Any]], passages: list[Passage]) -> pl.DataFrame:
    frame = carry(pl.DataFrame(rows, schema=SCHEMA, orient="row"), passages)
    return merge(frame, entities=4, fields=FIELDS, policy=POLICY, provinces=PROVINCES).frame


def values(rows: list[dict[str, Any]], passages: list[Passage]) -> list[dict[str, Any]]:
    """The rows, one by one, as the transfers make them read."""
    return [row | carried(row, [one for one in passages if one.entity == row["_e"]]) for row in rows]


@given(contributions(), PASSAGES, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_every_arrival_order_of_contributions_gives_the_same_transferred_records(
    rows: list[dict[str, Any]], passages: list[Passage], random: Any
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert merged(rows, passages).equals(merged(shuffled, passages))


@given(contributions(), PASSAGES)
@settings(max_examples=60, deadline=None)
def test_transferred_records_are_those_of_sources_that_name_the_new_units_themselves(
    rows: list[dict[str, Any]], passages: list[Passage]
) -> None:
    found = merged(rows, passages).drop("_lineage")
    assert found.equals(run(values(rows, passages), 4).drop("_lineage", "exists"))


@given(contributions(), PASSAGES)
@settings(max_examples=60, deadline=None)
def test_lineage_names_the_transfers_of_the_contribution_that_won_and_no_others(
    rows: list[dict[str, Any]], passages: list[Passage]
) -> None:
    by_row = {(row["_e"], row["_source"], row["_row"]): row for row in rows}
    for entity, golden in enumerate(merged(rows, passages).iter_rows(named=True)):
        if golden["_lineage"] is None:
            continue
        lineage = json.loads(golden["_lineage"])
        expected = []
        for field in dict.fromkeys(passage.field for passage in passages):
            mark = lineage["fields"][[one.name for one in FIELDS].index(field)]
            if mark == ".":
                continue
            winner = lineage["sources"][ORDINALS.index(mark)]
            value = by_row[entity, winner["source"], winner["row"]][field]
            for passage in passages:
                if (passage.entity, passage.field, passage.old) == (entity, field, value):
                    expected.append({"field": field, "old": value, "plan": passage.plan})
                    value = passage.new
            assert golden[field] == value
        assert lineage.get("transfers", []) == expected


@given(contributions())
@settings(max_examples=20, deadline=None)
def test_without_transfers_nothing_is_different(rows: list[dict[str, Any]]) -> None:
    assert merged(rows, []).equals(run(rows, 4).drop("exists"))
