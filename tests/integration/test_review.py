"""Review on real processors and a real broker: a case, a decision over REST, the golden record, its undoing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from sync.cli import app
from sync.kafka.client import read_all
from sync.kafka.tail import tail
from sync.process.reader import FRAME
from sync.steward.explain import explained
from sync.steward.openapi import document
from sync.steward.rest import Api, application
from sync.steward.review import Review
from tests.integration.processors import publish, register_source, running, wait
from tests.integration.route import Route, Source, truth

pytestmark = pytest.mark.integration

CASES = "/datasets/civil_servant/cases"
FROM_START: dict[str, Any] = {"from_beginning": True, "follow": False}
STEWARD = {"X-Remote-User": "an.nguyen"}


@pytest.fixture
def processors(kafka: str, registry_url: str, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """The three processors as processes; the function given starts them, and fails where one has ended."""
    with running(("validate", "reconcile", "indicators"), kafka, registry_url, tmp_path) as check:
        yield check


def test_a_decision_over_rest_changes_the_golden_record_and_its_undo_changes_it_back(
    kafka: str, registry_url: str, processors: Callable[[], None]
) -> None:
    path, mark = Route(kafka, registry_url), uuid.uuid4().hex[:6]
    register = Source(path, f"npdb{mark}", path.population, "register")
    ministry = Source(path, f"bo{mark}", path.civil_servant, "ministry")
    record = truth(91, managing_agency_code="H26.1")
    key = record["citizen_id"]
    for source in (register, ministry):
        register_source(kafka, source)
    publish(kafka, register.change(91, record), ministry.change(91, {**record, "citizen_id": None}))

    def golden() -> bytes | None:
        datum = path.subjects.golden(path.civil_servant).key.schema and key.encode()
        found = None
        for message in read_all(kafka, "civil_servant.golden"):
            if (message.key() or b"")[FRAME:].endswith(datum):
                found = message.value()
        return found

    service = Review(kafka, registry_url)
    api = application(service, lambda dataset, key: explained(kafka, registry_url, dataset, key), "X-Remote-User")
    with TestClient(api) as client:

        def cases(**query: str) -> list[Any]:
            return list(client.get(CASES, params={"source": f"bo{mark}", **query}).json()["cases"])

        case = wait(processors, cases)[0]
        assert (case["code"], case["stage"]) == ("NO_ID", "validate")
        at = f"{CASES}/{case['id']}"
        assert client.put(f"{at}/assignee", json={"assignee": "binh"}, headers=STEWARD).status_code == 200
        assert [found["id"] for found in cases(assignee="binh")] == [case["id"]]
        servers = ["--bootstrap-servers", kafka, "--schema-registry-url", registry_url]
        listed = CliRunner().invoke(
            app, ["review", "list", "civil_servant", "--source", f"bo{mark}", "--json", *servers]
        )
        assert [(found["id"], found["assignee"]) for found in json.loads(listed.stdout)] == [(case["id"], "binh")]
        shown = CliRunner().invoke(app, ["review", "show", "civil_servant", case["id"], *servers])
        assert (shown.exit_code, "NO_ID" in shown.stdout) == (0, True)
        wrong_case = CliRunner().invoke(app, ["review", "show", "civil_servant", "0" * 12, *servers])
        assert (wrong_case.exit_code, "no open case" in wrong_case.stderr) == (1, True)
        verdict = {"action": "set", "why": "seen on the card", "changes": {"citizen_id": key}, "facts": case["facts"]}
        assert client.post(f"{at}/decisions", json=verdict).status_code == 401
        for wrong, status in (
            ({**verdict, "facts": "other"}, 409),
            ({**verdict, "action": "accept", "changes": {}}, 400),
            ({**verdict, "changes": {"nothing": "1"}}, 400),
            ({**verdict, "why": " "}, 400),
        ):
            assert client.post(f"{at}/decisions", json=wrong, headers=STEWARD).status_code == status
        made = client.post(f"{at}/decisions", json=verdict, headers=STEWARD)
        assert made.status_code == 201, made.text
        decision = made.json()
        assert (decision["by"], decision["why"]) == ("an.nguyen", "seen on the card")

        wait(processors, golden)
        assert cases() == []
        told = client.get(f"/datasets/civil_servant/entities/{key}").json()
        assert {item["source"] for item in told["contributions"]} >= {f"bo{mark}"}

        undo = f"/datasets/civil_servant/decisions/{decision['id']}/undo"
        undone = client.post(undo, json={"why": "a mistake"}, headers=STEWARD)
        assert undone.status_code == 201, undone.text
        wait(processors, lambda: golden() is None)
        again = wait(processors, cases)[0]
        assert again["id"] == case["id"]
        history = client.get(at).json()["decisions"]
        assert [(one["action"], one["by"]) for one in history] == [
            ("assign", "an.nguyen"),
            ("set", "an.nguyen"),
            ("undo", "an.nguyen"),
        ]
        assert client.post(undo, json={"why": "once more"}, headers=STEWARD).status_code == 409

    def scored() -> list[dict[str, Any]]:
        """The ministry's indicator: one row, without a number."""
        told = (record["value"] for record in tail(kafka, registry_url, "dongbo.indicators", **FROM_START))
        mine = [one for one in told if (one["source"], one["unit"]) == (f"bo{mark}", "H26")]
        return [one for one in mine if "NO_ID@1" in json.loads(one["findings"])]

    indicator = wait(processors, scored)[-1]
    assert (indicator["rows"], indicator["key_identifiers"], indicator["completeness"] < 100.0) == (1, False, True)
    service.close()


def test_the_openapi_document_has_the_routes_that_are_served() -> None:
    routes = {(method.lower(), path) for method, path, _ in Api(None, None, "").routes()}  # type: ignore[arg-type]
    paths = document()["paths"]
    assert {(method, path) for path, item in paths.items() for method in item if method != "parameters"} == routes


def test_generated_clients_have_a_name_for_each_operation_and_numbers_for_pages() -> None:
    operations = [one for item in document()["paths"].values() for one in item.values() if isinstance(one, dict)]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(operations)
    (cases,) = [one for one in operations if one["operationId"] == "list_cases"]
    kinds = {parameter["name"]: parameter["schema"]["type"] for parameter in cases["parameters"]}
    assert (kinds["limit"], kinds["offset"], kinds["code"]) == ("integer", "integer", "string")
