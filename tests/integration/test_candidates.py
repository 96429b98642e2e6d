"""Candidates on a real broker: a record under review finds the person it is about, and a steward chooses them."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sync.cli import app
from sync.connect.problem import BadRequest
from sync.kafka.client import read_all
from sync.rule.linkage import masked
from sync.steward.explain import explained
from sync.steward.review import Review, Verdict
from tests.integration.processors import publish, register_source, running, wait
from tests.integration.route import Route, Source, truth

pytestmark = pytest.mark.integration


def sources(kafka: str, registry_url: str, mark: str) -> tuple[Source, Source]:
    """The register and a ministry, registered; ``mark`` keeps their names apart from other tests'."""
    path = Route(kafka, registry_url)
    register = Source(path, f"npdb{mark}", path.population, "register")
    ministry = Source(path, f"bo{mark}", path.civil_servant, "ministry")
    for source in (register, ministry):
        register_source(kafka, source)
    return register, ministry


def holds(kafka: str, number: str) -> bool:
    """Whether there is a golden record with the number."""
    found = None
    for message in read_all(kafka, "civil_servant.golden"):
        if (message.key() or b"").endswith(number.encode()):
            found = message.value()
    return found is not None


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


@pytest.mark.parametrize(("index", "stage"), [(83, "validate"), (91, "reconcile")])
def test_a_record_without_its_number_gets_candidates_and_the_chosen_one_makes_it_golden_until_undone(
    kafka: str, registry_url: str, tmp_path: Path, index: int, stage: str
) -> None:
    mark = uuid.uuid4().hex[:6]
    register, ministry = sources(kafka, registry_url, mark)
    person, other = truth(index, managing_agency_code="H26.1"), truth(84)
    key = person["citizen_id"]
    # No number at all, or one that is nobody's.
    row = {**person, "citizen_id": None if stage == "validate" else f"{key[:6]}{int(mark, 16) % 10**6:06d}"}
    publish(kafka, register.change(84, other), ministry.change(index, row))
    service = Review(kafka, registry_url)

    def case() -> dict[str, Any] | None:
        found = service.cases("civil_servant", source=f"bo{mark}")
        return service.case("civil_servant", found[0]["id"]) if found else None

    with running(("validate", "reconcile", "candidates"), kafka, registry_url, tmp_path) as check:
        # Looked for, and nobody found: the register does not know the person yet.
        alone = wait(check, lambda: (found := case()) and found["candidates"] is not None and found)
        assert key not in [one["number"] for one in alone["candidates"]]
        assert (alone["record"]["full_name"], alone["stage"]) == (person["full_name"], stage)

        # The register learns of them, and the case is looked at again.
        publish(kafka, register.change(index, person))
        named = wait(check, lambda: (found := case()) and found["candidates"] and found)
        best = named["candidates"][0]
        assert best["number"] == f"{key[:3]}******{key[-3:]}"
        assert best["levels"]["full_name"] == best["levels"]["birth_date"] == "equal"

        servers = ["--bootstrap-servers", kafka, "--schema-registry-url", registry_url]
        at = ["civil_servant", named["id"]]
        resolve = ["review", "resolve", *at, "choose", "--why", "the same person", "--candidate"]
        wrong = CliRunner().invoke(app, [*resolve, "00000000", *servers])
        assert (wrong.exit_code, "no candidate" in wrong.stderr) == (1, True)
        made = CliRunner().invoke(app, [*resolve, best["id"], "--json", *servers])
        assert made.exit_code == 0, made.stderr
        decision = json.loads(made.stdout)
        assert decision["changes"] == {"citizen_id": key}
        wait(check, lambda: holds(kafka, key))
        assert case() is None

        service.undo("civil_servant", decision["id"], "an.nguyen", "another person")
        wait(check, lambda: not holds(kafka, key))
        # Open again, with its candidates.
        wait(check, lambda: (found := case()) and found["candidates"] and found)
    logs = "".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert not [value for value in (key, person["full_name"]) if value in logs]
    service.close()


def test_two_numbers_that_seem_one_persons_are_a_case_until_a_steward_says_they_are_two_or_one_goes(
    kafka: str, registry_url: str, tmp_path: Path
) -> None:
    mark = uuid.uuid4().hex[:6]
    register, ministry = sources(kafka, registry_url, mark)
    first = truth(85, managing_agency_code="H26.1")
    second = {**first, "citizen_id": f"{first['citizen_id'][:6]}{int(mark, 16) % 10**6:06d}"}
    row = "|".join(sorted((first["citizen_id"], second["citizen_id"])))
    people = {85: first, 86: second, 87: truth(87)}
    publish(kafka, *(register.change(number, one) for number, one in people.items()))
    publish(kafka, *(ministry.change(number, one) for number, one in people.items()))
    service = Review(kafka, registry_url)

    def case() -> dict[str, Any] | None:
        found = [one for one in service.cases("civil_servant", code="TWO_NUMBERS") if one["row"] == row]
        return found[0] if found else None

    with running(("validate", "reconcile", "candidates"), kafka, registry_url, tmp_path) as check:
        opened = wait(check, case)
        assert (opened["stage"], opened["rule"].partition("@")[0]) == ("alias", "VR07")
        for action, changes in (("reject", {}), ("merge", {"citizen_id": "001234567890"}), ("merge", {"gender": "1"})):
            with pytest.raises(BadRequest):
                service.resolve("civil_servant", opened["id"], Verdict(action, "an", "no", changes))

        right = first["citizen_id"]
        one = service.resolve("civil_servant", opened["id"], Verdict("merge", "an", "one", {"citizen_id": right}))
        wait(check, lambda: not holds(kafka, second["citizen_id"]))
        assert (case(), holds(kafka, right)) == (None, True)

        def referred() -> list[dict[str, str]]:
            """The ministry's rows that are the right person's by the decision; there after they left the wrong one."""
            told = explained(kafka, registry_url, "civil_servant", right)
            return [item for item in told["referrals"] if item["source"] == f"bo{mark}"]

        mine = wait(check, referred)
        assert [(one["given"], one["right"]) for one in mine] == [(masked(second["citizen_id"]), masked(right))]
        assert explained(kafka, registry_url, "civil_servant", second["citizen_id"])["golden"] is False
        service.undo("civil_servant", one["id"], "an", "two after all")
        wait(check, lambda: holds(kafka, second["citizen_id"]) and case())

        made = service.resolve("civil_servant", opened["id"], Verdict("accept", "an", "twins", {}))
        wait(check, lambda: case() is None)
        service.undo("civil_servant", made["id"], "an", "no twins")
        wait(check, case)

        # The ministry takes the wrong number out: nobody is left to compare.
        publish(kafka, ministry.change(86, None))
        wait(check, lambda: case() is None)
    service.close()
