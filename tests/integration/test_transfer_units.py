"""A plan reads from the units' own golden records which unit follows which."""

from __future__ import annotations

import uuid
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sync.kafka.client import producer
from sync.process.entity import entity_key
from sync.process.outbox import encode, partition_of
from sync.schema.dataset import load
from sync.steward.transfer.service import Place, plan
from tests.integration.route import Route, truth

pytestmark = pytest.mark.integration


def put(kafka: str, path: Route, dataset_id: str, records: dict[str, dict[str, Any] | None]) -> None:
    """Golden records by key, as the reconcile step leaves them."""
    subject = path.subjects.golden(load(dataset_id))
    client = producer(kafka)
    for key, record in records.items():
        value = None if record is None else encode(subject.value, [record], subject.value_header)[0]
        data = entity_key([key])
        client.produce(subject.topic, value, subject.key_header + data, partition_of(data, path.subjects.partitions))
    assert client.flush(30) == 0


def test_a_plan_follows_units_by_what_they_tell_of_themselves(kafka: str, registry_url: str, tmp_path: Path) -> None:
    path, mark = Route(kafka, registry_url), uuid.uuid4().hex[:6].upper()
    one, two, gone, other = (f"G17.{mark}.{number}" for number in (1, 2, 3, 4))
    office, later = f"{one}.7", f"{other}.9"
    ended = {"valid_to": date(2025, 12, 31)}
    put(
        kafka,
        path,
        "organization_unit",
        {
            one: {"agency_code": one, **ended, "successor_codes": other},
            two: {"agency_code": two, **ended, "successor_codes": f"{other};G17.{mark}.5"},
            gone: {"agency_code": gone, **ended, "successor_codes": other},
            office: {"agency_code": office, "name": "Phòng Tổ chức"},
            later: {"agency_code": later, "name": "Phòng tổ chức"},
        },
    )
    put(kafka, path, "organization_unit", {gone: None})
    people = [
        truth(1000 * int(mark, 16) + number, employing_unit_code=unit)
        for number, unit in enumerate((one, two, gone, office))
    ]
    names = ("citizen_id", "employing_unit_code")
    put(
        kafka,
        path,
        "civil_servant",
        {person["citizen_id"]: {name: person[name] for name in names} for person in people},
    )

    made = plan(Place(kafka, registry_url), "civil_servant")

    moves = {row.move.old: row.move for row in made.rows if mark in row.move.old}
    assert set(moves) == {one, two, office}
    assert (moves[office].new, moves[office].waits) == (later, False)
    assert (moves[one].new, moves[one].waits) == (other, False)
    assert (moves[two].new, moves[two].waits, moves[two].candidates) == (None, True, (other, f"G17.{mark}.5"))
    assert made.effective_date >= "2026-01-01"

    mapping = tmp_path / "another.csv"
    mapping.write_text("old,new,effective_date\nG16,G18,2026-01-01\n", encoding="utf-8")
    assert not any(mark in row.move.old for row in plan(Place(kafka, registry_url), "civil_servant", mapping).rows)
