"""``dongbo demo``: the main job end to end on real parts, with invented people, and the proof that it was done right.

Mounted by ``sync.cli``. Starts the embedded parts and the processes, fills the databases, registers the connectors,
makes live changes, waits until all is quiet and verifies. Exit code 0 only if everything holds; results go to standard
output (and ``--json``), progress to standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console

from sync.connect.client import Client
from sync.demo import candidacy as candidacies
from sync.demo import database, live, verify, world
from sync.demo.database import Dsn, Layouts
from sync.demo.process import Processes, provide_password, stop
from sync.demo.progress import Board
from sync.demo.registration import register, registrations
from sync.demo.report import Report
from sync.demo.settling import Settling
from sync.demo.site import CENTRE, sites
from sync.demo.story import Stage
from sync.demo.tally import Tally
from sync.demo.world import IDS
from sync.embedded.endpoint import Endpoints
from sync.embedded.stack import Stack
from sync.errors import ConfigError, SyncError
from sync.schema.location import schemas_root

ROWS_PER_PERSON = 2.37
"""Rows of all sources together per person: one in the register, the rest with ministry and localities."""

LEAST_ROWS = 500
LOOK_SECONDS = 0.5
DATA_DIR = Path(".dongbo") / "demo"


@dataclass(slots=True)
class Run:
    """One demo: what was made and where it runs."""

    stage: Stage
    layouts: Layouts
    endpoints: Endpoints
    processes: Processes
    tally: Tally
    board: Board
    root: Path
    own: dict[str, int]
    looked: float = 0.0

    @property
    def dsn(self) -> Dsn:
        """Database name → connection string."""
        return self.endpoints.postgres_dsn

    def watch(self, stage: str) -> None:
        """Look at processes and numbers; called at every look of a wait, does it twice a second."""
        if time.monotonic() - self.looked < LOOK_SECONDS:
            return
        self.looked = time.monotonic()
        self.processes.check()
        self.tally.refresh()
        self.board.counts = self.tally.counts
        self.board.centre = _count(self.dsn)
        self.board.update(stage)


def demo(
    rows: Annotated[
        int, typer.Option(help="Rows of people in all source databases together.", min=LEAST_ROWS)
    ] = 20_000,
    localities: Annotated[int, typer.Option(help="Provinces with a database of their own.", min=1, max=34)] = 3,
    seed: Annotated[int, typer.Option(help="Same seed and day, same people.", min=0)] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running and say what to look at.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the result to this file; - prints it.")
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(envvar="DONGBO_DEMO_DIR", help="Folder of the demo's data and logs.")
    ] = DATA_DIR,
    end: Annotated[bool, typer.Option("--stop", help="Only stop what --keep left running.")] = False,
) -> None:
    """Show the whole job on this machine: capture, validate, match, merge, send back, and verify it row by row."""
    console = Console(stderr=True)
    stack = Stack(data_dir, lifetime="detached" if keep else "parent", progress=lambda text, *_: _tell(console, text))
    try:
        stop(data_dir)
        if end:
            stack.down()
            return
        report = perform(stack, rows=rows, localities=localities, seed=seed, console=console)
    except SyncError as error:
        console.print(f"[red]dongbo demo:[/red] {error}", highlight=False)
        console.print(f"Logs: {data_dir / 'log'}", highlight=False)
        if not keep:
            stop(data_dir)
            stack.down()
        raise typer.Exit(1) from error
    report.show(Console(stderr=json_file == Path("-")))
    _write(report.as_json(), json_file)
    if keep:
        _explain(stack.endpoints(), report.rest_url, data_dir, console)
    else:
        stop(data_dir)
        stack.down()
    sys.exit(0 if report.good else 1)


def perform(stack: Stack, *, rows: int, localities: int, seed: int, console: Console) -> Report:
    """Run the demo on ``stack`` (its former data are deleted). Raises SyncError where it can't go on."""
    root = schemas_root()
    run = prepare(stack, root, rows=rows, localities=localities, seed=seed, console=console)
    settling = Settling(
        run.endpoints.bootstrap, run.dsn, run.stage.sites, run.tally, run.watch, seconds=120 + rows / 400
    )
    with run.board.shown():
        try:
            rate = load(run, settling)
            applied = change(run, settling)
            return examine(run, applied, rate)
        finally:
            settling.close()
            run.tally.close()


def prepare(stack: Stack, root: Path, *, rows: int, localities: int, seed: int, console: Console) -> Run:
    """Start the parts and the processes, afresh; nothing is filled yet. Raises SyncError."""
    people = round(rows / ROWS_PER_PERSON)
    if people > IDS // 2:
        raise ConfigError(f"{rows} rows are too many.", field="rows", hint=f"at most {int(IDS // 2 * ROWS_PER_PERSON)}")
    there = world.load(root, seed=seed, localities=localities, today=datetime.now(UTC).date())
    layouts = database.layouts(root, sites(there))
    stage = Stage(there, sites(there), layouts.fields, layouts.datasets["civil_servant"].policy, people)
    stack.reset()
    endpoints = stack.up()
    provide_password(endpoints)
    database.create(endpoints.postgres_dsn, stage.sites, layouts)
    processes = Processes(stack.data_dir, endpoints)
    tally = Tally(endpoints.bootstrap, endpoints.registry_url)
    return Run(stage, layouts, endpoints, processes, tally, Board(console), root, {})


