"""What follows from the counts of rows as they are now, the sums of the differences of ``dongbo.findings``.

Apart from Faust. ``ALL`` stands for the sum over sources or over units.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sync.rule.score import CRITERIA, Measure, score

ALL = "*"

Entry = dict[str, Any]
"""``rows``, ``found`` (rule → rows), ``offset`` of the last difference, ``ts_ms`` of it."""

Place = tuple[str, str, str]
"""Dataset, source, unit."""

FRESH_DAYS = 92
"""A body that sent nothing for longer is stale: a quarter, as VR30 proposes."""


def totals(entries: Mapping[Place, Entry]) -> dict[Place, Entry]:
    """The entries, and their sums over units, over sources, and over both."""
    sums: dict[Place, Entry] = {}
    for (dataset, source, unit), entry in entries.items():
        for place in (
            (dataset, source, unit),
            (dataset, source, ALL),
            (dataset, ALL, unit),
            (dataset, ALL, ALL),
        ):
            total = sums.setdefault(place, {"rows": 0, "found": {}, "ts_ms": 0})
            total["rows"] += entry["rows"]
            total["ts_ms"] = max(total["ts_ms"], entry["ts_ms"])
            for rule, number in entry["found"].items():
                total["found"][rule] = total["found"].get(rule, 0) + number
    return sums


def indicator(place: Place, entry: Entry, by: Measure) -> dict[str, Any]:
    """One indicator, as ``dongbo.indicators`` and the API have it."""
    dataset, source, unit = place
    made = score(entry["rows"], entry["found"], by)
    return {
        "dataset": dataset,
        "source": source,
        "unit": unit,
        "rows": made.rows,
        "score": made.total,
        "colour": made.colour,
        **{name: made.criteria[name] for name in CRITERIA},
        "key_identifiers": made.keys,
        "findings": json.dumps({rule: number for rule, number in sorted(entry["found"].items()) if number}),
        "changed_ms": entry["ts_ms"],
    }


def coverage(
    entries: Mapping[Place, Entry],
    bodies: Callable[[str], Mapping[str, str]],
    registered: Mapping[str, Iterable[str]],
    body: Callable[[str], str],
    now_ms: int,
) -> list[dict[str, Any]]:
    """By dataset: which of the expected bodies and ``registered`` sources have rows, how fresh.

    ``bodies`` tells those that are to report a dataset (code → name); ``body`` tells the body that a unit counts for.
    """
    found = []
    for dataset in sorted({place[0] for place in entries} | set(registered)):
        mine = {place: entry for place, entry in entries.items() if place[0] == dataset and entry["rows"] > 0}
        last: dict[str, int] = {}
        sources: dict[str, int] = {}
        for (_, source, unit), entry in mine.items():
            last[body(unit)] = max(last.get(body(unit), 0), entry["ts_ms"])
            sources[source] = max(sources.get(source, 0), entry["ts_ms"])
        stale = now_ms - FRESH_DAYS * 86_400_000
        expected, due = set(registered.get(dataset, ())), bodies(dataset)
        found.append(
            {
                "dataset": dataset,
                "expected": len(due),
                "reporting": sum(code in last for code in due),
                "fresh": sum(last.get(code, 0) > stale for code in due),
                "missing": sorted(code for code in due if code not in last),
                "last": {code: _time(at) for code, at in sorted(last.items()) if code},
                "sources_missing": sorted(expected - set(sources)),
                "sources": {source: _time(at) for source, at in sorted(sources.items())},
            }
        )
    return found


def _time(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
