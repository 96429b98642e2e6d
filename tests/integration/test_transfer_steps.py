"""What a transfer of merged units does in the reconcile step: to golden records, localities, cases and the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sync.process.decision import read as read_decision
from sync.process.entity import TRANSFER, entity_key
from sync.process.outbox import encode, partition_of
from sync.process.transfer import Move, moves_text
from tests.integration.route import Arrived, Route, Source, truth

pytestmark = pytest.mark.integration

GOLDEN, REVIEW = "civil_servant.golden", "civil_servant.review"
HANOI, QUANG_NINH = f"{GOLDEN}.01", f"{GOLDEN}.22"
OLD, NEW = "H26.1", "H49.1"


def event(
    path: Route, key: str, moves: Sequence[Move], *, revision: int = 1, plan: str = "a" * 16, day: str = "2026-01-01"
) -> Arrived:
    """A plan's event about one person, as ``dongbo transfer`` writes it."""
    subject = path.subjects.transfer(path.civil_servant)
    record = {
        "plan": plan,
        "revision": revision,
        "action": "apply" if revision == 1 else "undo",
        "sequence": day,
        "moves": moves_text(moves),
        "at": 0,
        "by": "an",
    }
    (value,) = encode(subject.value, [record], subject.value_header)
    partition = partition_of(entity_key([key]), path.subjects.partitions)
    return Arrived(subject.topic, partition, 0, subject.key_header + entity_key([key, plan]), value)


def move(path: Route, *events: Arrived) -> None:
    path.run(path.reconciler, list(events))


def told(path: Route, key: str) -> list[dict[str, str]]:
    """What transfers gave to a golden record, from its lineage."""
    return list(json.loads(path.last(GOLDEN)[key]["_lineage"]).get("transfers", []))


def decide(path: Route, key: str, action: str, *, id: str = "1", undoes: str | None = None, **changes: str) -> None:
    """A decision about the transfer's case, carried out by the reconciler as the bridge does it."""
    about = [value for _, value in path.topics[REVIEW] if value and value["source"] == TRANSFER][-1]
    assert about["entity"] == key
    record = {**about, "id": id, "action": action, "changes": json.dumps(changes), "undoes": undoes}
    path.decisions.add([read_decision(record)])
    again = path.reconciler.again({("civil_servant.valid", number) for number in range(2)}, anew=True)
    path.run(path.reconciler, list(again))  # type: ignore[arg-type]


def test_a_transfer_moves_the_record_with_its_province_and_its_undo_gives_back_what_was(
    path: Route, register: Source, ministry: Source
) -> None:
    record = truth(101, managing_agency_code=OLD)
    key = record["citizen_id"]
    path.send(register.change(101, record))
    path.send(ministry.change(101, record))
    before = path.last(GOLDEN), path.last(HANOI)

    moves = [Move("managing_agency_code", OLD, NEW, False)]
    move(path, event(path, key, moves))
    assert path.last(GOLDEN)[key]["managing_agency_code"] == NEW
    assert told(path, key) == [{"field": "managing_agency_code", "old": OLD, "plan": "a" * 16}]
    assert path.last(HANOI) == {}
    assert set(path.last(QUANG_NINH)) == {key}

    written = len(path.topics[GOLDEN])
    move(path, event(path, key, moves))
    assert len(path.topics[GOLDEN]) == written, "what came twice did something"

    move(path, event(path, key, moves, revision=2))
    move(path, event(path, key, moves))
    assert (path.last(GOLDEN), path.last(HANOI)) == before
    assert path.last(QUANG_NINH) == {}
    assert path.outcomes("bo.public.t") == {"received": 1, "applied": 1}


def test_a_stale_code_that_arrives_later_is_moved_and_a_newer_one_wins(
    path: Route, register: Source, ministry: Source
) -> None:
    record = truth(102, managing_agency_code=OLD)
    key = record["citizen_id"]
    path.send(register.change(102, record))
    path.send(ministry.change(102, record))
    move(path, event(path, key, [Move("managing_agency_code", OLD, NEW, False)]))

    path.send(ministry.change(102, {**record, "phone": "0912345678"}))
    golden = path.last(GOLDEN)[key]
    assert (golden["managing_agency_code"], golden["phone"]) == (NEW, "0912345678")

    path.send(ministry.change(102, {**record, "managing_agency_code": "G09"}))
    assert path.last(GOLDEN)[key]["managing_agency_code"] == "G09"
    assert told(path, key) == []
    assert path.balanced("bo.public.t")


