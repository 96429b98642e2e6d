"""What we write for every type in every handling mode is what Debezium gave, but for tests/type_difference.py.

The values are those of tests/differential/types.sql; what Debezium gave stands in tests/golden/debezium_types.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sync.source.postgresql.column import Options, column_type
from sync.source.postgresql.table import PgType
from tests.differential.form import single
from tests.type_difference import DIFFERENT
from tests.type_table import MODES, type_tables
from tests.type_written import GOLDEN, TABLES, Written, pg_type


@dataclass(frozen=True, slots=True)
class Difference:
    place: tuple[str, str, str]
    ours: Any
    debeziums: Any


def differences(table: str, mode: str) -> list[Difference]:
    debezium = GOLDEN["modes"][mode].get(table) or GOLDEN["modes"]["default"][table]
    return list(_compared(Written(table, mode), debezium))


def _compared(ours: Written, debezium: dict[str, Any]) -> Iterator[Difference]:
    for name in ours.fields | debezium["fields"]:
        yield from _different((ours.name, "schema", name), ours.fields.get(name), debezium["fields"].get(name))
    for values, theirs in zip(ours.texts(), debezium.get("created", debezium["read"]), strict=True):
        yield from _rows(ours, "row", ours.row(values), theirs)
    if debezium["deleted"] and ours.name != "type_key":
        key = [ours.columns[0]["texts"][0], *[None] * (len(ours.columns) - 1)]
        yield from _rows(ours, "deleted", ours.row(key, key_only=True), debezium["deleted"])
    if "toast" in ours.name:
        kept = {"id": "2001", "changed": "1", "r": "[1,2)"}
        values = [kept.get(column["name"], ...) for column in ours.columns]
        yield from _rows(ours, "updated", ours.row(values), debezium["updated"][0])


def _rows(written: Written, what: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[Difference]:
    # A generated column is in the catalogs and the snapshot, and not in the log.
    for name in ours.keys() & theirs.keys():
        debeziums = single(written.fields[name], theirs[name])
        yield from _different((written.name, what, name), ours[name], debeziums)


def _different(place: tuple[str, str, str], ours: Any, theirs: Any) -> Iterator[Difference]:
    if ours != theirs:
        yield Difference(place, ours, theirs)


def test_the_golden_file_has_every_table() -> None:
    assert sorted(table.name for table in type_tables() if not table.fails) == TABLES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("table", TABLES)
def test_fields_and_values_are_debeziums(table: str, mode: str) -> None:
    unknown = [one for one in differences(table, mode) if one.place not in DIFFERENT]
    assert unknown == []


def test_every_difference_is_still_one() -> None:
    found = {one.place for table in TABLES for mode in MODES for one in differences(table, mode)}
    assert DIFFERENT.keys() - found == set()


def test_the_page_of_types_names_each_of_them() -> None:
    page = (Path(__file__).parents[3] / "docs" / "postgresql-types.md").read_text(encoding="utf-8")
    kinds = (pg_type(column["type"]) for columns in GOLDEN["columns"].values() for column in columns)
    names = {kind.name for kind in kinds if kind.element is None and not kind.labels}
    known = {name for name in names if column_type(PgType(name), Options()).schema is not None}
    assert {name for name in known if f"`{name}`" not in page} == set()
