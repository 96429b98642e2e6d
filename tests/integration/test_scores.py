"""The counts behind the scores: what both steps tell on the way, in any order, is what a recount in the end tells."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.integration.route import Arrived, Route, Source, truth

pytestmark = pytest.mark.integration


def counts(path: Route) -> dict[tuple[str, str], Counter[str]]:
    """The sums of all differences by source and unit, without zeros."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    for _, told in path.topics.get("dongbo.findings", []):
        assert told is not None
        found = sums.setdefault((told["source"], told["unit"]), Counter())
        found["rows"] += told["rows"]
        found.update(json.loads(told["findings"]))
    return {place: Counter(kept) for place, found in sums.items() if (kept := {k: n for k, n in found.items() if n})}


def sources(path: Route) -> list[Source]:
    return [
        Source(path, "npdb", path.population, "register"),
        Source(path, "bo", path.civil_servant, "ministry"),
        Source(path, "hn", path.civil_servant, "locality", "01"),
    ]


FORMS = (True, True, True, True, False, True, False)
"""Of ``versions``, which are taken by the validate step."""


def versions(index: int) -> list[dict[str, Any]]:
    """Forms that a person's record takes: sound, repaired, warned about, of another body, in review, rejected."""
    record = truth(index, managing_agency_code="H26.1")
    return [
        record,
        {**record, "full_name": f" {record['full_name']} "},
        {**record, "phone": "12"},
        {**record, "managing_agency_code": "H49.2"},
        {**record, "citizen_id": None},
        {**record, "full_name": "Trần Thị Bưởi"},
        {**record, "citizen_id": "123", "managing_agency_code": "H49"},
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_of_all_changes_are_those_of_the_rows_in_the_end(kafka: str, registry_url: str, seed: int) -> None:
    random = Random(seed)
    path, final = Route(kafka, registry_url), Route(kafka, registry_url)
    last: dict[tuple[int, int], list[dict[str, Any]]] = {}
    npdb, *others = sources(path)
    # The register knows two of the four from the beginning, a third later, the last one never.
    path.send(*(npdb.change(index, truth(index)) for index in (40, 41)))
    for turn in range(14):
        batch: list[Arrived] = []
        for _ in range(random.randint(1, 4)):
            number, index = random.randrange(2), random.randint(40, 43)
            form = random.randrange(len(FORMS))
            record = None if random.random() < 0.2 else versions(index)[form]
            # A row that is refused stands with its last good version, if it has one.
            kept = [] if record is None or FORMS[form] else last.get((number, index), [])[:1]
            last[number, index] = [] if record is None else [record] if FORMS[form] else [*kept, record]
            batch.append(others[number].change(index, record))
        if random.random() < 0.3:
            # The same change once more, as after a replay of a source.
            batch.append(batch[-1])
        path.send(*batch)
        if turn == 7:
            path.send(npdb.change(42, truth(42)))

    npdb, *others = sources(final)
    final.send(*(npdb.change(index, truth(index)) for index in (40, 41, 42)))
    for (number, index), records in last.items():
        final.send(*(others[number].change(index, record) for record in records))
    assert counts(path) == counts(final)
    assert any("VR32" in found for found in counts(path).values())
