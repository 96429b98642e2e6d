"""Scenarios: every type of ``types.sql`` that the embedded server has, in every handling mode."""

from __future__ import annotations

from tests.differential.scenario import Scenario
from tests.type_table import MODES, TypeTable, type_tables

_EXTENSIONS = (None, "vector")


def _scenario(mode: str, tables: list[TypeTable]) -> Scenario:
    before = ["create extension if not exists vector"]
    after = []
    for table in tables:
        before += [*table.made, *table.rows]
        after += [f"delete from {table.name}", *table.rows, *table.after]
    return Scenario(f"types_{mode}", tuple(before), tuple(after), MODES[mode])


_TABLES = [table for table in type_tables() if table.needs in _EXTENSIONS and not table.fails]

TABLES = frozenset(table.name for table in _TABLES)

TYPES = tuple(_scenario(mode, _TABLES) for mode in MODES)
