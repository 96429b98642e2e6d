"""Golden records whose fields are copied as bytes against golden records of decoded columns, on the steps' own data."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest

from sync.process.entity import Entity
from sync.process.outline import Contributions
from sync.process.survival import Survival
from tests.integration.route import Arrived, Route, Source, truth

pytestmark = pytest.mark.integration

PEOPLE = 30


def _some(path: Route, index: int, rng: Random) -> dict[str, Any]:
    """A person's record with holes."""
    record = truth(index)
    held = {field.name for field in path.civil_servant.fields if field.required}
    return {name: value if name in held or rng.random() < 0.7 else None for name, value in record.items()}


def test_copied_fields_make_the_golden_records_of_decoded_ones(path: Route) -> None:
    rng = Random(5)
    sent: list[Arrived] = []
    register = Source(path, "npdb", path.population, "register")
    path.send(*(register.change(index, truth(index)) for index in range(PEOPLE) if rng.random() < 0.8))
    people = _latest(path, "population.golden")
    for name, authority, locality in (("bo", "ministry", None), ("hn", "locality", "01"), ("qn", "locality", "22")):
        source = Source(path, name, path.civil_servant, authority, locality)
        sent += [source.change(index, _some(path, index, rng)) for index in range(PEOPLE) if rng.random() < 0.8]
    valid = path.validator.process(sent).records["civil_servant.valid"]  # type: ignore[arg-type]
    means = path.reconciler._means
    found = means.outlines(path.civil_servant).read([item[1] or b"" for item in valid])
    assert found.cells is not None
    numbers = found.frame["citizen_id"].to_list()
    entities = sorted(set(numbers))
    found = Contributions(
        found.frame.with_columns(pl.Series("_e", [entities.index(one) for one in numbers], dtype=pl.UInt32)),
        found.values,
        found.cells,
    )
    survival = Survival(path.civil_servant, means)
    known = [Entity(register=people.get(one)) for one in entities]
    assert 0 < sum(entity.register is not None for entity in known) < len(known)
    results = []
    for contributions in (found, found.whole(means.reader)):
        joined, codes, _ = survival.match(contributions, known)
        assert (joined.cells is None) == (contributions.cells is None)
        told, datums = survival.merge(joined, codes, len(entities))
        results.append((codes.to_list(), told.to_dicts(), datums))
    assert len(set(results[0][0])) > 1
    assert results[0] == results[1]


def _latest(path: Route, topic: str) -> dict[str, bytes]:
    """The wire format of a register's golden records by personal number."""
    held = {}
    for (name, _, key), value in path.state.items():
        if name == topic and value is not None:
            held[(path._read(key) or {})["citizen_id"]] = value
    return held