def test_events_before_the_record_and_plans_in_any_order_end_in_the_same_golden_record(
    kafka: str, registry_url: str
) -> None:
    def run(order: Sequence[int]) -> dict[str, Any]:
        path = Route(kafka, registry_url)
        register, ministry = (
            Source(path, "npdb", path.population, "register"),
            Source(path, "bo", path.civil_servant, "ministry"),
        )
        record = truth(103, managing_agency_code=OLD)
        key = record["citizen_id"]
        path.send(register.change(103, record))
        steps = [
            lambda: path.send(ministry.change(103, record, lsn=1000)),
            lambda: move(path, event(path, key, [Move("managing_agency_code", OLD, NEW, False)])),
            lambda: move(
                path,
                event(path, key, [Move("managing_agency_code", NEW, "H22.1", False)], plan="0" * 16, day="2026-02-01"),
            ),
        ]
        for number in order:
            steps[number]()
        return {name: path.last(name) for name in (GOLDEN, HANOI, QUANG_NINH, f"{GOLDEN}.08")}

    expected = run((0, 1, 2))
    assert [golden["managing_agency_code"] for golden in expected[GOLDEN].values()] == ["H22.1"]
    assert len(expected[f"{GOLDEN}.08"]) == 1
    assert run((2, 1, 0)) == run((1, 0, 2)) == expected


WAITING = [
    Move("managing_agency_code", OLD, NEW, True),
    Move("employing_unit_code", "H26.1.1", None, True, ("H49.1.1", "H49.1.2")),
]


def test_what_has_several_successors_waits_until_a_person_decides(
    path: Route, register: Source, ministry: Source
) -> None:
    record = truth(104, managing_agency_code=OLD, employing_unit_code="H26.1.1")
    key = record["citizen_id"]
    path.send(register.change(104, record))
    path.send(ministry.change(104, record))
    before = path.last(GOLDEN)

    move(path, event(path, key, WAITING))
    assert path.last(GOLDEN) == before
    (case,) = path.last(REVIEW).values()
    assert (case["code"], case["stage"], case["entity"], case["locality"]) == ("UNIT_AMBIGUOUS", "transfer", key, "01")
    candidates = [one["value"] for one in json.loads(case["proposals"]) if one["field"] == "employing_unit_code"]
    assert candidates == ["H49.1.1", "H49.1.2"]

    decide(path, key, "set", employing_unit_code="H49.1.2")
    golden = path.last(GOLDEN)[key]
    assert (golden["managing_agency_code"], golden["employing_unit_code"]) == (NEW, "H49.1.2")
    assert (path.last(REVIEW), set(path.last(QUANG_NINH))) == ({}, {key})

    decide(path, key, "undo", id="2", undoes="1")
    assert path.last(GOLDEN) == before
    assert len(path.last(REVIEW)) == 1

    decide(path, key, "reject", id="3")
    assert (path.last(GOLDEN), path.last(REVIEW)) == (before, {})
    move(path, event(path, key, WAITING, revision=2))
    assert (path.last(GOLDEN), path.last(REVIEW)) == (before, {})
    assert path.outcomes("bo.public.t") == {"received": 1, "applied": 1}


def test_a_case_is_closed_when_the_owner_names_newer_units_or_the_plan_is_undone(
    path: Route, register: Source, ministry: Source
) -> None:
    record = truth(105, managing_agency_code=OLD, employing_unit_code="H26.1.1")
    key = record["citizen_id"]
    path.send(register.change(105, record))
    path.send(ministry.change(105, record))
    move(path, event(path, key, WAITING))
    assert len(path.last(REVIEW)) == 1

    path.send(ministry.change(105, {**record, "managing_agency_code": "H49", "employing_unit_code": "H49.3"}))
    assert path.last(REVIEW) == {}
    path.send(ministry.change(105, record))
    assert len(path.last(REVIEW)) == 1
    move(path, event(path, key, WAITING, revision=2))
    assert path.last(REVIEW) == {}
