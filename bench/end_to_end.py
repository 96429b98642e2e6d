"""The whole path beside Debezium and its JDBC sink: ``make bench-e2e``, ``python -m bench.end_to_end --help``.

Trials of the variants alternate (peer, plain, whole; the next round begins with the next variant), each on a fresh
embedded stack. Prints a table and writes ``bench/results/end_to_end.json``. Exit code 1 where a target is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import connect, measurement, ours, peer, report, version, workload
from bench.measurement import Figures
from bench.option import DATA_DIR, RESULTS, DataDir, Keep, Only, Output, Quick, Seed, chosen, end, running
from bench.side import Side
from bench.trial import Trial
from bench.workload import Size
from sync.embedded.endpoint import Endpoints
from sync.embedded.stack import Stack

VARIANTS = ("peer", "plain", "whole")
RESULT = RESULTS / "end_to_end.json"


def main(
    rows: Annotated[int, typer.Option(min=1000, help="Rows measured.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, help="Trials of each variant.")] = 3,
    quick: Quick = False,
    only: Only = None,
    keep: Keep = False,
    seed: Seed = 1,
    data_dir: DataDir = DATA_DIR,
    output: Output = RESULT,
) -> None:
    """Measure our data path and the peer's, alternating on this machine."""
    console = Console(stderr=True)
    if quick:
        rows, rounds = 20_000, 1
    size = Size(rows, warm_up=min(20_000, rows // 4), transaction=50_000, rate=200, seconds=20, seed=seed)
    variants = chosen(only, VARIANTS)
    stack = Stack(data_dir, lifetime="parent")
    with running(stack, console):
        connect.jars()
        console.print(f"making {size.people:,} invented people", highlight=False)
        made = workload.make(data_dir / "workload", size)
        runs, versions = measure(stack, made, variants, rounds, console)
    end(stack, data_dir / "workload", keep=keep)
    summaries = {name: measurement.summary(found) for name, found in runs.items()}
    report.show(Console(), size, summaries, versions)
    if set(summaries) == set(VARIANTS):
        write(output, size, summaries, versions)
        console.print(f"written to {output}", highlight=False)


def measure(
    stack: Stack, made: workload.Workload, variants: tuple[str, ...], rounds: int, console: Console
) -> tuple[dict[str, list[Figures]], dict[str, str]]:
    """All trials. Raises SyncError with the first one that fails."""
    runs: dict[str, list[Figures]] = {name: [] for name in variants}
    versions: dict[str, str] = {}
    for number in range(rounds):
        turn = number % len(variants)
        for name in variants[turn:] + variants[:turn]:
            stack.reset()
            endpoints = stack.up()
            versions = versions or version.versions(endpoints)
            side = _side(name, stack.data_dir, endpoints)

            def tell(text: str, round_: int = number) -> None:
                console.print(f"[dim]round {round_ + 1}[/dim] {text}", highlight=False)

            try:
                figures = Trial(side, made, endpoints, stack.data_dir, tell).run()
            finally:
                side.programs.stop()
            tell(
                f"{name}: {figures.rows_per_s:,.0f} rows/s, {figures.cpu_per_row * 1e6:.1f} µs CPU a row, "
                f"p99 {measurement.percentile(figures.latencies, 0.99) * 1000:.0f} ms"
            )
            runs[name].append(figures)
    return runs, versions


def _side(name: str, data_dir: Path, endpoints: Endpoints) -> Side:
    if name == "peer":
        return peer.Peer(data_dir, endpoints)
    return ours.Plain(data_dir, endpoints) if name == "plain" else ours.Whole(data_dir, endpoints)


def write(path: Path, size: Size, summaries: dict[str, dict[str, Any]], versions: dict[str, str]) -> None:
    """Write the result in the shape of every benchmark, with the plain variant beside it."""
    plain = summaries["plain"]
    found = measurement.result(
        versions,
        summaries["whole"],
        summaries["peer"],
        plain=plain,
        plain_ratios=measurement.ratios(plain, summaries["peer"]),
        settings={
            "columns": len(workload.STAFF),
            "warm_up_rows": size.warm_up,
            "transaction_rows": size.transaction,
            "latency_rows_per_s": size.rate,
            "latency_seconds": size.seconds,
            "seed": size.seed,
            "jvm": " ".join(connect.JVM),
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)

if __name__ == "__main__":
    app()
