"""A transfer on real processors and a real broker: plan, apply through a SIGKILL, status, review, report, undo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sync.cli import app
from sync.kafka.client import read_all
from sync.process.entity import TRANSFER, texts
from sync.process.reader import FRAME
from sync.steward.review import Review, Verdict
from sync.steward.transfer.command import UNBALANCED
from tests.integration.processors import publish, register_source, running, wait
from tests.integration.route import Route, Source, truth

pytestmark = pytest.mark.integration

PEOPLE = range(8)
AMBIGUOUS = 7

KILLED = """
import os, signal, sys
from pathlib import Path
from sync.kafka.transaction import Transactions
from sync.steward.transfer import service
from sync.steward.transfer.plan import read

at = service.Place(*sys.argv[1:3])
batches = service.apply(at, read(Path(sys.argv[3])), by="an", batch=1)
next(batches), next(batches)

def die(self, *_):
    self._producer.flush(30)
    os.kill(os.getpid(), signal.SIGKILL)

Transactions.finish = die
next(batches)
"""
"""Two transactions, and the third left open with its record written."""


@pytest.fixture
def processors(kafka: str, registry_url: str, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """What moves records; starts at the first call of the function given."""
    with running(("validate", "reconcile"), kafka, registry_url, tmp_path) as check:
        yield check


class Desk:
    """The commands at one broker and registry."""

    def __init__(self, kafka: str, registry_url: str) -> None:
        self._at = ["--bootstrap-servers", kafka, "--schema-registry-url", registry_url]

    def run(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and JSON, or text where it is none."""
        found = CliRunner().invoke(app, ["transfer", *arguments, *self._at])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        try:
            return found.exit_code, json.loads(found.stdout)
        except ValueError:
            return found.exit_code, found.stdout + found.stderr


def held(kafka: str, topic: str, people: set[str]) -> dict[str, bytes]:
    """What a topic holds of ``people``."""
    found: dict[str, bytes | None] = {}
    for message in read_all(kafka, topic):
        key = texts((message.key() or b"")[FRAME:])[0]
        if key in people:
            found[key] = message.value()
    return {key: value for key, value in found.items() if value is not None}


def test_records_of_merged_units_move_and_come_back(
    kafka: str, registry_url: str, processors: Callable[[], None], tmp_path: Path
) -> None:
    path, mark, desk = Route(kafka, registry_url), uuid.uuid4().hex[:6].upper(), Desk(kafka, registry_url)
    register = Source(path, f"npdb{mark}", path.population, "register")
    ministry = Source(path, f"bo{mark}", path.civil_servant, "ministry")
    old, split, new = f"H26.T{mark}", f"H26.U{mark}", f"H49.T{mark}"
    records = {}
    for number in PEOPLE:
        body = split if number == AMBIGUOUS else old
        # Others than in an earlier run on the same stack.
        records[number] = truth(
            1000 * int(mark, 16) + number, managing_agency_code=body, employing_unit_code=f"{body}.3"
        )
    keys = {record["citizen_id"] for record in records.values()}
    for source in (register, ministry):
        register_source(kafka, source)
    for number, record in records.items():
        publish(kafka, register.change(number, record), ministry.change(number, record))
    wait(processors, lambda: len(held(kafka, "civil_servant.golden", keys)) == len(PEOPLE))
    before = {name: held(kafka, name, keys) for name in ("civil_servant.golden", "civil_servant.golden.01")}

    mapping, file = tmp_path / "merger.csv", tmp_path / "plan.json"
    lines = [f"{old},{new},2026-01-01,keep", f"{split},{new},2026-01-01,", f"{split},H49.V{mark},2026-01-01,"]
    mapping.write_text("\n".join(["old,new,effective_date,subunits", *lines]) + "\n")
    code, planned = desk.run("plan", "civil_servant", "--mapping", str(mapping), "--out", str(file), "--json")
    assert (code, planned["records"]) == (0, len(PEOPLE))
    assert not any(key in file.read_text() for key in keys)

    died = subprocess.run(
        [sys.executable, "-c", KILLED, kafka, registry_url, str(file)], env=os.environ, timeout=120, check=False
    )
    assert died.returncode == -signal.SIGKILL
    code, found = desk.run("status", str(file), "--json")
    assert (code, found["events"], found["totals"]["planned"]) == (UNBALANCED, 2, 2 * len(PEOPLE))
    code, said = desk.run("apply", str(file))
    assert (code, f"{len(PEOPLE) - 2} events written" in said) == (0, True)
    assert "0 events written" in desk.run("apply", str(file))[1]
    events = [texts((m.key() or b"")[FRAME:]) for m in read_all(kafka, "civil_servant.transfer")]
    mine = [entity for entity, plan in events if plan == planned["plan"]]
    assert sorted(mine) == sorted(keys)

    def balanced() -> Any:
        code, found = desk.run("status", str(file), "--json")
        return found if code == 0 else None

    found = wait(processors, balanced)
    moved = 2 * (len(PEOPLE) - 1)
    assert (found["totals"]["moved"], found["totals"]["waiting"]) == (moved, 2)
    assert found["received"] == {new: moved // 2, f"{new}.3": moved // 2}
    waiting = {records[AMBIGUOUS]["citizen_id"]}
    assert set(held(kafka, "civil_servant.golden.01", keys)) == waiting
    assert set(held(kafka, "civil_servant.golden.22", keys)) == keys - waiting

    service = Review(kafka, registry_url)
    (case,) = [one for one in service.cases("civil_servant", source=TRANSFER) if one["entity"] in keys]
    units = {"managing_agency_code": new, "employing_unit_code": f"{new}.9"}
    service.resolve("civil_servant", case["id"], Verdict("set", "an", "decision 12", units, case["facts"]))
    service.close()
    wait(processors, lambda: (found := balanced()) is not None and found["totals"]["moved"] == moved + 2)

    key, signed = tmp_path / "key", tmp_path / "report.json"
    key.write_text("k" * 64)
    assert desk.run("report", str(file), "--out", str(signed), "--key-file", str(key))[0] == 0
    assert not any(person in signed.read_text() for person in keys)
    checked = CliRunner().invoke(app, ["transfer", "verify", str(signed), "--key-file", str(key)])
    assert (checked.exit_code, "the signature is right" in checked.stdout) == (0, True)
    explained = CliRunner().invoke(app, ["explain", "civil_servant", case["entity"], *desk._at])
    assert f"{split} is read as {new} by the transfer {planned['plan']}" in explained.stdout

    assert desk.run("undo", str(file))[0] == 0
    found = wait(processors, balanced)
    assert found["totals"]["undone"] == found["totals"]["planned"]
    assert {name: held(kafka, name, keys) for name in before} == before
    assert held(kafka, "civil_servant.golden.22", keys) == {}
    code, said = desk.run("apply", str(file))
    assert (code, "was undone" in said) == (1, True)
