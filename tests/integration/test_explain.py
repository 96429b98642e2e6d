"""``dongbo explain`` on a real broker: what it tells is what the reconcile step wrote."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sync.cli import app
from tests.integration.route import Route, Source, truth

pytestmark = pytest.mark.integration


def test_explain_tells_each_value_its_source_and_the_values_that_lost(kafka: str, registry_url: str) -> None:
    path = Route(kafka, registry_url)
    register = Source(path, "npdb", path.population, "register")
    ministry = Source(path, "bo", path.civil_servant, "ministry")
    hanoi = Source(path, "hn", path.civil_servant, "locality", "01")
    record = truth(61, managing_agency_code="H26.1")
    path.send(register.change(61, record))
    path.send(
        ministry.change(61, {**record, "phone": "0912345678"}), hanoi.change(61, {**record, "phone": "0987654321"})
    )
    path.publish(kafka)
    key = record["citizen_id"]
    arguments = ["civil_servant", key, "--bootstrap-servers", kafka, "--schema-registry-url", registry_url]

    told = CliRunner().invoke(app, ["explain", *arguments, "--json"])

    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    golden = path.last("civil_servant.golden")[key]
    fields = {item["field"]: item for item in found["fields"]}
    assert found["locality"] == golden["_locality"] == "01"
    assert {name: item["value"] is None for name, item in fields.items()} == {
        name: golden[name] is None for name in fields
    }
    assert fields["full_name"]["source"] == "population"
    assert (fields["phone"]["value"], fields["phone"]["source"], fields["phone"]["rule"]) == (
        "0987654321",
        "hn",
        "authority",
    )
    assert fields["phone"]["lost"] == [
        {"source": "bo", "row": "public.t/61", "value": "0912345678", "why": "authority"}
    ]
    shown = CliRunner().invoke(app, ["explain", *arguments])
    lines = {line.split("│")[1].strip(): line for line in shown.stdout.splitlines() if line.count("│") == 6}
    # Who says the same lost nothing: only what differs is shown as such.
    assert "population (also bo, hn)" in lines["full_name"]
    assert lines["full_name"].count(record["full_name"]) == 1
    assert "0987654321" in lines["phone"]
    assert "0912345678 (bo: another's word comes first)" in lines["phone"]


@pytest.mark.parametrize(
    ("key", "text"), [("000000000000", "no entity with the key given"), ("1|2", "has 1 part(s), not 2")]
)
def test_a_key_that_nobody_knows_is_a_clear_error(kafka: str, registry_url: str, key: str, text: str) -> None:
    Route(kafka, registry_url)
    arguments = ["civil_servant", key, "--bootstrap-servers", kafka, "--schema-registry-url", registry_url]
    told = CliRunner().invoke(app, ["explain", *arguments])
    assert told.exit_code == 1
    assert text in told.stderr
    assert "Remedy:" in told.stderr
