"""Each dataset's example records: they hit the rules that they are there to show, and no other."""

from __future__ import annotations

import pytest

from sync.rule.model import Reference
from sync.schema.dataset import datasets, load
from sync.schema.example import Examples, examples, judge
from sync.schema.location import schemas_root
from sync.schema.reference import load_reference

ELSEWHERE = {"civil_servant", "population", "organization_unit", "administrative_unit"}
"""Datasets whose rules are mostly the ministry-side ones, each with tests of its own (tests/unit/rule)."""


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference()


def found(name: str) -> Examples:
    return examples(schemas_root(), load(name))


@pytest.mark.parametrize("name", datasets())
def test_examples_hit_the_rules_that_they_name_and_no_other(name: str, reference: Reference) -> None:
    given = found(name)

    hit = judge(load(name), given, reference)

    assert {e.name: sorted(e.rules) for e in given.all} == {
        e.name: sorted(h) for e, h in zip(given.all, hit, strict=True)
    }
    assert len({example.name for example in given.all}) == len(given.all)


@pytest.mark.parametrize("name", sorted(set(datasets()) - ELSEWHERE))
def test_each_rule_of_a_datasets_own_is_hit_by_an_example(name: str) -> None:
    own = {rule.id for rule in load(name).rules.rules if rule.condition is not None} - {"MST", "PROVINCE"}

    assert len(own) >= 2
    assert own <= found(name).hit
