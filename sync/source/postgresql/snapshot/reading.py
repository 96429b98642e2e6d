"""The configuration keys of snapshots (Debezium's) and their typed form.

``setting`` joins them with the connector's other keys. Assumes nothing of the rest of this package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.config import Key, Type
from sync.record import TableId
from sync.source.postgresql.key import key, only
from sync.source.validator import at_least, patterns

_OVERRIDES = "snapshot.select.statement.overrides"

KEYS = (
    key(
        "snapshot.mode",
        "What is read before the log: the rows at the first start, the rows at each start, only the rows, nothing, or "
        "the rows whenever the log does not continue the stored position.",
        "initial",
        recommended=("initial", "always", "initial_only", "no_data", "when_needed"),
        differs="Without configuration_based and custom. A snapshot that was interrupted goes on where it was.",
    ),
    key("snapshot.max.threads", "Connections that read the tables at the same time, under one snapshot.", 1, Type.INT,
        validator=at_least(1), differs="Large tables are read by several connections at once, in chunks."),
    key("snapshot.include.collection.list", "Regular expressions of the schema.table whose rows are read; none: all.",
        [], Type.LIST, validator=patterns),
    key(_OVERRIDES, "Tables (schema.table) that are read by the statement in "
        f"{_OVERRIDES}.<schema>.<table>.", [], Type.LIST),
    key("snapshot.tables.order.by.row.count", "Order of the tables.", "disabled",
        recommended=("disabled", "ascending", "descending")),
    key("snapshot.delay.ms", "Wait so long before a snapshot, milliseconds.", 0, Type.LONG, validator=at_least(0)),
    key("snapshot.locking.mode", "Locks on the tables that are read.", "none", recommended=("none",),
        differs="Only none, the default: one exported snapshot is consistent without locks."),
    key("snapshot.isolation.mode", "Isolation of the reading transactions.", "serializable",
        recommended=("serializable", "repeatable_read"),
        differs="Always repeatable read under an exported snapshot, of which serializable differs for writers only."),
    key("snapshot.query.mode", "How a table's select is made.", "select_all", recommended=("select_all",),
        differs="Only select_all, the default; snapshot.select.statement.overrides changes a table's."),
    key("snapshot.scan.all.columns.force", "Read columns that are not captured too.", False, Type.BOOLEAN,
        validator=only(False, "remove the key."), differs="Only false."),
)  # fmt: skip

FAMILIES = (
    Key(
        rf"{re.escape(_OVERRIDES)}\..+",
        Type.STRING,
        "Statement that selects the rows of a table for a snapshot; it must return the table's columns.",
        "",
        group="PostgreSQL",
    ),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What of the tables is read, and how. ``delay`` in seconds."""

    threads: int
    include: tuple[re.Pattern[str], ...]
    statements: Mapping[str, str]
    order: str
    delay: float

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Reading:
        """Read the typed values of ``KEYS``. A table may be named without a statement."""
        statements = {name: values.get(f"{_OVERRIDES}.{name}") or "" for name in values[_OVERRIDES]}
        return cls(
            threads=values["snapshot.max.threads"],
            include=tuple(re.compile(item, re.IGNORECASE) for item in values["snapshot.include.collection.list"]),
            # As Debezium: a table that is named without a statement is read as any other.
            statements={name: text for name, text in statements.items() if text},
            order=values["snapshot.tables.order.by.row.count"],
            delay=values["snapshot.delay.ms"] / 1000,
        )

    def includes(self, table: TableId) -> bool:
        """Tell whether the table's rows are read."""
        return not self.include or any(pattern.fullmatch(str(table)) for pattern in self.include)

    def statement(self, table: TableId) -> str | None:
        """Return the configured select of a table."""
        return self.statements.get(str(table))
