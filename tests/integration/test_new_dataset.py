"""A new dataset is a folder and nothing else: made by `dongbo dataset new`, it goes through both steps at once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sync.cli import app
from sync.process.reconcile import Reconciler
from sync.schema.dataset import load
from sync.schema.reference import load_reference, owners
from tests.integration.route import Route, Source

CAR = {"plate_no": "80A-123.45", "name": "Xe công", "source_updated_at": datetime(2026, 11, 1, tzinfo=UTC)}


@pytest.fixture
def route(kafka: str, registry_url: str, schemas: Path) -> Route:
    """Both steps on a copy of the schemas with a dataset that was not there before."""
    options = ("--name-vi", "Xe", "--name-en", "Cars", "--owner-vi", "Văn phòng Bộ", "--owner-en", "Office")
    made = CliRunner().invoke(app, ["dataset", "new", "official_car", "--key", "plate_no", *options])
    assert made.exit_code == 0
    # Owned by the province whose system tells of a car.
    policy = schemas / "official_car" / "policy.yaml"
    text = policy.read_text(encoding="utf-8").replace("distribution: centre", "distribution: owner")
    policy.write_text(text.replace("locality: null", "locality: {field: _locality, via: contributor}"), "utf-8")
    found = Route(kafka, registry_url)
    found.reconciler = Reconciler(
        registry=found.registry,
        subjects=found.subjects,
        datasets=[],
        provinces=owners(load_reference(["agencies", "provinces"])),
        get=found._get,
        discover=iter([[load("official_car")]]).__next__,
    )
    return found


def test_a_record_of_a_new_dataset_becomes_golden_and_goes_to_its_province(route: Route) -> None:
    source = Source(route, "cars", load("official_car"), "locality", "01")
    backwards = {"valid_from": date(2026, 2, 1), "valid_to": date(2026, 1, 1)}
    repaired = CAR | {"plate_no": "80A-999.99", "name": "  Xe   công"}
    good, bad, noisy = source.change(1, CAR), source.change(2, CAR | backwards), source.change(3, repaired)
    wanted = set(route.reconciler.topics())
    route.reconciler._discover = tuple

    route.send(good, bad, noisy)

    assert wanted == {"official_car.valid", "official_car.transfer"}
    golden, _ = route.last("official_car.golden").values()
    assert (golden["plate_no"], golden["name"], golden["_locality"]) == ("80A-123.45", "Xe công", "01")
    assert [*route.last("official_car.golden.01")] == ["80A-123.45", "80A-999.99"]
    (refused,) = route.last("official_car.rejected").values()
    assert "OFFI01" in refused["reasons"]
    # No register, so no word of a match with one.
    told = {said["outcome"]: (said["code"], said["message_en"]) for said in route.last("official_car.verdict").values()}
    assert told["VALID"] == ("VALID", "Valid, and taken")
