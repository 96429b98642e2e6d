"""The result as a table for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import measurement
from bench.workload import STAFF, Size

_TITLES = {
    "peer": "Debezium + JDBC sink",
    "plain": "dongbo: source → sink",
    "whole": "dongbo: whole path",
}

_ROWS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("rows/s", lambda found: f"{found['rows_per_s']:,.0f}"),
    ("CPU µs a row, client processes", lambda found: f"{found['cpu_per_row'] * 1e6:.1f}"),
    ("  by process", lambda found: _each(found["process_cpu_per_row"], lambda value: f"{value * 1e6:.1f}")),
    ("  PostgreSQL and Kafka", lambda found: _each(found["server_cpu_per_row"], lambda value: f"{value * 1e6:.1f}")),
    ("peak RSS, MB", lambda found: f"{found['rss'] / 1e6:,.0f}"),
    ("  by process", lambda found: _each(found["process_rss"], lambda value: f"{value / 1e6:,.0f}")),
    (
        "latency p50 / p95 / p99, ms",
        lambda found: " / ".join(f"{found['latency_ms'][name]:,.0f}" for name in measurement.SHARES),
    ),
)


def _each(values: Mapping[str, float], text: Callable[[float], str]) -> str:
    return ", ".join(f"{name} {text(value)}" for name, value in values.items())


def show(console: Console, size: Size, summaries: Mapping[str, Mapping[str, Any]], versions: Mapping[str, str]) -> None:
    """Print figures, ratios to the peer, versions."""
    title = f"{size.rows:,} rows of {len(STAFF)} columns in transactions of {size.transaction:,}"
    table = Table("", *(_TITLES[name] for name in summaries), title=title)
    for label, text in _ROWS:
        table.add_row(label, *(text(found) for found in summaries.values()))
    if "peer" in summaries:
        table.add_section()
        found = {name: measurement.ratios(values, summaries["peer"]) for name, values in summaries.items()}
        for key, label in (
            ("rows_per_s", "rows/s, times the peer's"),
            ("cpu_per_row", "CPU a row, share of the peer's"),
            ("rss", "RSS, share of the peer's"),
            ("latency_p99", "p99, share of the peer's"),
        ):
            table.add_row(label, *(f"{values[key]:.2f}" for values in found.values()))
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in versions.items()), style="dim", highlight=False)
