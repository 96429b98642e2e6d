"""Each key of Debezium's PostgreSQL connector is supported, different, accepted or refused: none is passed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sync.connect.definition import declaration
from sync.source.postgresql import PLUGIN

# Read from the ConfigDef of debezium-connector-postgres 3.4.0.Final, with the documented keys that it leaves out and a
# name for each family of keys; then Kafka Connect's of source connectors.
KEYS = json.loads((Path(__file__).parents[2] / "golden" / "debezium_postgresql_keys.json").read_text("utf-8"))["keys"]


@pytest.mark.parametrize("name", KEYS)
def test_a_key_of_debezium_stands_in_exactly_one_place_with_a_note(name: str) -> None:
    found = declaration(PLUGIN).standings(name)
    assert len(found) == 1, found
    assert found[0].note


def test_a_key_of_nobody_is_a_warning_that_names_it() -> None:
    parsed = declaration(PLUGIN).parse({"slot.nmae": "x"})
    assert any("'slot.nmae'" in warning for warning in parsed.warnings)
    assert declaration(PLUGIN).standings("slot.nmae") == []


def test_a_key_without_effect_is_noted_with_what_happens_instead() -> None:
    parsed = declaration(PLUGIN).parse({"max.queue.size": "8192"})
    assert ["max.queue.size" in note and "no queue" in note for note in parsed.notes] == [True]
