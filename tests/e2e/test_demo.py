"""The whole path, verified row by row: capture, validate, reconcile, sinks and back; and with everything killed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from sync.demo import command
from sync.demo.command import Run
from sync.demo.process import NAMES, stop
from sync.demo.settling import Settling
from sync.demo.site import CENTRE
from sync.embedded.stack import Stack
from sync.schema.location import schemas_root
from tests.e2e import outside

ROWS = 1500
WAIT_SECONDS = 240.0


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of the test's own, ended with all processes that wrote their names into it."""
    own = Stack(tmp_path / "demo", lifetime="parent")
    yield own
    stop(own.data_dir)
    own.reset()


@pytest.fixture
def run(stack: Stack) -> Iterator[Run]:
    """A prepared demo: databases empty, processes not started."""
    console = Console(file=io.StringIO())
    prepared = command.prepare(stack, schemas_root(), rows=ROWS, localities=3, seed=3, console=console)
    yield prepared
    prepared.tally.close()


def settling(run: Run) -> Settling:
    return Settling(run.endpoints.bootstrap, run.dsn, run.stage.sites, run.tally, run.watch, seconds=WAIT_SECONDS)


@pytest.mark.timeout(900)
def test_given_damaged_sources_everything_ends_where_the_model_says(run: Run, stack: Stack) -> None:
    quiet = settling(run)
    rate = command.load(run, quiet)
    applied = command.change(run, quiet)
    report = command.examine(run, applied, rate)
    quiet.close()
    assert report.problems == []
    assert report.findings.examples == []
    assert report.good
    assert report.findings.rows > 10_000
    assert {name for name, (rows, _) in report.findings.outcomes.items() if rows} >= {"bad_id", "tcvn3_text", "broken"}
    assert report.latency_ms()["p50"] is not None
    looked = report.candidacy
    assert looked.cases == report.findings.outcomes["no_id"][0] > 0
    assert looked.first >= 0.9 * looked.cases
    read = outside.read_topics(run.endpoints.bootstrap, run.endpoints.registry_url)
    assert {"civil_servant.golden", "civil_servant.valid", "civil_servant.rejected", "dongbo.ledger"} <= read.keys()
    assert read["civil_servant.golden"] > ROWS / 4
    with psycopg.connect(run.dsn(CENTRE)) as centre:
        people = centre.execute("select citizen_id, full_name from dongbo.civil_servant").fetchall()
    values = {value for person in people for value in person}
    assert len(values) > ROWS / 4
    assert outside.leaks(stack.data_dir / "log", values) == []


class Faults:
    """Kills the next victim at each call out of the live phase, and starts it again at once."""

    def __init__(self, run: Run, stack: Stack) -> None:
        self.run = run
        self.stack = stack
        self.victims = ["validate", "kafka", "reconcile", "worker", "candidates", "indicators", "registry"]
        self.killed: list[str] = []

    def __call__(self, stage: str) -> None:
        if stage == "all changes made":
            # The demo's own programs, which make the changes, have done with the databases.
            self.victims.append("postgres")
            while self.victims:
                self.strike(self.victims.pop(0))
        elif self.victims:
            self.strike(self.victims.pop(0))

    def strike(self, name: str) -> None:
        if name in NAMES:
            self.run.processes.kill(name)
            self.run.processes.restart(name)
        else:
            self.stack.kill(name)
            self.stack.restart(name)
        self.killed.append(name)


@pytest.mark.timeout(1200)
def test_given_a_sigkill_of_every_process_in_the_live_phase_it_still_verifies(run: Run, stack: Stack) -> None:
    quiet = settling(run)
    rate = command.load(run, quiet)
    faults = Faults(run, stack)
    applied = command.change(run, quiet, faults)
    report = command.examine(run, applied, rate)
    quiet.close()
    assert sorted(faults.killed) == sorted([*NAMES, "kafka", "registry", "postgres"])
    assert report.problems == []
    assert report.findings.examples == []
