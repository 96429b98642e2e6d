"""Adding a record to an entry of the indicators' tables, once however often it is read. Apart from Faust."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Entry = dict[str, Any]
"""A sum, the ``offset`` of the last record in it, and ``ts_ms``, the latest time of its records."""

Plus = Callable[[Mapping[str, Any], Mapping[str, Any]], Entry]
"""The sum of an entry (empty: none yet) and a record."""


def added(entry: Entry | None, offset: int, record: Mapping[str, Any], plus: Plus) -> Entry | None:
    """The entry with the record added; None if the record at ``offset`` was added before."""
    known = entry or {}
    if offset <= known.get("offset", -1):
        return None
    return {**plus(known, record), "offset": offset, "ts_ms": max(known.get("ts_ms", 0), record["ts_ms"])}


def count(known: Mapping[str, Any], record: Mapping[str, Any]) -> Entry:
    """``count``, of ``dongbo.ledger`` and ``dongbo.quality``."""
    return {"count": known.get("count", 0) + record["count"]}


def difference(known: Mapping[str, Any], record: Mapping[str, Any]) -> Entry:
    """``rows`` and ``found`` (rule → rows; none of 0), of the differences in ``dongbo.findings``."""
    found = dict(known.get("found", {}))
    for rule, number in json.loads(record["findings"]).items():
        found[rule] = found.get(rule, 0) + number
        if not found[rule]:
            del found[rule]
    return {"rows": known.get("rows", 0) + record["rows"], "found": found}


def outcomes(sums: Mapping[str, Entry]) -> dict[str, Entry]:
    """The ledger's sums by ``dataset|source|outcome|topic``, none below zero.

    A change that leaves what stands, as when the register now contradicts it, is taken back as ``merged`` even if it
    had been counted as ``applied``: the ledger's processors don't keep which (``sync.process.ledger``). Where more is
    taken back than was merged, the rest was applied. What is taken back before its count has arrived shows as zero.
    """
    found = {key: dict(entry) for key, entry in sums.items()}
    for key, entry in found.items():
        dataset, source, outcome, topic = key.split("|")
        if outcome == "merged" and entry["count"] < 0:
            applied = found.get("|".join((dataset, source, "applied", topic)))
            if applied is not None:
                applied["count"] += entry["count"]
            entry["count"] = 0
    for entry in found.values():
        entry["count"] = max(0, entry["count"])
    return found
