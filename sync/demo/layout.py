"""The mapping of a source read backwards: canonical values as the source's own columns and texts.

A layout is one mapping file of ``schemas/<dataset>/mapping`` with a habit of writing: typed columns (ministry,
register, return tables) or everything as text, as in provincial programs. Used to create, to fill and to change tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sync.demo.person import Record
from sync.rule.model import Field
from sync.schema.dataset import Dataset

TEXT_HABITS = {"vn_short": False, "staff_message": False, "vn_title": True}
"""Mappings whose tables keep everything as text → whether numbers are written with a comma."""

SPELLED_OUT = {"vn_short": ("ethnic_code", "religion_code"), "vn_title": ("ethnic_code", "religion_code")}
"""Codes that a mapping's source writes as names of the catalogue."""


@dataclass(frozen=True)
class Column:
    """One column of a source: the canonical field in it and how its values are written there."""

    name: str
    field: Field
    typed: bool
    codes: Mapping[str, str]
    comma: bool = False
    dmy: bool = False

    @property
    def sql(self) -> str:
        """Its PostgreSQL type."""
        if self.field.type == "datetime":
            return "timestamptz"
        if not self.typed:
            return "text"
        match self.field.type:
            case "date":
                return "date"
            case "decimal":
                return f"numeric({self.field.precision},{self.field.scale})"
            case "int":
                return "integer"
            case "bool":
                return "boolean"
            case _:
                return "text"

    def text(self, value: Any) -> str | None:
        """``value`` as the source writes it; None for no value."""
        if value is None:
            return self.codes.get("")
        written = _written(value)
        if written in self.codes:
            return self.codes[written]
        if self.dmy and self.field.type in ("date", "partial_date"):
            return "/".join(reversed(written.split("-")))
        if self.comma and self.field.type == "decimal":
            return written.replace(".", ",")
        return written


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (date, Decimal, int)):
        return str(value)
    return str(value)


@dataclass(frozen=True)
class Layout:
    """``columns`` in the mapping's order; ``constants``: fields that the mapping fills by itself."""

    dataset: str
    mapping: str
    columns: tuple[Column, ...]
    constants: frozenset[str]

    @property
    def fields(self) -> frozenset[str]:
        """Canonical fields that a row of this layout contributes."""
        return frozenset(column.field.name for column in self.columns) | self.constants

    def texts(self, clean: Record, raw: Mapping[str, str | None]) -> list[str | None]:
        """A row's texts in column order: a damaged text where there is one, else the value as the source writes it."""
        return [
            raw[column.field.name] if column.field.name in raw else column.text(clean.get(column.field.name))
            for column in self.columns
        ]

    def column(self, field: str) -> Column:
        """The column that holds ``field``."""
        return next(column for column in self.columns if column.field.name == field)


def layout(dataset: Dataset, mapping: str, names: Mapping[str, Mapping[str, str]]) -> Layout:
    """The layout of ``mapping``; ``names``: field → code → name, for codes that the source spells out."""
    declared = dataset.mapping(mapping)
    columns = []
    for entry in declared.fields:
        if entry.column is None:
            continue
        codes: dict[str, str] = {}
        for text, code in entry.values.items():
            codes.setdefault(code, text)
        if entry.field in SPELLED_OUT.get(mapping, ()):
            codes.update(names[entry.field])
        columns.append(
            Column(
                name=entry.column,
                field=dataset.field(entry.field),
                typed=mapping not in TEXT_HABITS,
                codes=codes,
                comma=TEXT_HABITS.get(mapping, False),
                dmy=mapping in TEXT_HABITS and declared.date_format == "dmy",
            )
        )
    constants = frozenset(entry.field for entry in declared.fields if entry.constant is not None)
    return Layout(dataset.id, mapping, tuple(columns), constants)


def copy_line(texts: Sequence[str | None]) -> str:
    """One line of PostgreSQL's COPY text format, with its newline."""
    return "\t".join("\\N" if text is None else _escaped(text) for text in texts) + "\n"


def _escaped(text: str) -> str:
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text
