"""What the configuration makes of a table: which columns are captured, what is its key, which values are changed.

Read from the configuration by ``setting``; ``router`` shapes each table that it routes, and ``check`` each table that
is chosen. Column names are ``schema.table.column``; regular expressions must match them whole, case ignored
(Debezium's).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sync.config import Key, Type
from sync.errors import ConfigError
from sync.record import TableId
from sync.source.postgresql.key import key
from sync.source.postgresql.source_type import parameters
from sync.source.postgresql.table import Column, Identity, Table
from sync.source.postgresql.treatment import Cut, Hash, Mask, Treatment, python_algorithm
from sync.source.validator import at_least, patterns

_HASH = r"column\.mask\.hash\.(?:v2\.)?([^.]+)\.with\.salt\.(.+)"
_MASK = r"column\.mask\.with\.(\d+)\.chars"
_CUT = r"column\.truncate\.to\.(\d+)\.chars"
_IN_KEY = "A key column can't be masked, hashed or cut (Debezium would write it into the key as it is)."

Patterns = tuple[re.Pattern[str], ...]


def _hashes(name: str, value: Any) -> str | None:
    match = re.fullmatch(_HASH, name)
    try:
        python_algorithm(match[1] if match else "")
    except ValueError:
        return f"Invalid configuration {name}: there is no hash algorithm {match[1] if match else ''} here."
    return patterns(name, value)


def _cuts(name: str, value: Any) -> str | None:
    match = re.fullmatch(_CUT, name)
    return at_least(1)(name, int(match[1])) if match and not int(match[1]) else patterns(name, value)


def _keys(name: str, value: Any) -> str | None:
    try:
        _read_keys(value)
    except (ValueError, re.error):
        return f"Invalid value for configuration {name}: not 'schema.table:column,column;…' with regular expressions."
    return None


KEYS = (
    key("column.include.list", "Regular expressions of schema.table.column to capture; key columns must be among "
        "them.", [], Type.LIST, validator=patterns, differs="A key column that is left out is an error: Debezium "
        "writes a key without its value."),
    key("column.exclude.list", "Regular expressions of schema.table.column to leave out; not a key column.", [],
        Type.LIST, validator=patterns, differs="A key column is an error: Debezium writes a key without its value."),
    key("message.key.columns", "Key columns of tables: schema.table:column,column;… with regular expressions of "
        "tables. The replica identity must hold them.", "", validator=_keys, differs="Columns that the replica "
        "identity lacks are an error: a delete could not name its row."),
    key("column.propagate.source.type", "Regular expressions of schema.table.column whose schemas tell the source's "
        "type, length and scale.", [], Type.LIST, validator=patterns,
        differs="The type of a column of a domain is the domain's base type; a serial column is an int4."),
    key("datatype.propagate.source.type", "As column.propagate.source.type, by names of types (int4, varchar).", [],
        Type.LIST, validator=patterns),
)  # fmt: skip

FAMILIES: tuple[Key, ...] = (
    key(_HASH, "Regular expressions of schema.table.column whose strings are replaced by the hexadecimal hash of "
        "salt and value; v2. before the algorithm for one that does not depend on Java.", [], Type.LIST,
        validator=_hashes, differs=_IN_KEY),
    key(_MASK, "Regular expressions of schema.table.column whose strings become so many asterisks, nulls too.", [],
        Type.LIST, validator=patterns, differs=_IN_KEY),
    key(_CUT, "Regular expressions of schema.table.column whose strings and bytes are cut to a length.", [],
        Type.LIST, validator=_cuts, differs=_IN_KEY),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rule:
    names: Patterns
    treatment: Treatment | None
    """None: tell the source's type."""
    of_type: bool = False
    key: str = ""

    def matches(self, name: str, column: Column) -> bool:
        return _any(self.names, column.type.name if self.of_type else name)


