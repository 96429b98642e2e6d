"""``dongbo match`` on a real broker: a record under review finds the person it is about."""

from __future__ import annotations

import json

import pytest
import yaml
from typer.testing import CliRunner

from sync.cli import app
from tests.integration.route import Route, Source, truth

pytestmark = pytest.mark.integration


def test_a_record_with_a_wrong_number_finds_its_person_and_the_weights_can_be_learnt(
    kafka: str, registry_url: str
) -> None:
    path = Route(kafka, registry_url)
    register = Source(path, "npdb", path.population, "register")
    ministry = Source(path, "bo", path.civil_servant, "ministry")
    person, other = truth(81), truth(82)
    mistyped = f"{person['citizen_id'][:6]}777777"
    path.send(register.change(81, person), register.change(82, other))
    path.send(ministry.change(81, {**person, "citizen_id": mistyped}), ministry.change(82, other))
    path.publish(kafka)
    where = ["civil_servant", "--bootstrap-servers", kafka, "--schema-registry-url", registry_url]

    told = CliRunner().invoke(app, ["match", "candidates", *where, "--json"])

    assert told.exit_code == 0, told.output
    (case,) = [item for item in json.loads(told.stdout) if item["row"].endswith("/81")]
    assert case["code"] == "NOT_IN_REGISTER"
    best = case["candidates"][0]
    assert best["number"] == f"{person['citizen_id'][:3]}******{person['citizen_id'][-3:]}"
    assert best["levels"]["full_name"] == best["levels"]["birth_date"] == "equal"
    assert person["citizen_id"] not in told.stdout

    learnt = CliRunner().invoke(app, ["match", "train", *where])

    assert learnt.exit_code == 0, learnt.output
    assert set(yaml.safe_load(learnt.stdout)["fields"]["gender"]) == {"equal", "differs"}
