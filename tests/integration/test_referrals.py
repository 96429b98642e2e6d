"""Rows whose number is wrong, given to the right person by a data steward: records, cases, verdicts, the ledger."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sync.process.decision import Decision, read
from tests.integration.route import Route, Source, truth

pytestmark = pytest.mark.integration

GOLDEN, REVIEW, VERDICT = "civil_servant.golden", "civil_servant.review", "civil_servant.verdict"


def mistyped(index: int, **changes: Any) -> dict[str, Any]:
    """The record of a person with a number that is nobody's."""
    record = truth(index, managing_agency_code="H26.1", **changes)
    return {**record, "citizen_id": f"{record['citizen_id'][:6]}777777"}


def fixes(path: Route) -> list[dict[str, str]]:
    """What owners are told of numbers that were decided about."""
    told = (json.loads(said["fixes"] or "[]") for said in path.last(VERDICT).values())
    return [fix for found in told for fix in found if fix["rule"] == "DECISION"]


def codes(path: Route) -> list[str]:
    return [case["code"] for case in path.last(REVIEW).values()]


def contradicted(path: Route) -> int:
    """The ministry's rows that the register contradicts (VR32), by the differences that the indicators add up."""
    told = [value for _, value in path.topics.get("dongbo.findings", []) if value and value["source"] == "bo"]
    return sum(json.loads(value["findings"]).get("VR32", 0) for value in told)


def merging(right: str, wrong: str, id: str, undoes: str | None = None) -> Decision:
    """A decision that two numbers are one person's, or its undoing."""
    row = "|".join(sorted((right, wrong)))
    about = {"dataset": "civil_servant", "stage": "alias", "source": "dongbo.aliases", "row": row}
    where = {"topic": "civil_servant.aliases", "partition": 0, "key": None, "entity": row[:12], "facts": ""}
    action = "merge" if undoes is None else "undo"
    changes = json.dumps({"citizen_id": right}) if undoes is None else None
    return read({**about, **where, "id": id, "action": action, "changes": changes, "undoes": undoes})


def merge(path: Route, right: str, wrong: str, id: str, undoes: str | None = None) -> None:
    """Decide it, and carry it out as the bridge does."""
    path.decisions.add([merging(right, wrong, id, undoes)])
    everywhere = {("civil_servant.valid", number) for number in range(2)}
    again = path.reconciler.again(everywhere, anew=True)
    path.run(path.reconciler, list(again))  # type: ignore[arg-type]


def test_a_row_with_a_wrong_number_becomes_the_chosen_persons_and_its_undo_opens_the_case_again(
    path: Route, register: Source, ministry: Source
) -> None:
    record = mistyped(71)
    key = truth(71)["citizen_id"]
    path.send(register.change(71, truth(71)))
    path.send(ministry.change(71, record))
    assert (codes(path), contradicted(path)) == (["NOT_IN_REGISTER"], 1)

    path.decide("public.t/71", "choose", citizen_id=key)
    assert contradicted(path) == 0
    assert path.last(GOLDEN)[key]["managing_agency_code"] == "H26.1"
    assert path.last(GOLDEN)[key]["citizen_id"] == key
    assert record["citizen_id"] not in path.last(GOLDEN)
    assert path.last(REVIEW) == {}
    (fix,) = fixes(path)
    assert (fix["field"], fix["old"], fix["new"]) == ("citizen_id", record["citizen_id"], key)
    assert path.outcomes("bo.public.t") == {"received": 1, "merged": 1}

    path.decide("public.t/71", "undo", id="2", undoes="1")
    assert path.last(GOLDEN) == {}
    assert (codes(path), contradicted(path)) == (["NOT_IN_REGISTER"], 1)
    assert [said["outcome"] for said in path.last(VERDICT).values()] == ["REVIEW"]
    assert path.outcomes("bo.public.t") == {"received": 1, "review": 1}

    # Once more for the same version of the row: what is sent to the person is newer than what was called back.
    path.decide("public.t/71", "choose", id="3", citizen_id=key)
    assert key in path.last(GOLDEN)
    assert path.last(REVIEW) == {}
    assert path.outcomes("bo.public.t") == {"received": 1, "merged": 1}


def test_a_row_stays_the_chosen_persons_as_long_as_the_facts_are_the_same(
    path: Route, register: Source, ministry: Source
) -> None:
    record, key = mistyped(72), truth(72)["citizen_id"]
    path.send(register.change(72, truth(72)))
    path.send(ministry.change(72, record))
    path.decide("public.t/72", "choose", citizen_id=key)

    path.send(ministry.change(72, {**record, "phone": "0912345678"}))
    assert path.last(GOLDEN)[key]["phone"] == "0912345678"

    path.send(ministry.change(72, {**record, "full_name": "Trần Thị Bưởi"}))
    assert (codes(path), path.last(GOLDEN)) == (["NOT_IN_REGISTER"], {})

    # As it was decided on: the decision holds again.
    path.send(ministry.change(72, record))
    assert (codes(path), list(path.last(GOLDEN))) == ([], [key])

    # The number is somebody's now: that is another case.
    path.send(register.change(99, {**truth(99), "citizen_id": record["citizen_id"]}))
    assert (codes(path), path.last(GOLDEN)) == (["NAME_DIFFERS"], {})
    path.send(register.change(99, None))
    assert (codes(path), list(path.last(GOLDEN))) == ([], [key])

    # The source corrects the number: the row is there by itself, and the owner is told of nothing more.
    path.send(ministry.change(72, {**record, "citizen_id": key}))
    assert (codes(path), list(path.last(GOLDEN)), fixes(path)) == ([], [key], [])

    path.send(ministry.change(72, record))
    assert len(fixes(path)) == 1
    path.send(ministry.change(72, None))
    assert path.last(GOLDEN) == path.last(REVIEW) == path.last(VERDICT) == {}
    assert path.balanced("bo.public.t")