def load(run: Run, settling: Settling) -> float:
    """Fill the databases, register the connectors, wait until all is through; returns rows per second of that way."""
    board = run.board
    # They take some seconds to start: meanwhile the databases are filled.
    run.processes.start()
    board.begin(f"Filling {len(run.stage.sites)} databases with {run.stage.people:,} invented people")
    run.own = database.fill(run.dsn, run.stage, run.layouts, run.root, lambda count: board.update(f"{count:,} rows"))
    total = sum(run.own.values())
    run.processes.wait_for_worker()
    board.begin(f"First load: {total:,} rows from source to centre and back", total)
    began = time.monotonic()
    with Client(run.processes.rest_url) as client:
        register(client, registrations(run.stage.sites))
    settling.wait(run.own)
    return total / (time.monotonic() - began)


def change(run: Run, settling: Settling, during: Callable[[str], None] = lambda _: None) -> live.Applied:
    """The live phase: make the changes, wait until all is quiet. ``during`` is called all along (fault tests)."""
    run.board.begin("Live changes: new and leaving people, transfers, corrections, edits in return tables")

    def watch(stage: str) -> None:
        run.watch(stage)
        during(stage)

    applied = live.perform(run.dsn, run.stage, run.layouts, watch=watch)
    during("all changes made")
    for topic, number in applied.by_topic.items():
        run.own[topic] = run.own.get(topic, 0) + number
    settling.wait(run.own)
    return applied


def examine(run: Run, applied: live.Applied, rate: float) -> Report:
    """Verify everything and measure the live changes' way."""
    run.board.begin("Looking at whom the open cases may be about")
    at = run.endpoints
    candidacy = candidacies.look(at.bootstrap, at.registry_url, run.stage, run.watch)
    run.board.begin("Comparing all databases with the model, row by row")
    findings = verify.databases(
        run.dsn, run.stage, run.layouts, run.root, lambda number: run.board.update(f"person {number:,}")
    )
    return Report(
        counts=run.tally.counts,
        findings=findings,
        own=run.own,
        rows_per_s=rate,
        latencies=latencies(run.dsn, applied),
        measured=len(applied.committed),
        rest_url=run.processes.rest_url,
        candidacy=candidacy,
    )


def latencies(dsn: Dsn, applied: live.Applied) -> list[float]:
    """Seconds from the commit at the source to the centre's own time of the row's last write."""
    with psycopg.connect(dsn(CENTRE)) as connection:
        found = connection.execute(
            "SELECT citizen_id, extract(epoch FROM synced_at)::float8 FROM dongbo.civil_servant "
            "WHERE citizen_id = ANY(%s)",
            (list(applied.committed),),
        ).fetchall()
    waited = [synced - applied.committed[str(citizen_id)] for citizen_id, synced in found if synced is not None]
    # A write from before the change: the change has not arrived.
    return [seconds for seconds in waited if seconds > -0.001]


def _count(dsn: Dsn) -> int:
    with psycopg.connect(dsn(CENTRE), autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM dongbo.civil_servant").fetchone()
    return int(row[0]) if row else 0


def _write(result: dict[str, Any], target: Path | None) -> None:
    text = json.dumps(result, indent=2) + "\n"
    if target == Path("-"):
        sys.stdout.write(text)
    elif target is not None:
        target.write_text(text, encoding="utf-8")


def _tell(console: Console, text: str) -> None:
    console.print(f"          [dim]{text}[/dim]", highlight=False)


def _explain(endpoints: Endpoints, rest: str, data_dir: Path, console: Console) -> None:
    """What to look at after ``--keep``."""
    where = f"--bootstrap-servers {endpoints.bootstrap} --schema-registry-url {endpoints.registry_url}"
    console.print(
        "\nEverything keeps running. Look at:\n"
        f"  connectors   curl {rest}/connectors?expand=status\n"
        f"  metrics      curl {rest}/metrics\n"
        f"  topics       dongbo tail civil_servant.golden {where}\n"
        f"               (civil_servant.valid, .rejected, .verdict, .review, .golden.01, dongbo.ledger)\n"
        f"  cases        dongbo review list civil_servant --code NO_ID {where}\n"
        f"  databases    psql \"{endpoints.postgres_dsn(CENTRE)}\" -c 'SELECT * FROM dongbo.civil_servant LIMIT 5'\n"
        f"               (the same for dancu, bonoivu, tinh_01 …)\n"
        f"  logs         {data_dir / 'log'}\n"
        f"Stop it with: dongbo demo --stop --data-dir {data_dir}",
        highlight=False,
        soft_wrap=True,
    )
