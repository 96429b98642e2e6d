"""The per-record path that ours is measured beside gives the golden records that are right."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import fastavro
import pytest

from bench import golden, stream
from bench.perrecord.path import Path
from sync.demo import world
from sync.schema import derived
from sync.schema.dataset import load
from sync.schema.location import schemas_root

PEOPLE = 41
TODAY = date.today()


@pytest.fixture(scope="module")
def there() -> world.World:
    return world.load(schemas_root(), seed=5, localities=3, today=TODAY)


@pytest.fixture
def path(there: world.World) -> Path:
    register = {rows[0]["citizen_id"]: rows[0] for rows in (stream.rows(there, index) for index in range(PEOPLE))}
    return Path(lambda _: (1, 2), register, TODAY)


def handled(path: Path, there: world.World) -> tuple[dict[str, int], dict[bytes, dict[str, Any]]]:
    """How many records each topic got, and the last golden record by key."""
    form = fastavro.parse_schema(derived.golden_schema(load(stream.DATASET)))
    counts: dict[str, int] = {}
    last: dict[bytes, dict[str, Any]] = {}
    for index in range(PEOPLE):
        for number, (feed, row) in enumerate(zip(stream.FEEDS, stream.rows(there, index), strict=True)):
            row = stream.damage(row) if index % stream.DAMAGED_EVERY == number else row
            key, value = stream._wire(feed, row, index, (3, 4))
            for topic, out_key, out in path.handle(feed.topic, key, value, 0, index):
                counts[topic] = counts.get(topic, 0) + 1
                if topic == "civil_servant.golden" and out is not None:
                    record = fastavro.schemaless_reader(io.BytesIO(out[5:]), form, None)
                    assert isinstance(record, dict)
                    last[out_key] = record
    return counts, last


def test_damaged_rows_of_two_sources_become_the_people_they_are_about(path: Path, there: world.World) -> None:
    counts, last = handled(path, there)
    assert counts["civil_servant.valid"] == 2 * PEOPLE
    assert len(last) == PEOPLE
    for record, index in zip(last.values(), range(PEOPLE), strict=True):
        assert golden._is(record, *stream.rows(there, index))
        assert record["_lineage"].count('"source"') == 3


def test_a_broken_rule_keeps_a_row_from_the_valid_topic(path: Path, there: world.World) -> None:
    row = {**stream.rows(there, 0)[0], "gender": None}
    key, value = stream._wire(stream.FEEDS[0], row, 0, (3, 4))
    assert list(path.handle(stream.FEEDS[0].topic, key, value, 0, 0)) == []
