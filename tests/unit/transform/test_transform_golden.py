"""Every transform on every case: what comes out is what Connect's and Debezium's own classes gave."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sync.transform import predicates, transforms
from sync.transform.chain import Chain
from sync.transform.declaration import KEYS, declared
from sync.transform.record import Heads, Origin, Schemas
from tests.transform_case import CASES, GOLDEN, SAME, Case
from tests.transform_form import Registry, side, sorted_schema

RESULTS = json.loads(GOLDEN.read_text(encoding="utf-8"))["results"]
ERROR = "error"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_chain_gives_what_the_peers_classes_give(case: Case) -> None:
    registry = Registry()
    found = _ours(case, registry)

    for number, (given, theirs, ours) in enumerate(zip(case.records, RESULTS[case.name], found, strict=True)):
        if number in case.passes:
            assert ERROR in theirs
            theirs = dict.fromkeys(("topic", "key", "value", "headers"), SAME)
        if theirs is None or ERROR in theirs:
            assert ours == (None if theirs is None else ERROR)
            continue
        assert isinstance(ours, dict), ours
        expected = {name: given.get(name) if part == SAME else part for name, part in theirs.items()}
        assert ours["topic"] == expected["topic"]
        assert ours["partition"] == theirs.get("partition", given.get("partition"))
        assert ours["headers"] == (expected["headers"] or [])
        for name in ("key", "value"):
            theirs_side, our_side = side(expected[name]), ours[name]
            assert (our_side is None) == (theirs_side is None), name
            if our_side is not None and theirs_side is not None:
                assert sorted_schema(our_side.schema) == theirs_side.schema
                assert our_side.payload == theirs_side.payload


def test_every_transform_and_predicate_has_a_case() -> None:
    used = {
        value for case in CASES for key, value in case.config.items() if key.count(".") == 2 and key.endswith(".type")
    }
    kinds = {**transforms(), **predicates()}

    assert {kinds[name].class_name for name in used} == {kind.class_name for kind in kinds.values()}


def _ours(case: Case, registry: Registry) -> list[Any]:
    """As the golden file: None for a dropped record, ``error`` for one that could not be taken."""
    parsed = (KEYS + declared(case.config)).parse(case.config)
    assert not parsed.errors
    chain = Chain.read(parsed.values)
    assert chain is not None
    found: list[Any] = [None] * len(case.records)
    heads = Heads(lambda _topic, _side, schema: registry.register(schema.text))
    for topic in dict.fromkeys(record["topic"] for record in case.records):
        places = [i for i, record in enumerate(case.records) if record["topic"] == topic]
        given = [case.records[i] for i in places]
        origin = Origin([record.get("partition") for record in given])
        if case.sink:
            origin = Origin(origin.partitions, [one["offset"] for one in given], [one["timestamp"] for one in given])
        sides = [[registry.wire(record[name]) for record in given] for name in ("key", "value")]
        headers = [tuple((name, text.encode()) for name, text in record.get("headers", ())) for record in given]
        groups, bad = chain.apply(Schemas(lambda number: registry.schemas[number]), topic, *sides, origin, headers)
        for one in bad:
            found[places[one.place]] = ERROR
        for group in groups:
            keys = group.key.wires(heads.of(group.topic, "Key", group.key))
            values = group.value.wires(heads.of(group.topic, "Value", group.value))
            for n, place in enumerate(group.places):
                found[places[place]] = {
                    "topic": group.topic,
                    "key": registry.told(keys[n]),
                    "value": registry.told(values[n]),
                    "partition": group.origin.partitions[place],
                    "headers": [[name, data and data.decode()] for name, data in (group.headers or {n: ()})[n]],
                }
    return found
