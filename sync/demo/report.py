"""The demo's result: what was counted, compared and measured, as JSON for scripts and as a summary for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from sync.demo.candidacy import Candidacy
from sync.demo.error import CLASSES
from sync.demo.tally import Counts
from sync.demo.verify import Findings


@dataclass(slots=True)
class Report:
    """What the verdict on a run rests on. ``latencies`` in seconds; ``own``: changes made, by source topic."""

    counts: Counts
    findings: Findings
    own: Mapping[str, int]
    rows_per_s: float
    latencies: list[float] = field(default_factory=list)
    measured: int = 0
    rest_url: str = ""
    candidacy: Candidacy = field(default_factory=lambda: Candidacy(0, 0, 0, None))

    @property
    def problems(self) -> list[str]:
        """What does not hold, in sentences; empty when all is well."""
        found = [f"The ledger of {topic} is open by {number}." for topic, number in self.counts.unbalanced().items()]
        for topic, number in self.own.items():
            if self.counts.own(topic) != number:
                found.append(
                    f"{topic}: {number} changes were made, {self.counts.own(topic)} captured that are no echo."
                )
        if self.counts.total("rejected") != self.findings.refused:
            found.append(f"{self.findings.refused} changes had to be rejected, {self.counts.total('rejected')} were.")
        if self.measured != len(self.latencies):
            found.append(f"{self.measured - len(self.latencies)} live changes never showed in the centre.")
        return found

    @property
    def balanced(self) -> bool:
        """Ledger balanced, nothing counted as captured that was our own write or was not made, rejections exact."""
        return not self.problems

    @property
    def good(self) -> bool:
        """Whether all holds: the exit code."""
        return self.balanced and self.findings.good

    def latency_ms(self) -> dict[str, float | None]:
        """p50 and p99 from the commit at the source to the commit at the centre."""
        if len(self.latencies) < 2:
            return {"p50": None, "p99": None}
        points = quantiles(self.latencies, n=100, method="inclusive")
        return {"p50": round(points[49] * 1000, 1), "p99": round(points[98] * 1000, 1)}

    def as_json(self) -> dict[str, Any]:
        """The result for scripts."""
        found = self.findings
        return {
            **{
                name: self.counts.total(name)
                for name in ("captured", "applied", "merged", "rejected", "review", "suppressed")
            },
            "balanced": self.balanced,
            "central_matches_model": not (found.centre_differences or found.verdict_differences),
            "localities_match_model": not found.locality_differences,
            "matched_percent": found.matched_percent,
            "latency_ms": self.latency_ms(),
            "rows_per_s": round(self.rows_per_s, 1),
            "candidates": self.candidacy.as_json(),
        }

    def show(self, console: Console) -> None:
        """Print the summary for people."""
        result = self.as_json()
        table = Table(title="Changes by outcome", show_header=True, title_justify="left")
        for name in ("captured", "suppressed", "applied", "merged", "rejected", "review"):
            table.add_column(name, justify="right")
        table.add_row(*(f"{result[str(column.header)]:,}" for column in table.columns))
        console.print(table)
        errors = Table(
            "injected error", "rows", "as expected", "must end as", title="Errors put in", title_justify="left"
        )
        ends = {kind.name: kind.outcome for kind in CLASSES} | {"broken": "REJECTED, former version kept"}
        for name, end in ends.items():
            rows, right = self.findings.outcomes.get(name, (0, 0))
            errors.add_row(name, f"{rows:,}", f"{right:,}" if right == rows else f"[red]{right:,}[/red]", end)
        console.print(errors)
        latency = result["latency_ms"]
        console.print(
            f"{result['matched_percent']} % of the records match the register · {result['rows_per_s']:,.0f} rows/s · "
            f"latency p50 {latency['p50']} ms, p99 {latency['p99']} ms",
            highlight=False,
        )
        for line in self.candidacy.told():
            console.print(line, highlight=False, soft_wrap=True)
        for text, holds in (
            ("the ledger balances, and no echo was taken for a change", self.balanced),
            ("the centre is what the model says, verdicts included", result["central_matches_model"]),
            ("every locality has its own rows and only those", result["localities_match_model"]),
        ):
            console.print(f"[green]✔[/green] {text}" if holds else f"[red]✘[/red] not so: {text}", highlight=False)
        for problem in [*self.problems, *self.findings.examples]:
            console.print(f"  [red]{problem}[/red]", highlight=False)
