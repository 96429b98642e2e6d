"""Replica identities that the configuration wants: ``replica.identity.autoset.values``.

Read by ``setting``; ``publication`` sets them before tables are published. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sync.record import TableId
from sync.source.postgresql.key import key
from sync.source.postgresql.table import Identity

NAME = "replica.identity.autoset.values"

_FORM = re.compile(r"(?P<table>.+):(?P<identity>DEFAULT|FULL|NOTHING|INDEX\s+(?P<index>\S+))", re.IGNORECASE)


def _values(name: str, value: str) -> str | None:
    try:
        read(value)
    except (ValueError, re.error):
        return (
            f"Invalid value for configuration {name}: not 'schema.table:identity,…' with regular expressions of "
            "tables and DEFAULT, INDEX <name>, FULL or NOTHING."
        )
    return None


KEYS = (
    key(NAME, "Replica identities to set at the start: schema.table:DEFAULT|INDEX name|FULL|NOTHING, with commas "
        "between and regular expressions of tables. The role must own the tables.", "", validator=_values,
        differs="A role that may not is an error: Debezium goes on with a warning."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """The identity of the tables whose names match; ``index`` names the index of an INDEX."""

    tables: re.Pattern[str]
    identity: Identity
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Identities:
    """All wanted identities, in the configuration's order."""

    wanted: tuple[Wanted, ...] = ()

    def of(self, table: TableId) -> Wanted | None:
        """Return what is wanted of a table; the first that matches counts."""
        return next((wanted for wanted in self.wanted if wanted.tables.fullmatch(str(table))), None)


def read(text: str) -> Identities:
    """Read ``table:identity,…``; ValueError (or re.error) where it isn't that."""
    wanted = []
    for item in filter(None, (part.strip() for part in re.split(r"(?<!\\),", text))):
        match = _FORM.fullmatch(item.replace("\\,", ","))
        if match is None:
            raise ValueError(item)
        tables = re.compile(match["table"].strip(), re.IGNORECASE)
        name = "INDEX" if match["index"] else match["identity"].upper()
        wanted.append(Wanted(tables, Identity[name], match["index"]))
    return Identities(tuple(wanted))
