"""Each key of Debezium's PostgreSQL connector is supported, different, accepted or refused: none is passed over."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sync.connect.definition import declaration
from sync.source.postgresql import PLUGIN

# Read from the ConfigDef of debezium-connector-postgres 3.4.0.Final, with the documented keys that it leaves out and a
# name for each family of keys; then Kafka Connect's of source connectors.
KEYS = json.loads((Path(__file__).parents[2] / "golden" / "debezium_postgresql_keys.json").read_text("utf-8"))["keys"]


def notes(name: str) -> list[str]:
    """What the declaration says of a key, once for each place that says something of it."""
    declared = declaration(PLUGIN)
    supported = [*(key for key in declared.keys if key.name == name), *filter(None, [declared.family(name)])]
    refused = [*declared.unsupported.items(), *declared.accepted.items()]
    found = [f"{key.differs} {key.doc}".strip() for key in supported]
    return found + [text for pattern, text in refused if re.fullmatch(pattern, name)]


@pytest.mark.parametrize("name", KEYS)
def test_a_key_of_debezium_stands_in_exactly_one_place_with_a_note(name: str) -> None:
    found = notes(name)
    assert len(found) == 1, found
    assert found[0]


def test_a_key_of_nobody_is_a_warning_that_names_it() -> None:
    parsed = declaration(PLUGIN).parse({"slot.nmae": "x"})
    assert any("'slot.nmae'" in warning for warning in parsed.warnings)
    assert notes("slot.nmae") == []


def test_a_key_without_effect_is_noted_with_what_happens_instead() -> None:
    parsed = declaration(PLUGIN).parse({"max.queue.size": "8192"})
    assert ["max.queue.size" in note and "no queue" in note for note in parsed.notes] == [True]
