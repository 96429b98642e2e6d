"""The generated rows, written as their sources write them, go through the project's real mapping and cleaning.

The generator says what must come out; here it is compared with what does. So a change of a mapping, of a cleaning
step or of a rule that the demo relies on is seen without Kafka and PostgreSQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl
import pytest

from sync.demo import script, unit
from sync.demo.database import Layouts
from sync.demo.error import Row
from sync.demo.layout import Column, Layout
from sync.demo.story import Stage
from sync.rule.cleaning import clean
from sync.rule.mapping import map_columns
from sync.rule.model import Reference
from sync.schema.location import schemas_root
from sync.schema.reference import load_reference

TODAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference()


def captured(column: Column, texts: list[str | None]) -> tuple[pl.Series, str | None]:
    """A column as capture gives it: (values, Connect's name of their meaning)."""
    values = pl.Series(column.name, texts, dtype=pl.String)
    match column.sql:
        case "date":
            return values.str.to_date().to_physical(), "io.debezium.time.Date"
        case "integer":
            return values.cast(pl.Int32), None
        case "boolean":
            return values == "true", None
        case "timestamptz":
            zoned = values.str.replace(" ", "T", literal=True).str.replace("+00:00", "Z", literal=True)
            return zoned, "io.debezium.time.ZonedTimestamp"
        case numeric if numeric.startswith("numeric"):
            return values.cast(pl.Decimal(column.field.precision, column.field.scale)), None
    return values, None


def cleaned(
    layouts: Layouts, layout: Layout, rows: list[Row], reference: Reference
) -> tuple[list[dict[str, Any]], dict[int, dict[str, set[str]]]]:
    """Each row after cleaning, and its violations: row number → severity → rules."""
    dataset = layouts.datasets[layout.dataset]
    lines = [layout.texts(row.clean, row.raw) for row in rows]
    columns, meanings = [], {}
    for number, column in enumerate(layout.columns):
        series, meaning = captured(column, [line[number] for line in lines])
        columns.append(series)
        if meaning:
            meanings[column.name] = meaning
    mapped = map_columns(pl.DataFrame(columns), dataset.mapping(layout.mapping), semantics=meanings)
    found = clean(mapped, dataset.fields, dataset.rules, reference, TODAY)
    violations: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for number, _, rule, severity in found.violations.iter_rows():
        violations[number][severity].add(rule)
    return list(found.frame.iter_rows(named=True)), violations


def rows_by_table(stage: Stage, layouts: Layouts) -> Iterator[list[Row]]:
    tables: dict[tuple[str, str], list[Row]] = defaultdict(list)
    rows: list[Row] = []
    for index in stage.numbers():
        story = script.story(stage, index)
        rows += [story.register] if story.register else []
        rows += story.rows
        rows += [change.after for change in story.changes if change.after]
    for code in unit.codes(stage.world):
        rows += unit.unit_rows(stage, code)
    types = {field.name: str(field.type) for field in layouts.datasets[unit.ADMINISTRATIVE].fields}
    rows += [unit.administrative_row(record) for record in unit.administrative(schemas_root(), types)]
    for row in rows:
        tables[row.site.name, row.table].append(row)
    yield from tables.values()


def test_cleaning_gives_what_the_generator_expects(stage: Stage, layouts: Layouts, reference: Reference) -> None:
    differences: list[str] = []
    for rows in rows_by_table(stage, layouts):
        layout = layouts.of(rows[0])
        records, violations = cleaned(layouts, layout, rows, reference)
        for number, (row, record) in enumerate(zip(rows, records, strict=True)):
            place = f"{row.site.name} {row.table} {row.error or 'sound'}"
            errors, reviews = violations[number]["ERROR"], violations[number]["REVIEW"]
            if row.refused:
                if not errors or not errors <= row.refused:
                    differences.append(f"{place}: {sorted(errors)} instead of a rejection")
                continue
            if errors:
                differences.append(f"{place}: rejected by {sorted(errors)}")
            if bool(reviews) != (row.error == "no_id"):
                differences.append(f"{place}: {sorted(reviews)} for review")
            actual = {name: value for name, value in record.items() if value not in (None, "")}
            wanted = row.clean
            if "birth_date_precision" not in wanted and "birth_date_precision" in actual:
                # Derived from the date where a source does not say it.
                wanted = {**wanted, "birth_date_precision": "0"}
            if actual != wanted:
                names = {name for name in actual.keys() | wanted.keys() if actual.get(name) != wanted.get(name)}
                differences.append(f"{place}: {sorted(names)}")
    assert not differences, differences[:20]


def test_a_row_of_sound_people_is_not_warned_about_on_every_field(
    stage: Stage, layouts: Layouts, reference: Reference
) -> None:
    """Warnings become verdicts: a warning on every row would hide the ones that matter."""
    for rows in rows_by_table(stage, layouts):
        if rows[0].table in ("public.can_bo", "public.ho_so"):
            _, violations = cleaned(layouts, layouts.of(rows[0]), rows, reference)
            warned = sum(bool(violations[number]["WARN"]) for number in range(len(rows)))
            assert warned < len(rows) / 4
