"""Validate and reconcile beside two per-record programs: ``make bench-process``, ``python -m bench.process --help``.

All sides read the same change events of a personnel table of 109 fields from one Kafka and write valid and golden
records (``bench.stream``): ours are the processes ``dongbo process validate`` and ``reconcile``; ``perrecord`` is the
same work on dicts with fastavro; ``faust`` is that in an agent of stock Faust. Each runs alone, on topics of its own
stack. Prints a table and writes ``bench/results/process.json``. Exit code 1 where golden records differ from what is
right.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import matching, stream, version
from bench.drain import Drain, Stage, drained
from bench.golden import verify
from bench.measurement import told
from bench.option import RESULTS, DataDir, Keep, Only, Output, Quick, Seed, chosen, end, running
from bench.program import Programs
from sync.embedded.endpoint import Endpoints
from sync.embedded.stack import Stack
from sync.schema.registry import RegistryClient

RESULT = RESULTS / "process.json"
DATA_DIR = Path(".dongbo") / "bench-process"
SOURCES = tuple(feed.topic for feed in stream.FEEDS)
STAGES: dict[str, tuple[Stage, ...]] = {
    "ours": (
        Stage("validate", "dongbo-validate", SOURCES),
        Stage("reconcile", "dongbo-reconcile", ("civil_servant.valid",)),
    ),
    "perrecord": (Stage("perrecord", "bench-perrecord", SOURCES),),
    "faust": (Stage("faust", "bench-stock-faust", SOURCES),),
}
TITLES = {"ours": "dongbo", "perrecord": "fastavro + Python", "faust": "stock Faust"}
AIMS = {"perrecord": 5.0, "faust": 10.0}
AIM_PER_CORE = 10_000


def main(
    people: Annotated[int, typer.Option(min=500, help="People; each is two records.")] = 60_000,
    slow: Annotated[int, typer.Option(min=500, help="People for the per-record sides.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Trials of each side.")] = 2,
    quick: Quick = False,
    only: Only = None,
    keep: Keep = False,
    at_scale: Annotated[
        bool, typer.Option("--matching", help="Instead: match records against a large register.")
    ] = False,
    candidates: Annotated[
        bool, typer.Option("--candidates", help="With --matching: then look for candidates of its open cases.")
    ] = False,
    register: Annotated[int, typer.Option(min=1000, help="People of the large register.")] = 5_000_000,
    records: Annotated[int, typer.Option(min=1000, help="Records matched against it.")] = 1_400_000,
    seed: Seed = 1,
    data_dir: DataDir = DATA_DIR,
    output: Output = RESULT,
) -> None:
    """Measure the processors and the per-record programs, alternating on this machine."""
    console = Console(stderr=True)
    if quick:
        people, slow, rounds = 10_000, 2_000, 1
    sides = chosen(only, tuple(STAGES))
    stack = Stack(data_dir, lifetime="parent")
    if at_scale:
        _at_scale(stack, register, records, seed, output, candidates=candidates)
        return
    runs: dict[str, list[Drain]] = {name: [] for name in sides}
    versions: dict[str, str] = {}
    with running(stack, console):
        for number in range(rounds):
            turn = number % len(sides)
            for name in sides[turn:] + sides[:turn]:
                stack.reset()
                endpoints = stack.up()
                versions = versions or version.processors()
                found = trial(name, endpoints, stack.data_dir, people if name == "ours" else slow, seed)
                runs[name].append(found)
                console.print(f"round {number + 1} {name}: {found.told()}", highlight=False)
    end(stack, keep=keep)
    result = summary(runs, versions, {"people": people, "people_of_slow_sides": slow, "seed": seed, "fields": 109})
    show(Console(), result)
    if len(sides) == len(STAGES):
        _write(output, result)
        console.print(f"written to {output}", highlight=False)


def _at_scale(stack: Stack, people: int, records: int, seed: int, output: Path, *, candidates: bool) -> None:
    """Match against a large register on a fresh stack; the key ``matching`` of the result."""
    console = Console(stderr=True)
    stack.reset()
    with running(stack, console):
        endpoints = stack.up()
        sizes = {"people": people, "records": records, "workers": stream.PARTITIONS, "seed": seed}
        found = matching.measure(
            endpoints,
            stack.data_dir,
            **sizes,
            candidates=candidates,
            tell=lambda text: console.print(text, highlight=False),
        )
    end(stack)
    matching.show(Console(), found)
    _write(output, {"matching": {"versions": version.processors(), **found}})


def _write(output: Path, result: Mapping[str, Any]) -> None:
    """Put keys into the result file; the others stay."""
    output.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    output.write_text(json.dumps({**known, **told(result)}, indent=2) + "\n", encoding="utf-8")


def trial(name: str, endpoints: Endpoints, data_dir: Path, people: int, seed: int) -> Drain:
    """One side works off what is in the topics; raises SyncError where it fails or its golden records are wrong."""
    registry = RegistryClient(endpoints.registry_url)
    stream.declare(endpoints.bootstrap)
    stream.register(endpoints.bootstrap, registry, people, seed)
    count = stream.feed(endpoints.bootstrap, registry, people, seed)
    shutil.rmtree(data_dir / "state", ignore_errors=True)
    programs = Programs(data_dir)
    try:
        for stage in STAGES[name]:
            programs.start(stage.name, command(stage.name, endpoints, data_dir))
        found = drained(endpoints.bootstrap, STAGES[name], programs, count)
        verify(endpoints.bootstrap, registry, people, seed)
        return found
    finally:
        programs.stop()


def command(name: str, endpoints: Endpoints, data_dir: Path) -> Sequence[str]:
    """The command of a stage."""
    where = (endpoints.bootstrap, endpoints.registry_url)
    if name == "perrecord":
        return [sys.executable, "-m", "bench.perrecord.program", *where]
    if name == "faust":
        return [sys.executable, "-m", "bench.perrecord.stock_faust", *where, str(data_dir / "faust")]
    options = ("--bootstrap-servers", where[0], "--schema-registry-url", where[1], "--data-dir", str(data_dir))
    return [sys.executable, "-m", "sync.cli", "process", name, *options]


def summary(
    runs: Mapping[str, Sequence[Drain]], versions: Mapping[str, str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Medians by side, and ours divided by each of the others."""
    sides = {
        name: {
            "records": found[0].records,
            "rounds": len(found),
            "rows_per_s": median(one.per_s for one in found),
            "rows_per_core_s": median(1 / one.cpu for one in found),
            "cpu_per_row": median(one.cpu for one in found),
            "process_cpu_per_row": {stage: median(one.stages[stage] for one in found) for stage in found[0].stages},
            "rss": median(sum(one.rss.values()) for one in found),
            "process_rss": {stage: median(one.rss[stage] for one in found) for stage in found[0].rss},
        }
        for name, found in runs.items()
        if found
    }
    ours = sides.get("ours")
    ratios = {
        name: {key: ours[key] / side[key] for key in ("rows_per_s", "rows_per_core_s", "cpu_per_row", "rss")}
        for name, side in sides.items()
        if ours and name != "ours"
    }
    return {"versions": dict(versions), "settings": dict(settings), **sides, "ratios": ratios}


