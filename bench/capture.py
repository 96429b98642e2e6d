"""Capture beside Debezium: ``make bench-capture``, ``python -m bench.capture --help``.

Trials of both sides alternate on a wide (109 columns) and a narrow table (6), each on a fresh embedded stack: inserts,
updates with whole old rows, 200 rows/s, and a snapshot. Prints a table of ratios and writes
``bench/results/capture.json``. Exit code 1 where a topic does not hold what it must.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import connect, measurement, peer, personnel
from bench.capture_side import Debezium, Dongbo, Side
from bench.capture_trial import WORKLOADS, CaptureTrial
from bench.measurement import Figures
from bench.option import DATA_DIR, RESULTS, DataDir, Keep, Only, Output, Quick, Seed, chosen, end, running
from bench.personnel import Rows, Shape
from bench.version import versions
from sync.embedded.endpoint import Endpoints
from sync.embedded.stack import Stack

RESULT = RESULTS / "capture.json"
RATE = 200
SIDES = ("peer", "ours", "peer_schemas")

Runs = dict[tuple[str, str, str], list[Figures]]
"""By table, side and workload."""


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Trials of each side and table.")] = 2,
    wide: Annotated[int, typer.Option(min=1000, help="Rows measured of 109 columns.")] = 150_000,
    narrow: Annotated[int, typer.Option(min=1000, help="Rows measured of 6 columns.")] = 600_000,
    seconds: Annotated[int, typer.Option(min=1, help="How long 200 rows/s are inserted.")] = 15,
    quick: Quick = False,
    schemas: Annotated[
        bool, typer.Option("--schemas", help="Also Debezium with Connect's default, JSON with schemas.")
    ] = False,
    only: Only = None,
    keep: Keep = False,
    seed: Seed = 1,
    data_dir: DataDir = DATA_DIR,
    output: Output = RESULT,
) -> None:
    """Measure our capture and Debezium's, alternating on this machine."""
    console = Console(stderr=True)
    if quick:
        rounds, wide, narrow, seconds = 1, 4_000, 10_000, 4
    sides = chosen(only or (SIDES if schemas else SIDES[:2]), SIDES)
    shapes = [_shape("wide", wide), _shape("narrow", narrow)]
    stack = Stack(data_dir, lifetime="parent")
    with running(stack, console):
        connect.jars()
        console.print("making invented people", highlight=False)
        rows = [personnel.make(data_dir / "rows", shape, RATE * seconds, seed) for shape in shapes]
        runs, told = measure(stack, rows, sides, rounds, console)
    end(stack, data_dir / "rows", keep=keep)
    summaries = {place: measurement.summary(found) for place, found in runs.items()}
    show(Console(), summaries, sides, shapes, told)
    if set(SIDES[:2]) <= set(sides):
        settings = {"seed": seed, "rate": RATE, "seconds": seconds, "tuned": peer.TUNED, "jvm": " ".join(connect.JVM)}
        write(output, summaries, told, {**settings, "rows": {shape.name: shape.rows for shape in shapes}})
        console.print(f"written to {output}", highlight=False)


def _shape(name: str, rows: int) -> Shape:
    return Shape(name, warm_up=rows // 4, rows=rows, transaction=min(50_000, rows // 4))


def measure(
    stack: Stack, rows: list[Rows], sides: tuple[str, ...], rounds: int, console: Console
) -> tuple[Runs, dict[str, str]]:
    """All trials. Raises SyncError with the first one that fails."""
    runs: Runs = {}
    told: dict[str, str] = {}
    for number in range(rounds):
        turn = number % len(sides)
        for made in rows:
            for name in sides[turn:] + sides[:turn]:
                stack.reset()
                endpoints = stack.up()
                told = told or versions(endpoints)

                def tell(text: str, where: str = f"round {number + 1}, {made.shape.name}:") -> None:
                    console.print(f"[dim]{where}[/dim] {text}", highlight=False)

                side = _side(name, stack.data_dir, endpoints)
                try:
                    found = CaptureTrial(side, made, endpoints, stack.data_dir, rate=RATE, tell=tell).run()
                finally:
                    side.programs.stop()
                for workload, figures in found.items():
                    runs.setdefault((made.shape.name, name, workload), []).append(figures)
                    tell(f"{name}: {workload} {_brief(figures)}")
    return runs, told


def _brief(figures: Figures) -> str:
    late = measurement.percentile(figures.latencies, 0.99)
    tail = f", p99 {late * 1000:.0f} ms" if figures.latencies else ""
    rss = sum(figures.rss.values()) / 1e6
    return f"{figures.rows_per_s:,.0f} rows/s, {figures.cpu_per_row * 1e6:.1f} µs CPU a row, {rss:,.0f} MB{tail}"


def _side(name: str, data_dir: Path, endpoints: Endpoints) -> Side:
    if name == "ours":
        return Dongbo(data_dir, endpoints)
    return Debezium(data_dir, endpoints, schemas=name == "peer_schemas")


Summaries = Mapping[tuple[str, str, str], Mapping[str, Any]]


_LINES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("rows/s", "rows_per_s", lambda found: f"{found['rows_per_s']:,.0f}"),
    ("CPU µs a row", "cpu_per_row", lambda found: f"{found['cpu_per_row'] * 1e6:,.1f}"),
    ("peak RSS, MB", "rss", lambda found: f"{found['rss'] / 1e6:,.0f}"),
    (
        "p50 / p95 / p99, ms",
        "latency_p99",
        lambda found: " / ".join(f"{found['latency_ms'][name]:,.1f}" for name in measurement.SHARES),
    ),
)


def show(
    console: Console, summaries: Summaries, sides: tuple[str, ...], shapes: list[Shape], told: Mapping[str, str]
) -> None:
    """Print figures, ratios, versions."""
    table = Table("table", "workload", "", *sides, *(["ours ÷ peer"] if set(SIDES[:2]) <= set(sides) else []))
    for shape in shapes:
        for workload in WORKLOADS:
            found = {side: summaries[shape.name, side, workload] for side in sides}
            for label, key, text in _LINES:
                if (key == "latency_p99") != (workload == "latency") and key in ("latency_p99", "rows_per_s"):
                    continue
                ratio = []
                if set(SIDES[:2]) <= set(sides):
                    ratio = [f"{measurement.ratios(found['ours'], found['peer'])[key]:.2f}"]
                table.add_row(shape.name, workload, label, *(text(found[side]) for side in sides), *ratio)
            table.add_section()
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in told.items()), style="dim", highlight=False)


def write(path: Path, summaries: Summaries, told: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Write each workload in the shape of every benchmark: the wide table's, with the narrow one's beside it."""

    def result(table: str, workload: str, **more: Any) -> dict[str, Any]:
        found = {side: summaries[table, side, workload] for side in SIDES if (table, side, workload) in summaries}
        if "peer_schemas" in found:
            more["peer_schemas"] = found["peer_schemas"]
        return measurement.result(told, found["ours"], found["peer"], **more)

    whole = {workload: result("wide", workload, narrow=result("narrow", workload)) for workload in WORKLOADS}
    text = json.dumps(measurement.told({**whole, "versions": told, "settings": settings}), indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)

if __name__ == "__main__":
    app()
