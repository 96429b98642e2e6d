"""What we write for every type in every handling mode is what real Debezium gave, but for the differences named here.

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
from tests.type_table import MODES, type_tables
from tests.type_written import GOLDEN, TABLES, Written, pg_type

ITEMS = "elements of arrays may always be null"
GEOMETRY = "PostgreSQL's own text of the raw form, without Java's .0"
WHOLE = "Debezium can't read the array and writes null"

DIFFERENT: dict[tuple[str, str, str], str] = {
    ("type_array_deep", "row", "i4"): "more dimensions: row by row; Debezium writes nulls",
    ("type_array_deep", "row", "t"): "more dimensions: row by row; Debezium writes addresses of Java objects",
    ("type_array_none", "schema", "b"): "an array of bit strings; Debezium has the type of one, always null",
    ("type_array_none", "row", "b"): "an array of bit strings; Debezium has the type of one, always null",
    ("type_array_none", "schema", "tv"): ITEMS,
    ("type_array_none", "schema", "c"): ITEMS,
    ("type_array_none", "row", "c"): GEOMETRY,
    ("type_array_none", "schema", "d"): "an array of the domain's base type",
    ("type_array_none", "row", "d"): "an array of the domain's base type",
    **{("type_array_none", "schema", name): "asked for, it is an array of its type" for name in "imnpv"},
    ("type_array_special", "row", "d"): "infinity, and years BC by the calendar of the log",
    ("type_array_special", "row", "n"): WHOLE,
    ("type_array_special", "row", "t"): "infinity, and years BC by the calendar of the log",
    ("type_array_text", "schema", "e"): ITEMS,
    ("type_array_text", "row", "e"): WHOLE,
    ("type_array_time", "row", "t"): "microseconds are kept",
    ("type_composite", "schema", "a"): ITEMS,
    ("type_composite", "row", "a"): WHOLE,
    ("type_day", "row", "d"): "infinity: Debezium has one number in the snapshot and another in the log",
    ("type_default", "schema", "cat"): "an expression is no default; Debezium takes its first literal",
    ("type_default", "schema", "q"): "a quote in a default is kept",
    ("type_default", "schema", "f8"): "JSON has no NaN for a default",
    ("type_default", "row", "nd"): "name: Debezium writes null in the log",
    **{("type_geometric", "row", name): GEOMETRY for name in "bcghls"},
    ("type_interval_special", "row", "i"): "infinity is no zero",
    ("type_moment_special", "row", "t"): "infinity, and what nanoseconds do not reach",
    ("type_moment_special", "row", "t0"): "infinity, and what nanoseconds do not reach",
    ("type_moment_special", "row", "t3"): "infinity, and what nanoseconds do not reach",
    ("type_number_scale", "schema", "n3_m2"): "a negative scale: whole numbers; Debezium has scale 2046",
    ("type_number_scale", "row", "n3_m2"): "a negative scale: whole numbers; Debezium has scale 2046",
    ("type_system", "schema", "v"): ITEMS,
    ("type_system", "row", "v"): "an int2vector has its numbers; Debezium's is empty",
    ("type_system", "schema", "o"): ITEMS,
    ("type_system", "row", "o"): "an oidvector has its numbers; Debezium's is empty",
    ("type_text", "row", "n"): "name: Debezium writes null in the log",
    ("type_toast", "updated", "d"): "the placeholder, where Debezium writes null",
    ("type_toast", "updated", "nn"): "the placeholder, where Debezium writes null",
    ("type_toast", "updated", "y"): "the placeholder, where Debezium writes null",
    ("type_toast", "updated", "yy"): "the placeholder, where Debezium writes null",
    ("type_vector", "schema", "a"): ITEMS,
    ("type_vector", "row", "s"): "a sparse vector without elements is no null",
    ("type_xml", "schema", "a"): "asked for, it is an array of its type",
}  # fmt: skip
"""``(table, what, column) -> reason``; docs/postgresql-types.md tells the same. Strict: each is one in some mode."""


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