def show(console: Console, result: Mapping[str, Any]) -> None:
    """Print figures, ratios, versions."""
    sides = [name for name in STAGES if name in result]
    table = Table("", *(TITLES[name] for name in sides), title="validate + reconcile, civil_servant, 109 fields")

    def row(label: str, key: str, text: str, scale: float = 1.0) -> None:
        table.add_row(label, *(text.format(result[name][key] * scale) for name in sides))

    row("records/s of one core", "rows_per_core_s", "{:,.0f}")
    row("CPU µs a record", "cpu_per_row", "{:.1f}", 1e6)
    each = (result[name]["process_cpu_per_row"] for name in sides)
    table.add_row("  by process", *(", ".join(f"{k} {v * 1e6:.1f}" for k, v in found.items()) for found in each))
    row("records/s, all processes on this machine", "rows_per_s", "{:,.0f}")
    row("peak RSS, MB", "rss", "{:,.0f}", 1e-6)
    if "ours" in sides:
        table.add_section()
        ratios = [result["ratios"].get(name, {}) for name in sides]
        table.add_row("dongbo's records/s of one core, times this", *(_ratio(found) for found in ratios))
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in result["versions"].items()), style="dim")


def _ratio(found: Mapping[str, float]) -> str:
    return f"{found['rows_per_core_s']:.1f}" if found else ""


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)

if __name__ == "__main__":
    app()
