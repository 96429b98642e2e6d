"""Contributions to merge, by a policy that has each kind of group."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from sync.rule.merge import merge
from sync.rule.model import Field, Group, Locality, Policy

FIELDS = (
    Field("citizen_id"),
    Field("name"),
    Field("agency"),
    Field("since", "date"),
    Field("phone"),
    Field("grade"),
    Field("coefficient"),
    Field("source_updated_at", "datetime"),
)
POLICY = Policy(
    entity=("citizen_id",),
    register="population",
    distribution="owner",
    locality=Locality("agency", "agency_province"),
    groups=(
        Group("identity", ("name",), ("register", "manager", "ministry", "locality")),
        Group("contact", ("phone",), ("manager", "locality", "ministry")),
        Group("placement", ("agency", "since"), ("ministry", "locality"), latest="since", atomic=True),
        Group("salary", ("grade", "coefficient"), ("ministry", "manager"), atomic=True),
        Group("updated", ("source_updated_at",), max=True),
    ),
)
PROVINCES = {"H26": "01", "H49": "22"}
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = {
    "_e": pl.UInt32,
    "_source": pl.String,
    "_row": pl.String,
    "_authority": pl.String,
    "_locality": pl.String,
    "_changed_at": pl.Datetime("us", "UTC"),
    **{field.name: field.dtype for field in FIELDS},
}
ORIGINS = [
    ("npdb", "register", None),
    ("bo", "ministry", None),
    ("hn", "locality", "01"),
    ("qn", "locality", "22"),
]


@st.composite
def contributions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Contributions to up to four entities: at most one an (entity, source, row), the register's without a row."""
    rows = []
    for entity in range(draw(st.integers(1, 4))):
        chosen = draw(st.lists(st.tuples(st.sampled_from(ORIGINS), st.sampled_from("ab")), unique=True, max_size=5))
        seen = set()
        for (source, authority, locality), row in chosen:
            row = "" if authority == "register" else row
            if (source, row) in seen:
                continue
            seen.add((source, row))
            text = st.sampled_from([None, "x", "y", "z"])
            agency = draw(st.sampled_from([None, "H26", "H26.1", "H49", "G09"]))
            local = authority != "register"
            rows.append(
                {
                    "_e": entity,
                    "_source": source,
                    "_row": row,
                    "_authority": authority,
                    "_locality": locality,
                    "_changed_at": EPOCH + timedelta(seconds=draw(st.integers(0, 3))),
                    "citizen_id": f"{entity:012d}",
                    "name": draw(text),
                    "agency": agency if local else None,
                    "since": draw(st.sampled_from([None, date(2020, 1, 1), date(2024, 5, 1)])) if local else None,
                    "phone": draw(text) if local else None,
                    "grade": draw(text) if local else None,
                    "coefficient": draw(text) if local else None,
                    "source_updated_at": draw(
                        st.sampled_from([None, EPOCH + timedelta(days=1), EPOCH + timedelta(days=2)])
                    ),
                }
            )
    return rows


def run(rows: list[dict[str, Any]], entities: int) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    merged = merge(frame, entities=entities, fields=FIELDS, policy=POLICY, provinces=PROVINCES)
    assert merged.frame.columns == [*(field.name for field in FIELDS), "_locality", "_lineage"]
    return merged.frame.with_columns(exists=merged.exists)
