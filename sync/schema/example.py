"""Example records of a dataset: those that must pass its rules, and those that must be found fault with.

``schemas/<dataset>/examples/records.yaml``, run by ``dongbo dataset check`` and by a test for all datasets::

    today: 2026-11-22             # the day as of which they are judged
    pass:
      - name: a fall with one death
        record: {accident_id: …}  # canonical fields as text; those left out are null
    fail:
      - name: more deaths than victims
        like: a fall with one death   # by default the first that passes
        with: {deaths: "3"}
        rules: [OSH01]            # all rules that must be hit, and no other
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl

from sync.errors import ConfigError
from sync.rule.cleaning import clean
from sync.rule.model import Reference, RuleSpec
from sync.schema.dataset import Dataset
from sync.schema.document import Node, read

FILE = "examples/records.yaml"

Record = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Example:
    """A record and the ids of the rules that it must hit: none if it must pass. ``node``: where it stands."""

    name: str
    record: Record
    rules: frozenset[str]
    node: Node


@dataclass(frozen=True)
class Examples:
    """The examples of a dataset, and the day as of which they are judged."""

    today: date
    all: tuple[Example, ...]

    @cached_property
    def hit(self) -> frozenset[str]:
        """The rules that some example hits."""
        return frozenset[str]().union(*(example.rules for example in self.all))


def examples(root: Path, dataset: Dataset) -> Examples:
    """The examples of ``dataset``; ConfigError naming file, place and remedy of the first mistake."""
    node = read(root, f"{dataset.id}/{FILE}").mapping(allowed=("today", "pass", "fail"), needed=("today", "pass"))
    if type(node.value["today"]) is not date:
        node.get("today").fail("is no date.", "Write 2026-11-22.")
    known = {field.name for field in dataset.fields}
    passing = [_passing(item, known) for item in node.get("pass").items()]
    by_name = {example.name: example for example in passing}
    if not passing:
        node.get("pass").fail("is empty.", "Write at least one record that passes.")
    failing = [_failing(item, by_name, passing[0], known, dataset) for item in node.get("fail").items()]
    return Examples(node.value["today"], (*passing, *failing))


def _passing(node: Node, known: set[str]) -> Example:
    node.mapping(allowed=("name", "record"), needed=("name", "record"))
    return Example(node.get("name").text(), _record(node.get("record"), known), frozenset(), node)


def _failing(node: Node, passing: Mapping[str, Example], first: Example, known: set[str], dataset: Dataset) -> Example:
    node.mapping(allowed=("name", "like", "with", "rules"), needed=("name", "with", "rules"))
    like = node.get("like")
    base = first if like.absent else passing[like.choice(passing)]
    rules = node.get("rules").texts()
    for rule in rules:
        if rule not in dataset.rules.by_id:
            node.get("rules").fail(f"the dataset has no rule {rule}.", "Name rules of its rules.yaml.")
    return Example(node.get("name").text(), {**base.record, **_record(node.get("with"), known)}, frozenset(rules), node)


def _record(node: Node, known: set[str]) -> Record:
    record = {name: entry.optional_text() for name, entry in node.entries()}
    for name in record:
        if name not in known:
            node.fail(f"the dataset has no field {name}.", "Use a field of its schema.")
    return record


def judge(dataset: Dataset, found: Examples, reference: Reference) -> list[frozenset[str]]:
    """The rules that each example really hits, in their order; every field counts as supplied by the source."""
    columns = {field.name: [example.record.get(field.name) for example in found.all] for field in dataset.fields}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    cleaned = clean(frame, dataset.fields, dataset.rules, reference, found.today)
    hits: list[set[str]] = [set() for _ in found.all]
    repairing = [spec.id for spec in dataset.rules.rules if spec.sets]
    repaired = cleaned.fixes.filter(pl.col("rule").is_in(repairing))
    for one in (cleaned.violations, repaired):
        for row, rule in one.select("row", "rule").iter_rows():
            hits[row].add(rule)
    return [frozenset(hit) for hit in hits]


def wrong(dataset: Dataset, found: Examples, reference: Reference) -> list[ConfigError]:
    """A mistake for each example that hits other rules than it must."""
    mistakes = []
    for example, hit in zip(found.all, judge(dataset, found, reference), strict=True):
        if hit == example.rules:
            continue
        told = f"hits {_listed(hit)}, not {_listed(example.rules)}"
        try:
            example.node.fail(f"{example.name}: {told}.", "Correct the example, or the rule that it shows to be wrong.")
        except ConfigError as mistake:
            mistakes.append(mistake)
    return mistakes


def unseen(dataset: Dataset, found: Examples, reference: Reference) -> list[RuleSpec]:
    """The bindings of ids that are bound several times without which every example hits the same."""
    bindings = dataset.rules.rules
    times = Counter(rule.id for rule in bindings)
    hits = judge(dataset, found, reference)
    return [
        rule
        for place, rule in enumerate(bindings)
        if times[rule.id] > 1 and judge(_without(dataset, place), found, reference) == hits
    ]


def _without(dataset: Dataset, place: int) -> Dataset:
    bindings = dataset.rules.rules
    return replace(dataset, rules=replace(dataset.rules, rules=(*bindings[:place], *bindings[place + 1 :])))


def _listed(rules: frozenset[str]) -> str:
    return ", ".join(sorted(rules)) or "no rule"
