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
    golden:                       # other datasets' golden records, for the rules that ask for them; by default none
      civil_servant: [{citizen_id: "001085000123"}]   # canonical fields as text

An example may have a ``golden`` of its own, in place of the file's by dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import polars as pl

from sync.errors import ConfigError
from sync.rule.batch import Terms
from sync.rule.cleaning import clean
from sync.rule.condition import judge as judge_rules
from sync.rule.expression.kind import NUMBERS, Kind, of_field
from sync.rule.model import Reference, RuleSpec
from sync.rule.relation import Relation, related
from sync.schema.dataset import Dataset, golden
from sync.schema.document import Node, read

FILE = "examples/records.yaml"

Record = Mapping[str, str | None]
Golden = Mapping[str, Sequence[Record]]
"""By dataset."""


@dataclass(frozen=True, slots=True)
class Example:
    """A record and the ids of the rules that it must hit: none if it must pass. ``node``: where it stands.

    ``golden``: the records of other datasets that it stands beside.
    """

    name: str
    record: Record
    rules: frozenset[str]
    node: Node
    golden: Golden


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
    node = read(root, f"{dataset.id}/{FILE}").mapping(
        allowed=("today", "pass", "fail", "golden"), needed=("today", "pass")
    )
    if type(node.value["today"]) is not date:
        node.get("today").fail("is no date.", "Write 2026-11-22.")
    known = {field.name for field in dataset.fields}
    beside = _beside(root, node, {})
    passing = [_passing(root, item, known, beside) for item in node.get("pass").items()]
    by_name = {example.name: example for example in passing}
    if not passing:
        node.get("pass").fail("is empty.", "Write at least one record that passes.")
    failing = [
        _failing(item, by_name, passing[0], known, dataset, _beside(root, item, beside))
        for item in node.get("fail").items()
    ]
    return Examples(node.value["today"], (*passing, *failing))


def _beside(root: Path, node: Node, others: Golden) -> Golden:
    """What ``golden`` of a file or an example says, with ``others`` for the datasets that it does not name."""
    written = node.get("golden")
    found = dict(others)
    for name, records in () if written.absent else written.entries():
        table = golden(root).find(name)
        if table is None:
            records.fail(f"there is no dataset {name}.", "Name one that a rule asks for.")
        given = [_record(item, set(table.columns)) for item in records.items()]
        found[name] = [{key: _text(table.columns[key], text) for key, text in record.items()} for record in given]
    return found


def _text(kind: Kind, value: object) -> str | None:
    """A value as relations compare it (``sync.rule.expression.kind.notation``)."""
    return None if value is None else f"{Decimal(str(value)):.6f}" if kind in NUMBERS else str(value)


def _passing(root: Path, node: Node, known: set[str], others: Golden) -> Example:
    node.mapping(allowed=("name", "record", "golden"), needed=("name", "record"))
    record = _record(node.get("record"), known)
    return Example(node.get("name").text(), record, frozenset(), node, _beside(root, node, others))


def _failing(
    node: Node, passing: Mapping[str, Example], first: Example, known: set[str], dataset: Dataset, beside: Golden
) -> Example:
    node.mapping(allowed=("name", "like", "with", "rules", "golden"), needed=("name", "rules"))
    like = node.get("like")
    base = first if like.absent else passing[like.choice(passing)]
    rules = node.get("rules").texts()
    for rule in rules:
        if rule not in dataset.rules.by_id:
            node.get("rules").fail(f"the dataset has no rule {rule}.", "Name rules of its rules.yaml.")
    changed = node.get("with")
    record = base.record if changed.absent else {**base.record, **_record(changed, known)}
    return Example(node.get("name").text(), record, frozenset(rules), node, beside)


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
    # What is refused or waits for a person is no golden record.
    stopped = set(cleaned.violations.filter(pl.col("severity") != "WARN")["row"])
    for row, rule in _related(dataset, found, cleaned.frame, reference):
        hits[row].update({rule} if row not in stopped else ())
    return [frozenset(hit) for hit in hits]


def _related(dataset: Dataset, found: Examples, frame: pl.DataFrame, reference: Reference) -> Iterator[tuple[int, str]]:
    """Row and rule where an example breaks a rule that asks for the golden records that it stands beside."""
    rules = related(dataset.rules)
    kinds = {field.name: of_field(field) for field in dataset.fields}
    pairs = list(zip(frame.rows(named=True), found.all, strict=True)) if rules else []
    counts = {
        relation.column: pl.Series([_number(relation, kinds, *pair) for pair in pairs], dtype=pl.Int64)
        for rule in rules
        for relation in rule.relations
    }
    terms = Terms({field.name: field for field in dataset.fields}, dataset.rules, reference, found.today)
    for rule, bad in zip(rules, judge_rules(terms, rules, frame.with_columns(**counts)), strict=True):
        yield from ((row, rule.id) for row in bad.arg_true().to_list())


def _number(relation: Relation, kinds: Mapping[str, Kind], row: Mapping[str, object], example: Example) -> int:
    """How many of the golden records beside an example belong to it."""
    target = relation.target
    keys = [_text(kinds[field], row[field]) for field in relation.fields]
    if None in keys:
        return 0
    wanted = [(name, (key,)) for name, key in zip(target.columns, keys, strict=True)]
    return sum(
        all(record.get(name) in values for name, values in (*wanted, *target.fixed))
        for record in example.golden.get(target.dataset, ())
    )


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
