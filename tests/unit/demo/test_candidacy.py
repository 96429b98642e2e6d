"""What the demo tells of candidates: counts against its own knowledge, and no person."""

from __future__ import annotations

from typing import Any

from sync.demo.candidacy import Candidacy, _counted, _numbers
from sync.demo.script import story
from sync.demo.story import Stage

EQUAL = {"full_name": "equal", "birth_date": "equal", "gender": "differs"}


def case(identity: tuple[str, str], *numbers: str) -> dict[str, Any]:
    found = [{"id": "a", "number": number, "score": 31.6, "levels": EQUAL} for number in numbers]
    return {"id": "0e04af31f632", "source": identity[0], "row": identity[1], "candidates": found}


def test_the_right_person_is_counted_where_it_stands_first(stage: Stage) -> None:
    (one, right), (other, second), *_ = _numbers(stage).items()
    made = _counted([case(other, right, second), case(one, right), case(("bo", "none"))], stage)
    assert made.as_json() == {"cases": 3, "with_candidates": 2, "right_one_first": 1}
    assert made.example == case(one, right)
    told = "\n".join(made.told())
    assert right in told
    assert "equal: full_name, birth_date" in told


def test_each_row_without_a_number_is_known_by_its_persons_masked_one(stage: Stage) -> None:
    known = _numbers(stage)
    rows = [row for index in range(stage.people) for row in story(stage, index).rows if row.error == "no_id"]
    assert {row.identity for row in rows} == known.keys()
    assert all("***" in number for number in known.values())


def test_nothing_is_told_where_no_case_is_open() -> None:
    assert Candidacy(0, 0, 0, None).told() == []
