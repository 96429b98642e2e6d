"""The arithmetic of the benchmarks."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from bench.measurement import (
    Figures,
    children,
    cpu_seconds,
    peak_rss,
    percentile,
    process_cpu,
    process_rss,
    ratios,
    reset_peak,
    result,
    summary,
    told,
)

TICKS = os.sysconf("SC_CLK_TCK")


def run(seconds: float, cpu: float, latencies: list[float]) -> Figures:
    return Figures(
        rows=1000,
        seconds=seconds,
        cpu={"a": cpu, "b": cpu},
        server_cpu={"postgres": 1.0},
        rss={"a": 100, "b": 50},
        latencies=latencies,
    )


def test_a_percentile_is_the_nearest_rank() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert percentile(values, 0.50) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1.0) == 100
    assert percentile([7.0], 0.01) == 7
    assert math.isnan(percentile([], 0.5))


def test_a_summary_takes_medians_of_rounds_and_percentiles_of_all_latencies() -> None:
    found = summary([run(1.0, 0.5, [0.1] * 98), run(2.0, 1.0, [0.2]), run(4.0, 1.5, [0.3])])
    assert found["rows_per_s"] == 500
    assert found["cpu_per_row"] == pytest.approx(0.002)
    assert found["process_cpu_per_row"] == pytest.approx({"a": 0.001, "b": 0.001})
    assert found["rss"] == 150
    assert found["latency_ms"] == pytest.approx({"p50": 100, "p95": 100, "p99": 200})
    assert found["rounds"] == 3


def test_ratios_are_ours_divided_by_the_peers() -> None:
    ours, peer = summary([run(1.0, 0.5, [0.1])]), summary([run(4.0, 2.0, [0.5])])
    assert ratios(ours, peer) == pytest.approx({"rows_per_s": 4.0, "cpu_per_row": 0.25, "rss": 1.0, "latency_p99": 0.2})


def test_every_result_has_the_same_shape() -> None:
    ours, peer = summary([run(1.0, 0.5, [0.1])]), summary([run(4.0, 2.0, [0.5])])
    found = result({"python": "3"}, ours, peer, plain=ours)
    assert list(found) == ["versions", "ours", "peer", "ratios", "plain"]
    assert set(found["ratios"]) == {"rows_per_s", "cpu_per_row", "rss", "latency_p99"}


def test_cpu_is_read_behind_a_name_with_parentheses() -> None:
    fields = " ".join(["S", *"123456789", "0", str(TICKS), str(TICKS), str(2 * TICKS), "0", "20"])
    assert cpu_seconds(f"42 (a (b) c) {fields}") == 4.0


def test_peak_memory_is_told_in_bytes() -> None:
    assert peak_rss("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n") == 1234 * 1024


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
def test_this_process_can_be_measured() -> None:
    assert process_cpu(os.getpid()) > 0
    assert os.getpid() not in children(os.getpid())


def test_what_was_not_measured_is_null_in_json() -> None:
    assert told({"p99": math.nan, "all": [1.5, math.nan], "name": "x"}) == {
        "p99": None,
        "all": [1.5, None],
        "name": "x",
    }


def test_a_peak_begins_anew_from_what_is_held_now() -> None:
    pid = os.getpid()
    held = bytearray(os.urandom(1) * 100_000_000)
    before = process_rss(pid)
    assert len(held) == 100_000_000
    del held
    reset_peak(pid)
    assert process_rss(pid) < before - 50_000_000
