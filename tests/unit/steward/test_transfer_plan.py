"""Plans as files, outcomes of their records, and signed reports: all without a broker."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import ConfigError
from sync.process.transfer import Move
from sync.rule.succession import of_mapping
from sync.steward.transfer.plan import Plan, make, moves_of, read
from sync.steward.transfer.report import read_key, sign, verify
from sync.steward.transfer.status import OUTCOMES, Standing, outcome

MOVE = Move("managing_agency_code", "G07", "G09", False)
SALT = "0" * 32
KEY = b"k" * 32


def plan(*held: tuple[bytes, list[Move]]) -> Plan:
    return make(
        "civil_servant",
        held,
        origin="reference",
        effective_date="2025-03-01",
        as_of={"0": 7},
        made_at="2026-11-22T00:00:00Z",
        salt=SALT,
    )


def test_a_plan_is_the_same_whatever_the_order_of_its_records_and_comes_back_from_its_file(tmp_path: Path) -> None:
    other = Move("permanent_province", "27", "24", False)
    made = plan((b"one", [MOVE, other]), (b"two", [MOVE]))
    assert plan((b"two", [MOVE]), (b"one", [MOVE, other])) == made
    file = tmp_path / "plan.json"
    made.write(file)
    assert read(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [len(row.records) for row in made.rows] == [2, 1]
    assert made.moves[made.digest(b"one")] == (MOVE, other)
    with pytest.raises(ConfigError, match="can't be written"):
        made.write(file)


@pytest.mark.parametrize("change", [{"effective_date": "2020-01-01"}, {"rows": []}, {"format": 2}])
def test_a_plan_that_was_changed_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "plan.json"
    plan((b"one", [MOVE])).write(file)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ConfigError, match="hash"):
        read(file)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": [{}]}'])
def test_what_is_no_plan_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="is no plan"):
        read(file)


def test_fields_that_are_linked_wait_together_and_others_do_not() -> None:
    succession = of_mapping("old,new,effective_date\nG07,G09,2025-03-01\n27,24,2025-07-01\n", "m.csv")
    linked = (("managing", "employing"), ("province", "commune"))
    values = {"managing": "G07", "employing": "G07.1", "province": "27", "commune": None}
    assert moves_of(values, linked, succession) == [
        Move("managing", "G07", "G09", True),
        Move("employing", "G07.1", None, True),
        Move("province", "27", "24", False),
    ]


def golden(value: str | None, plan: str | None = None) -> dict[str, Any]:
    transfers = [{"field": MOVE.field, "old": MOVE.old, "plan": plan}] if plan else []
    return {MOVE.field: value, "_lineage": json.dumps({"transfers": transfers})}


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(1, None, False, False), "gone"),
        (Standing(None, golden("G07"), False, False), "pending"),
        (Standing(1, golden("G07"), False, False), "unfinished"),
        (Standing(1, golden("G09", "p"), False, False), "moved"),
        (Standing(1, golden("G09"), False, False), "already"),
        (Standing(1, golden("G09", "another plan"), False, False), "already"),
        (Standing(1, golden("H26"), False, False), "superseded"),
        (Standing(1, golden(None), False, False), "superseded"),
        (Standing(2, golden("G09", "p"), False, False), "unfinished"),
        (Standing(2, golden("G07"), False, False), "undone"),
    ],
)
def test_a_planned_record_has_one_outcome(standing: Standing, expected: str) -> None:
    assert outcome(MOVE, "p", standing) == expected


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(1, golden("G07"), True, False), "waiting"),
        (Standing(1, golden("G07"), False, True), "kept"),
        # Neither a case nor a decision: the reconciler has not seen the event.
        (Standing(1, golden("G07"), False, False), "unfinished"),
        (Standing(1, golden("G08", "p"), False, False), "moved"),
    ],
)
def test_a_record_that_a_person_decides_about_waits_until_then(standing: Standing, expected: str) -> None:
    assert outcome(MOVE._replace(new=None, waits=True), "p", standing) == expected


@given(
    st.builds(
        Standing,
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, golden("G07"), golden("X")]),
        st.booleans(),
        st.booleans(),
    ),
    st.booleans(),
)
def test_every_outcome_is_a_known_one(standing: Standing, waits: bool) -> None:
    assert outcome(MOVE._replace(waits=waits), "p", standing) in OUTCOMES


def test_a_signed_report_is_checked_against_its_key_and_its_content(tmp_path: Path) -> None:
    content = {"plan": "p", "totals": {"moved": 3}, "origin": "Nghị quyết"}
    data = sign(content, KEY)
    assert verify(data, KEY) == content
    assert sign(content, KEY) == data
    for wrong, key, said in (
        (data.replace(b'"moved":3', b'"moved":4'), KEY, "changed after it was signed"),
        (data, b"x" * 32, "another key"),
        (b"{}", KEY, "no signed report"),
        (b"[1]", KEY, "no signed report"),
    ):
        with pytest.raises(ConfigError, match=said):
            verify(wrong, key)
    short = tmp_path / "key"
    short.write_bytes(b"short\n")
    with pytest.raises(ConfigError, match="fewer than 32"):
        read_key(short)
