"""What is declared of the reference tables: columns from the heads of their CSV files, keys and types from
``schemas/reference/tables.yaml``.

Called by ``sync.schema.rule``, which checks the look-ups of expressions against it without reading a table.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from sync.rule.expression.kind import Kind
from sync.rule.expression.value import Table
from sync.schema.document import Node, read

FILE = "reference/tables.yaml"
_KINDS = {"text": Kind.TEXT, "int": Kind.INTEGER, "decimal": Kind.DECIMAL, "date": Kind.DATE}


class ReferenceTables:
    """The reference tables of a schemas folder, each looked at when first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, name: str) -> Table | None:
        """The table, or None if there is none; ConfigError for a mistake in its declaration."""
        return _tables(self._root).get(name)

    def known(self) -> Iterable[str]:
        """The names of all tables."""
        return _tables(self._root).keys()


@cache
def _tables(root: Path) -> Mapping[str, Table]:
    declared = read(root, FILE) if (root / FILE).exists() else Node({}, FILE)
    columns = {path.stem: _head(path) for path in sorted((root / "reference").glob("*.csv"))}
    for name, node in declared.entries():
        if name not in columns:
            node.fail(f"there is no table {name}.", f"Add reference/{name}.csv.")
    return {name: _table(name, head, declared.get(name)) for name, head in columns.items()}


def _head(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return tuple(next(csv.reader(file), ()))


def _table(name: str, head: tuple[str, ...], node: Node) -> Table:
    if node.absent:
        return Table(name, dict.fromkeys(head, Kind.TEXT))
    node.mapping(allowed=("key", "columns"))
    given = node.get("columns")
    kinds = {} if given.absent else {column: _KINDS[entry.choice(_KINDS)] for column, entry in given.entries()}
    key = node.get("key").texts()
    for column in (*kinds, *key):
        if column not in head:
            node.fail(f"the table has no column {column}.", f"Use one of {', '.join(head)}.")
    return Table(name, {column: kinds.get(column, Kind.TEXT) for column in head}, key)
