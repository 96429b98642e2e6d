"""The rows of the capture benchmark."""

from __future__ import annotations

from pathlib import Path

from bench import personnel
from bench.personnel import NARROW, Shape


def test_files_hold_each_person_once_and_each_part_its_share(tmp_path: Path) -> None:
    shape = Shape("narrow", warm_up=10, rows=50, transaction=20)
    made = personnel.make(tmp_path, shape, singles=7, seed=1)
    parts = [made.warm_up, *made.measured, made.single]
    lines = [path.read_text(encoding="utf-8").splitlines() for path in parts]
    assert [len(part) for part in lines] == [10, 20, 20, 10, 7]
    rows = [line.split("\t") for part in lines for line in part]
    assert {len(row) for row in rows} == {len(NARROW)}
    assert len({row[0] for row in rows}) == 67


def test_the_wide_table_has_all_fields_of_a_civil_servant() -> None:
    shape = Shape("wide", 0, 0, 1)
    assert len(shape.columns) == 109
    assert shape.table.startswith("create table wide (citizen_id text, ")
