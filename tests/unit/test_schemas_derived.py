"""The topic schemas: valid Avro for two implementations, with the fields that consumers rely on."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import avro.schema
import fastavro
import pytest

from sync.schema import derived
from sync.schema.columns import Columns
from sync.schema.dataset import datasets, load

DATASET_SCHEMAS = (
    derived.key_schema,
    derived.row_key_schema,
    derived.valid_schema,
    derived.golden_schema,
    derived.rejected_key_schema,
    derived.rejected_schema,
    derived.verdict_schema,
    derived.review_schema,
    derived.contributions_schema,
)
ALL = [
    *((f"civil_servant-{make.__name__}", make(load("civil_servant"))) for make in DATASET_SCHEMAS),
    # Of the others, what differs by more than its namespace.
    *((f"{dataset}-valid_schema", derived.valid_schema(load(dataset))) for dataset in datasets()),
    ("ledger", derived.ledger_schema()),
    ("ledger-key", derived.ledger_key_schema()),
]
FLAT = [entry for entry in ALL if not entry[0].endswith("contributions_schema")]
SAMPLES: dict[str, Any] = {
    "string": "Nguyễn Thị Ánh",
    "int": -3,
    "long": 1 << 40,
    "boolean": True,
    "bytes": b"\x00\xff",
    "date": date(2025, 7, 1),
    "timestamp-micros": datetime(2025, 7, 1, 1, 2, 3, 4, tzinfo=UTC),
}


def sample(kind: Any) -> Any:
    """A value of an Avro type, the last branch of a union."""
    if isinstance(kind, list):
        return sample(kind[-1])
    name = str(kind.get("logicalType", kind["type"])) if isinstance(kind, dict) else str(kind)
    if name == "decimal":
        return Decimal(-23).scaleb(-kind["scale"])
    return SAMPLES[name]


def ids(entries: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in entries]


@pytest.mark.parametrize("schema", [schema for _, schema in ALL], ids=ids(ALL))
def test_both_avro_implementations_accept_the_schema(schema: dict[str, Any]) -> None:
    fastavro.parse_schema(schema)
    avro.schema.parse(json.dumps(schema))


@pytest.mark.parametrize("schema", [schema for _, schema in FLAT], ids=ids(FLAT))
def test_records_pass_through_columns_unchanged(schema: dict[str, Any]) -> None:
    full = {field["name"]: sample(field["type"]) for field in schema["fields"]}
    bare = {n: None if isinstance(f["type"], list) else full[n] for f in schema["fields"] for n in [f["name"]]}
    datums = [encode(schema, full), encode(schema, bare), encode(schema, full)]
    columns = Columns(schema)

    assert columns.encode(columns.decode(datums)) == datums


def encode(schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return out.getvalue()


def test_a_valid_record_is_the_meta_fields_then_the_canonical_fields() -> None:
    dataset = load("civil_servant")
    names = [field["name"] for field in derived.valid_schema(dataset)["fields"]]

    assert names[: len(derived.VALID_META)] == list(derived.VALID_META)
    assert names[len(derived.VALID_META) :] == [field.name for field in dataset.fields]


def test_a_golden_record_ends_with_locality_and_lineage() -> None:
    fields = derived.golden_schema(load("population"))["fields"]

    assert [field["name"] for field in fields[-2:]] == ["_locality", "_lineage"]
    assert fields[-1]["type"][1]["connect.name"] == "io.debezium.data.Json"


def test_keys_hold_the_key_fields_as_plain_strings() -> None:
    fields = derived.key_schema(load("administrative_unit"))["fields"]

    assert [(field["name"], field["type"]) for field in fields] == [("unit_code", "string"), ("vintage", "string")]


def test_a_derived_schema_shares_nothing_with_the_dataset() -> None:
    dataset = load("population")
    derived.golden_schema(dataset)["fields"][0]["name"] = "changed"

    assert dataset.schema["fields"][0]["name"] == "citizen_id"


def test_topics_are_named_after_dataset_kind_and_locality() -> None:
    assert derived.topic("civil_servant", "golden") == "civil_servant.golden"
    assert derived.topic("civil_servant", "golden", "01") == "civil_servant.golden.01"
