"""What a data steward's decisions do, step by step: to golden records, cases, verdicts and the ledger."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.integration.route import Route, Source, truth

pytestmark = pytest.mark.integration

GOLDEN, REVIEW, VERDICT = "civil_servant.golden", "civil_servant.review", "civil_servant.verdict"


def test_a_number_that_a_person_gives_lets_the_row_in_and_its_undo_takes_it_out(
    path: Route, register: Source, ministry: Source
) -> None:
    record = truth(71, managing_agency_code="H26.1")
    key = record["citizen_id"]
    path.send(register.change(71, record))
    path.send(ministry.change(71, {**record, "citizen_id": None}))
    assert [case["code"] for case in path.last(REVIEW).values()] == ["NO_ID"]
    assert path.outcomes("bo.public.t") == {"received": 1, "review": 1}

    path.decide("public.t/71", "set", citizen_id=key)
    assert path.last(GOLDEN)[key]["full_name"] == record["full_name"]
    assert path.last(REVIEW) == {}
    assert "DECISION" in next(iter(path.last(VERDICT).values()))["fixes"]
    assert path.outcomes("bo.public.t") == {"received": 1, "applied": 1}

    path.decide("public.t/71", "undo", id="2", undoes="1")
    assert path.last(GOLDEN) == {}
    assert [case["code"] for case in path.last(REVIEW).values()] == ["NO_ID"]
    assert [said["outcome"] for said in path.last(VERDICT).values()] == ["REVIEW"]
    assert path.balanced("bo.public.t")
    assert path.outcomes("bo.public.t")["review"] == 1


def test_a_decision_holds_for_later_versions_with_the_same_facts_and_no_others(
    path: Route, register: Source, ministry: Source
) -> None:
    record = truth(72, managing_agency_code="H26.1")
    key = record["citizen_id"]
    path.send(register.change(72, record))
    path.send(ministry.change(72, {**record, "citizen_id": None}))
    path.decide("public.t/72", "set", citizen_id=key)

    path.send(ministry.change(72, {**record, "citizen_id": None, "phone": "0912345678"}))
    assert path.last(GOLDEN)[key]["phone"] == "0912345678"
    assert path.last(REVIEW) == {}

    path.send(ministry.change(72, {**record, "citizen_id": None, "full_name": "Trần Thị Bưởi"}))
    assert [case["code"] for case in path.last(REVIEW).values()] == ["NO_ID"]
    assert path.balanced("bo.public.t")


def test_a_record_that_differs_from_the_register_takes_part_once_it_is_accepted(
    path: Route, register: Source, ministry: Source
) -> None:
    record = truth(73, managing_agency_code="H26.1")
    key = record["citizen_id"]
    path.send(register.change(73, record))
    path.send(ministry.change(73, {**record, "full_name": "Trần Thị Bưởi"}))
    assert [case["code"] for case in path.last(REVIEW).values()] == ["NAME_DIFFERS"]

    path.decide("public.t/73", "accept")
    assert path.last(GOLDEN)[key]["managing_agency_code"] == "H26.1"
    assert path.last(REVIEW) == {}
    assert [said["outcome"] for said in path.last(VERDICT).values()] == ["ACCEPTED"]
    assert path.outcomes("bo.public.t") == {"received": 1, "merged": 1}

    path.decide("public.t/73", "undo", id="2", undoes="1")
    assert path.last(GOLDEN) == {}
    assert [case["code"] for case in path.last(REVIEW).values()] == ["NAME_DIFFERS"]
    assert path.outcomes("bo.public.t") == {"received": 1, "review": 1}

    # The register says another thing now: it was not that which was accepted.
    path.decide("public.t/73", "accept", id="3")
    path.send(register.change(73, {**record, "full_name": "Lê Văn Cam"}))
    assert [case["code"] for case in path.last(REVIEW).values()] == ["NAME_DIFFERS"]
    assert path.outcomes("bo.public.t") == {"received": 1, "review": 1}


@pytest.mark.parametrize("given", [{"full_name": "Trần Thị Bưởi"}, {"citizen_id": None}])
def test_a_record_that_a_person_refuses_is_rejected_and_its_undo_opens_the_case_again(
    path: Route, register: Source, ministry: Source, given: dict[str, str | None]
) -> None:
    record = truth(74, managing_agency_code="H26.1")
    path.send(register.change(74, record))
    path.send(ministry.change(74, {**record, **given}))
    path.decide("public.t/74", "reject")
    assert path.last(GOLDEN) == path.last(REVIEW) == {}
    assert [said["outcome"] for said in path.last(VERDICT).values()] == ["REJECTED"]
    assert path.outcomes("bo.public.t") == {"received": 1, "rejected": 1}

    path.decide("public.t/74", "undo", id="2", undoes="1")
    assert len(path.last(REVIEW)) == 1
    assert path.outcomes("bo.public.t") == {"received": 1, "review": 1}

    path.send(ministry.change(74, record))
    assert record["citizen_id"] in path.last(GOLDEN)
    assert path.last(REVIEW) == {}
    assert path.outcomes("bo.public.t") == {"received": 2, "merged": 1, "applied": 1}


def test_a_decision_that_is_carried_out_once_more_changes_nothing(
    path: Route, register: Source, ministry: Source
) -> None:
    record = truth(75, managing_agency_code="H26.1")
    path.send(register.change(75, record))
    path.send(ministry.change(75, {**record, "citizen_id": None}), ministry.change(76, {**record, "full_name": "Y Ca"}))
    path.decide("public.t/75", "set", citizen_id=record["citizen_id"])
    path.decide("public.t/76", "accept", id="2")
    before = path.outcomes("bo.public.t"), path.last(GOLDEN), len(path.topics[VERDICT])
    path.decide("public.t/75", "set", citizen_id=record["citizen_id"])
    assert (path.outcomes("bo.public.t"), path.last(GOLDEN), len(path.topics[VERDICT])) == before


@pytest.fixture
def localities(path: Route) -> tuple[Source, Source]:
    return (
        Source(path, "hn", path.civil_servant, "locality", "01"),
        Source(path, "qn", path.civil_servant, "locality", "22"),
    )


def active(index: int, agency: str, since: date) -> dict[str, Any]:
    return truth(
        index,
        managing_agency_code=agency,
        employment_status="DANG_LAM_VIEC",
        current_unit_start_date=since,
        status_effective_date=since,
        concurrent_position=None,
    )


def test_a_transfer_that_the_former_unit_did_not_close_is_told_to_both(
    path: Route, register: Source, localities: tuple[Source, Source]
) -> None:
    hanoi, quangninh = localities
    old, new = active(81, "H26.1", date(2024, 1, 1)), active(81, "H49.1", date(2025, 8, 1))
    path.send(register.change(81, old))
    path.send(hanoi.change(81, old))
    path.send(quangninh.change(81, new))
    golden = path.last(GOLDEN)[old["citizen_id"]]
    assert (golden["managing_agency_code"], golden["_locality"]) == ("H49.1", "22")
    assert {said["source"]: said["code"] for said in path.last(VERDICT).values()} == {
        "hn": "TRANSFERRED_AWAY",
        "qn": "TRANSFERRED_HERE",
    }
    assert path.last(REVIEW) == {}
    # Each locality is told of its own rows and of no others.
    assert {said["source"] for said in path.last("civil_servant.verdict.01").values()} == {"hn"}
    assert {said["source"] for said in path.last("civil_servant.verdict.22").values()} == {"qn"}

    path.send(hanoi.change(81, None))
    assert path.last("civil_servant.verdict.01") == {}
    assert {said["code"] for said in path.last(VERDICT).values()} <= {"MATCH"}
    assert path.last(GOLDEN)[old["citizen_id"]]["managing_agency_code"] == "H49.1"
    assert path.balanced("hn.public.t")
    assert path.balanced("qn.public.t")


def test_a_person_active_in_two_units_is_asked_about_and_stays_golden_until_one_is_refused(
    path: Route, register: Source, localities: tuple[Source, Source]
) -> None:
    hanoi, quangninh = localities
    since = date(2025, 8, 1)
    one, other = active(82, "H26.1", since), active(82, "H49.1", since)
    key = one["citizen_id"]
    path.send(register.change(82, one))
    path.send(hanoi.change(82, one), quangninh.change(82, other))
    cases = path.last(REVIEW).values()
    assert {(case["source"], case["code"], case["rule"]) for case in cases} == {
        ("hn", "TWO_UNITS", "VR07@1"),
        ("qn", "TWO_UNITS", "VR07@1"),
    }
    assert path.last(GOLDEN)[key]["managing_agency_code"] == "H26.1"

    source = next(case for _, case in path.topics[REVIEW] if case and case["source"] == "hn")
    path.topics[REVIEW].append(({"source": "hn", "row": "public.t/82"}, source))
    path.decide("public.t/82", "reject")
    assert path.last(GOLDEN)[key]["managing_agency_code"] == "H49.1"
    said = {one["source"]: (one["outcome"], one["code"]) for one in path.last(VERDICT).values()}
    assert said["hn"] == ("REJECTED", "REFUSED")
    assert said.get("qn", ("MATCH", "MATCH")) == ("MATCH", "MATCH")
    assert path.last(REVIEW) == {}
    assert path.outcomes("hn.public.t") == {"received": 1, "applied": 1, "merged": -1, "rejected": 1}

    path.decide("public.t/82", "undo", id="2", undoes="1")
    assert len(path.last(REVIEW)) == 2
    assert path.last(GOLDEN)[key]["managing_agency_code"] == "H26.1"
    assert path.outcomes("qn.public.t")["review"] == 0
    assert path.balanced("hn.public.t")
