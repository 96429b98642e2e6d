"""The quality of rows as they are now, kept for the indicators: scores where they changed, and the page's content.

Holds what the Faust app needs beside its tables; used from the app's one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from sync.errors import ConfigError
from sync.metrics import COVERAGE_BODIES, QUALITY_KEYS, QUALITY_ROWS, QUALITY_SCORE, QUALITY_UNIT_SCORE
from sync.process.outbox import Subject
from sync.process.standing import ALL, Entry, Place, coverage, indicator, totals
from sync.process.usage import Registered
from sync.rule.score import CRITERIA, Measure, measure
from sync.schema.avro import encode_one
from sync.schema.dataset import load


class Quality:
    """Scores, coverage, and what was said of them last."""

    def __init__(
        self,
        subject: Subject,
        sources: Registered,
        bodies: Mapping[str, str],
        provinces: Mapping[str, str],
        related: Callable[[], Collection[str]],
        now: Callable[[], float] = time.time,
    ) -> None:
        """``bodies``: those that are to report, code → name. ``provinces``: unit → the province that it belongs to.

        ``related``: the datasets that ``dongbo process relations`` judges.
        """
        self._subject = subject
        self._sources = sources
        self._bodies = bodies
        self._provinces = provinces
        self._related = related
        self._now = now
        self._measures: dict[tuple[str, frozenset[str]], Measure] = {}
        self._told: dict[Place, dict[str, Any]] = {}
        self._coverage: list[dict[str, Any]] = []

    def renew(self, table: Mapping[str, Entry]) -> Iterator[tuple[bytes, bytes]]:
        """Compute everything anew from the app's table (``dataset|source|unit`` → entry).

        Yields key and value, in wire format, of each indicator that is not as it was told last.
        """
        entries = {_place(key): entry for key, entry in table.items()}
        self._cover(entries)
        used = {mapped.dataset for mapped in self._sources.poll().values()}
        judged = dict.fromkeys(self._related(), used)
        measures = {name: self._measure(name, judged.get(name, ())) for name in {place[0] for place in entries}}
        for place, entry in totals(entries).items():
            made = indicator(place, entry, measures[place[0]])
            if self._told.get(place) != made:
                self._told[place] = made
                _publish(made)
                key = {"dataset": place[0], "source": place[1], "unit": place[2]}
                subject = self._subject
                yield (
                    subject.key_header + encode_one(subject.key.schema, key),
                    subject.value_header + encode_one(subject.value.schema, made),
                )

    def told(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The page: scores and coverage; ``dataset``, ``source`` and ``unit`` choose."""
        wanted = {name: query[name] for name in ("dataset", "source", "unit") if name in query}
        scores = [made for made in self._told.values() if all(made[name] == value for name, value in wanted.items())]
        chosen = [item for item in self._coverage if item["dataset"] == wanted.get("dataset", item["dataset"])]
        return {"scores": scores, "coverage": chosen}

    def _measure(self, dataset: str, asked: Collection[str]) -> Measure:
        """How the dataset is measured where its rules across datasets are judged by those of ``asked``."""
        try:
            known = load(dataset)
        except ConfigError:
            # Counts of a dataset that this installation does not have: nothing measures them.
            return Measure({})
        unjudged = frozenset(
            rule.id
            for rule in known.rules.rules
            if any(relation.target.dataset not in asked for relation in rule.relations)
        )
        if (dataset, unjudged) not in self._measures:
            self._measures[dataset, unjudged] = measure(
                known.rules,
                known.key,
                matched=known.policy.register is not None,
                weights=known.weights,
                unjudged=unjudged,
            )
        return self._measures[dataset, unjudged]

    def _due(self, dataset: str) -> Mapping[str, str]:
        """The bodies that are to report a dataset: all where its records are of a body, else none."""
        try:
            return {} if load(dataset).policy.locality is None else self._bodies
        except ConfigError:
            return {}

    def _cover(self, entries: Mapping[Place, Entry]) -> None:
        registered: dict[str, set[str]] = {}
        for table in self._sources.poll().values():
            registered.setdefault(table.dataset, set()).add(table.source)

        def body(unit: str) -> str:
            return self._provinces.get(unit, unit)

        self._coverage = coverage(entries, self._due, registered, body, int(self._now() * 1000))
        for item in self._coverage:
            for kind in ("expected", "reporting", "fresh"):
                COVERAGE_BODIES.labels(item["dataset"], kind).set(item[kind])


def _place(key: str) -> Place:
    dataset, source, unit = key.split("|")
    return dataset, source, unit


def _publish(made: Mapping[str, Any]) -> None:
    """The gauges: by source over all units, and by body over all sources."""
    dataset, source, unit = made["dataset"], made["source"], made["unit"]
    if unit == ALL:
        QUALITY_ROWS.labels(dataset, source).set(made["rows"])
        QUALITY_KEYS.labels(dataset, source).set(made["key_identifiers"])
        for name, value in (("total", made["score"]), *((name, made[name]) for name in CRITERIA)):
            if value is not None:
                QUALITY_SCORE.labels(dataset, source, name).set(value)
    elif source == ALL and made["score"] is not None:
        QUALITY_UNIT_SCORE.labels(dataset, unit).set(made["score"])