@dataclass(frozen=True, slots=True)
class Shape:
    """The rules. ``table`` applies them; the rest is the configuration's, in its order."""

    include: Patterns = ()
    exclude: Patterns = ()
    keys: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = ()
    rules: tuple[_Rule, ...] = ()

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Shape:
        """Read the typed values of ``KEYS`` and ``FAMILIES``. ConfigError where they contradict each other."""
        if values["column.include.list"] and values["column.exclude.list"]:
            raise ConfigError(
                "Configurations column.include.list and column.exclude.list can't be used together.",
                field="column.exclude.list",
                hint="remove one of them",
            )
        return cls(
            compiled(values["column.include.list"]),
            compiled(values["column.exclude.list"]),
            _read_keys(values["message.key.columns"]),
            tuple(_rules(values)),
        )

    def table(self, table: Table) -> Table:
        """Return the table as it is captured. ConfigError names the key, the column and the remedy."""
        if not (self.include or self.exclude or self.keys or self.rules):
            return table
        columns = tuple(self._column(table.id, column) for column in table.columns)
        shaped = replace(table, columns=columns, key=self._key(table))
        named = {column.name: column for column in columns}
        for name in shaped.key:
            self._require_in_key(shaped, named[name])
        return shaped

    def _column(self, table: TableId, column: Column) -> Column:
        name = f"{table}.{column.name}"
        if (self.include and not _any(self.include, name)) or _any(self.exclude, name):
            return replace(column, captured=False)
        # Debezium applies the first rule that matches, and no other.
        rule = next((rule for rule in self.rules if rule.matches(name, column)), None)
        if rule is None:
            return column
        if rule.treatment is not None:
            return replace(column, treatment=rule.treatment)
        return replace(column, parameters=tuple(parameters(column.name, column.type).items()))

    def _key(self, table: Table) -> tuple[str, ...]:
        wanted = [names for pattern, names in self.keys if pattern.fullmatch(str(table.id))]
        if not wanted:
            return table.key
        names = tuple(dict.fromkeys(name for names in wanted for name in names))
        known = {column.name.lower(): column.name for column in table.columns}
        missing = [name for name in names if name.lower() not in known]
        if missing:
            raise ConfigError(
                f"Configuration message.key.columns names columns that table {table.id} has not: {', '.join(missing)}.",
                field="message.key.columns",
                hint="check the names of the columns",
            )
        chosen = tuple(known[name.lower()] for name in names)
        if table.identity is not Identity.FULL and not set(chosen) <= set(table.key):
            raise ConfigError(
                f"Configuration message.key.columns wants a key of table {table.id} that its replica identity does "
                "not hold: a delete could not name its row.",
                field="message.key.columns",
                hint=f"ALTER TABLE {table.id} REPLICA IDENTITY FULL, or use replica.identity.autoset.values",
            )
        return chosen

    def _require_in_key(self, table: Table, column: Column) -> None:
        name = f"{table.id}.{column.name}"
        if not column.captured:
            field = "column.include.list" if self.include else "column.exclude.list"
            raise ConfigError(
                f"Configuration {field} leaves out {name}, which is part of the key.",
                field=field,
                hint="capture the column, or choose another key by message.key.columns",
            )
        if column.treatment is not None:
            rule = next(rule for rule in self.rules if rule.treatment is column.treatment)
            raise ConfigError(
                f"Configuration {rule.key} would change {name}, which is part of the key.",
                field=rule.key,
                hint="take the column out of it, or choose another key by message.key.columns",
            )


def compiled(items: Iterable[str]) -> Patterns:
    """Compile a list of names' regular expressions as Debezium does: case ignored."""
    return tuple(re.compile(item, re.IGNORECASE) for item in items)


def _any(patterns: Patterns, name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)


def _rules(values: Mapping[str, Any]) -> Iterable[_Rule]:
    # The order in which Debezium looks: cut, masked, hashed, told.
    for form in (_CUT, _MASK, _HASH):
        for name, value in values.items():
            if match := re.fullmatch(form, name):
                yield _Rule(compiled(value), _treatment(form, name, match), key=name)
    yield _Rule(compiled(values["column.propagate.source.type"]), None)
    yield _Rule(compiled(values["datatype.propagate.source.type"]), None, of_type=True)


def _treatment(form: str, name: str, match: re.Match[str]) -> Treatment:
    if form == _CUT:
        return Cut(int(match[1]))
    if form == _MASK:
        return Mask(int(match[1]))
    return Hash(match[1], match[2], 2 if name.startswith("column.mask.hash.v2.") else 1)


def _read_keys(text: str) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    """Read ``table:column,column;…``; ValueError where it isn't that."""
    found = []
    for item in filter(None, (part.strip() for part in text.split(";"))):
        table, _, columns = item.rpartition(":")
        names = tuple(name.strip() for name in columns.split(","))
        if not table or not all(names):
            raise ValueError(item)
        found.append((re.compile(table.strip(), re.IGNORECASE), names))
    return tuple(found)
