"""What the indicators' app reads of its topics, whoever wrote there."""

from __future__ import annotations

from typing import Any

import pytest

from sync.errors import Refused
from sync.process.indicators import read
from sync.schema.avro import encode_one, wire
from sync.schema.derived import findings_schema, ledger_schema

COUNT = {
    "ts_ms": 1,
    "stage": "validate",
    "source": "hn",
    "topic": "hn.public.t",
    "partition": 0,
    "dataset": "civil_servant",
    "outcome": "received",
    "count": 2,
}
OLDER = {**ledger_schema(), "fields": [field for field in ledger_schema()["fields"] if field["name"] != "dataset"]}
SHORT = {**ledger_schema(), "fields": ledger_schema()["fields"][:2]}
OTHER = {"type": "record", "name": "Order", "namespace": "shop", "fields": ledger_schema()["fields"]}


class Schemas:
    """Schemas by number, as a registry tells them."""

    def __init__(self, *known: dict[str, Any]) -> None:
        self._known = known

    def schema(self, schema_id: int) -> Any:
        if schema_id >= len(self._known):
            raise Refused("The registry has no such schema.")
        return self._known[schema_id]


def written(schema: dict[str, Any]) -> bytes:
    return wire(0, encode_one(schema, {field["name"]: COUNT[field["name"]] for field in schema["fields"]}))


def test_a_count_is_read_in_the_version_in_which_it_was_written() -> None:
    assert read(Schemas(ledger_schema()), written(ledger_schema()), ledger_schema()) == COUNT
    assert read(Schemas(OLDER), written(OLDER), ledger_schema()) == {**COUNT, "dataset": None}


@pytest.mark.parametrize(
    ("known", "value"),
    [
        pytest.param(OTHER, written(OTHER), id="a record of another schema with the same fields"),
        pytest.param(SHORT, written(SHORT), id="one that lacks what is counted"),
        pytest.param(ledger_schema(), written(ledger_schema())[:-1], id="bytes cut short"),
        pytest.param(ledger_schema(), wire(7, b"\x00"), id="a schema that nobody registered"),
        pytest.param("string", wire(0, b"\x02a"), id="a text"),
        pytest.param(findings_schema(), wire(0, b""), id="no datum"),
        pytest.param(ledger_schema(), b"{}", id="JSON"),
        pytest.param(ledger_schema(), None, id="a tombstone"),
    ],
)
def test_what_is_no_count_counts_nothing_and_stops_nothing(known: Any, value: bytes | None) -> None:
    assert read(Schemas(known), value, ledger_schema()) is None