def test_a_row_that_is_chosen_for_a_person_still_has_to_be_like_them(
    path: Route, register: Source, ministry: Source
) -> None:
    record, key = mistyped(73, full_name="Trần Thị Bưởi"), truth(73)["citizen_id"]
    path.send(register.change(73, truth(73)))
    path.send(ministry.change(73, record))
    path.decide("public.t/73", "choose", citizen_id=key)
    (case,) = path.last(REVIEW).values()
    # Who it is is decided: nobody else is looked for.
    assert (case["code"], case["entity"], case["record"], contradicted(path)) == ("NAME_DIFFERS", key, None, 1)
    assert path.outcomes("bo.public.t") == {"received": 1, "review": 1}

    path.decide("public.t/73", "accept", id="2")
    assert list(path.last(GOLDEN)) == [key]
    assert (codes(path), len(fixes(path))) == ([], 1)

    path.decide("public.t/73", "undo", id="3", undoes="1")
    assert (codes(path), path.last(GOLDEN)) == (["NOT_IN_REGISTER"], {})
    assert path.outcomes("bo.public.t") == {"received": 1, "review": 1}


def test_a_refused_version_of_a_row_that_was_chosen_for_a_person_has_the_word_there(
    path: Route, register: Source, ministry: Source
) -> None:
    record, key = mistyped(74), truth(74)["citizen_id"]
    path.send(register.change(74, truth(74)))
    path.send(ministry.change(74, record))
    path.decide("public.t/74", "choose", citizen_id=key)
    path.send(ministry.change(74, {**record, "email": "một@hai"}))
    for name in (truth(74)["full_name"], "Lê Văn Cam"):
        path.send(register.change(74, {**truth(74), "full_name": name}))
        (said,) = path.last(VERDICT).values()
        assert (said["code"], said["outcome"]) == ("EMAIL", "REJECTED")
    assert codes(path) == ["NAME_DIFFERS"]
    path.send(register.change(74, truth(74)))
    assert list(path.last(GOLDEN)) == [key]

    path.send(ministry.change(74, {**record, "email": "mot@hai.vn"}))
    assert path.last(GOLDEN)[key]["email"] == "mot@hai.vn"
    assert len(fixes(path)) == 1
    assert path.balanced("bo.public.t")


def test_two_numbers_that_are_one_persons_are_one_record_until_that_is_undone(
    path: Route, register: Source, ministry: Source
) -> None:
    right, wrong = truth(75, managing_agency_code="H26.1", phone=None), mistyped(75, phone="0912345678")
    key, other = right["citizen_id"], wrong["citizen_id"]
    path.send(register.change(75, right), register.change(76, wrong))
    path.send(ministry.change(75, right), ministry.change(76, wrong))
    assert path.last(GOLDEN).keys() == {key, other}

    merge(path, key, other, "1")
    assert path.last(GOLDEN).keys() == {key}
    (fix,) = fixes(path)
    assert (fix["old"], fix["new"]) == (other, key)
    assert path.last(REVIEW) == {}
    assert path.balanced("bo.public.t")

    # What comes later with the wrong number is the person's too, and told to its owner.
    path.send(ministry.change(77, {**wrong, "email": "mot@hai.vn"}))
    assert path.last(GOLDEN).keys() == {key}
    assert path.last(GOLDEN)[key]["phone"] == "0912345678"
    assert [(told["old"], told["new"]) for told in fixes(path)] == [(other, key)] * 2
    path.send(ministry.change(77, None))
    assert fixes(path) == [fix]

    merge(path, key, other, "2", undoes="1")
    assert path.last(GOLDEN).keys() == {key, other}
    assert path.last(GOLDEN)[other]["phone"] == "0912345678"
    assert fixes(path) == []
    assert path.balanced("bo.public.t")


def test_numbers_that_lead_to_one_another_are_taken_to_the_last_and_never_round(
    path: Route, register: Source, ministry: Source
) -> None:
    records = [{**truth(78), "citizen_id": f"{truth(78)['citizen_id'][:6]}40000{number}"} for number in range(3)]
    first, second, third = (record["citizen_id"] for record in records)
    for number, record in enumerate(records):
        path.send(register.change(78 + number, record))
        path.send(ministry.change(78 + number, record))
    merge(path, second, first, "1")
    merge(path, third, second, "2")
    assert path.last(GOLDEN).keys() == {third}
    merge(path, first, third, "3")
    assert path.last(GOLDEN).keys() == {first, second, third}
    merge(path, first, third, "4", undoes="3")
    merge(path, third, second, "5", undoes="2")
    assert path.last(GOLDEN).keys() == {second, third}
    assert path.balanced("bo.public.t")
