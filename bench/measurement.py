"""What is measured and how it is told: figures of a run, their summary, ratios, and the result's JSON shape.

Used by every benchmark. Reading ``/proc`` (Linux) is kept apart from the arithmetic, which is pure.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from sync.embedded import process

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Figures:
    """One run of one variant.

    ``seconds``: first commit at the source to the last merged target row. ``cpu``: CPU seconds by process meanwhile.
    ``server_cpu``: the same of PostgreSQL and Kafka, for information. ``rss``: greatest resident size by process,
    bytes, since the process started. ``latencies``: seconds, source row to target row at a low rate.
    """

    rows: int
    seconds: float
    cpu: dict[str, float]
    server_cpu: dict[str, float]
    rss: dict[str, int]
    latencies: list[float] = field(default_factory=list)

    @property
    def rows_per_s(self) -> float:
        """Rows a second over the whole path."""
        return self.rows / self.seconds

    @property
    def cpu_per_row(self) -> float:
        """CPU seconds per row of all client processes together."""
        return sum(self.cpu.values()) / self.rows


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile (``share`` from 0 to 1) of ``values``; NaN where there are none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def summary(runs: Sequence[Figures]) -> dict[str, Any]:
    """One variant over its rounds: medians of the rounds, percentiles of all latencies together.

    ``rows_per_s`` rows/s; ``cpu_per_row``, ``process_cpu_per_row`` and ``server_cpu_per_row`` CPU seconds a row;
    ``rss`` and ``process_rss`` bytes; ``latency_ms`` milliseconds.
    """
    latencies = [1000 * value for run in runs for value in run.latencies]
    return {
        "rows": runs[0].rows,
        "rounds": len(runs),
        "rows_per_s": median(run.rows_per_s for run in runs),
        "cpu_per_row": median(run.cpu_per_row for run in runs),
        "process_cpu_per_row": _medians([{k: v / run.rows for k, v in run.cpu.items()} for run in runs]),
        "server_cpu_per_row": _medians([{k: v / run.rows for k, v in run.server_cpu.items()} for run in runs]),
        "rss": median(sum(run.rss.values()) for run in runs),
        "process_rss": _medians([run.rss for run in runs]),
        "latency_ms": {name: percentile(latencies, share) for name, share in SHARES.items()},
        "latency_samples": len(latencies),
        "rows_per_s_of_rounds": [run.rows_per_s for run in runs],
    }


SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def _medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: median(run[name] for run in runs) for name in runs[0]}


def ratios(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> dict[str, float]:
    """Ours divided by the peer's, of two summaries: above 1 is better for rows/s, below 1 for all others."""
    return {
        "rows_per_s": ours["rows_per_s"] / peer["rows_per_s"],
        "cpu_per_row": ours["cpu_per_row"] / peer["cpu_per_row"],
        "rss": ours["rss"] / peer["rss"],
        "latency_p99": ours["latency_ms"]["p99"] / peer["latency_ms"]["p99"],
    }


def result(
    versions: Mapping[str, str], ours: Mapping[str, Any], peer: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """The JSON that every benchmark writes; ``more`` are further keys of this one."""
    return {"versions": dict(versions), "ours": dict(ours), "peer": dict(peer), "ratios": ratios(ours, peer), **more}


def cpu_seconds(stat: str) -> float:
    """User and system CPU seconds in the text of ``/proc/PID/stat``, ended children included (proc(5): 14 to 17)."""
    fields = stat.rpartition(")")[2].split()
    return sum(int(number) for number in fields[11:15]) / TICKS


def process_cpu(pid: int) -> float:
    """CPU seconds of a running process with its ended children."""
    return cpu_seconds(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8"))


def family_cpu(pid: int) -> float:
    """CPU seconds of a process, its ended children and its living ones (PostgreSQL: one a connection)."""
    total = 0.0
    for child in children(pid):
        # One that ends now is counted with its parent, which is read last.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += process_cpu(child)
    return total + process_cpu(pid)


def server_cpu(data_dir: Path) -> dict[str, float]:
    """CPU seconds of the embedded PostgreSQL and Kafka of a stack, by name."""
    found = {}
    for name in ("postgres", "kafka"):
        child = process.load(data_dir / "run" / f"{name}.json")
        if child is not None:
            found[name] = family_cpu(child.pid)
    return found


def children(pid: int) -> Iterable[int]:
    """The living children of all threads of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found


def peak_rss(status: str) -> int:
    """The greatest resident size, bytes, in the text of ``/proc/PID/status`` (VmHWM)."""
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def process_rss(pid: int) -> int:
    """The greatest resident size of a running process since its start, bytes."""
    return peak_rss(Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))


def reset_peak(pid: int) -> None:
    """Let the greatest resident size of a process start anew from what it is now (proc(5): clear_refs, 5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def told(value: Any) -> Any:
    """Without NaN, which JSON has no form for: null."""
    if isinstance(value, Mapping):
        return {key: told(item) for key, item in value.items()}
    if isinstance(value, list):
        return [told(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
