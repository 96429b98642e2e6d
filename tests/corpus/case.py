"""What an error class is: how it damages a record, and what must become of the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, Literal

from sync.demo.person import Record
from sync.demo.world import World, rows

Outcome = Literal["untouched", "repaired", "warned", "review", "rejected"]


@dataclass(frozen=True, slots=True)
class Label:
    """What must become of a damaged record.

    ``outcome``: *untouched* (nothing is found), *repaired* (every field is the truth's), *warned* (kept, and told),
    *review* (a person decides), *rejected*. ``rule`` is what must be told of ``field``; None where a change of notation
    only needs no word. ``proposals``: what must be offered, and nothing else.
    """

    outcome: Outcome
    field: str = ""
    rule: str | None = None
    proposals: Sequence[tuple[str, str]] = ()


@dataclass(slots=True)
class Case:
    """A record to damage. ``truth``: canonical values that must come out; ``raw``: damaged texts by field.

    A class may change the truth too: a record that holds only a year of birth is true at that precision.
    """

    tables: Tables
    rng: Random
    truth: Record
    raw: dict[str, str | None] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """The world that the person lives in."""
        return self.tables.world


Damage = Callable[[Case], Label | None]
"""Damages the record and labels it; None (and an untouched record) where the class does not apply to it."""

CLASSES: dict[str, Damage] = {}
"""All error classes by name, in the order in which their modules are read."""


def kind(damage: Damage) -> Damage:
    """Register an error class under its function's name."""
    CLASSES[damage.__name__] = damage
    return damage


@dataclass(frozen=True)
class Tables:
    """The reference tables that damages are drawn from, read from the published data as plain rows."""

    world: World
    root: Path

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a reference table."""
        return list(rows(self.root, name))

    @cached_property
    def vni(self) -> Mapping[str, str]:
        """Letter → its sequence in VNI-Windows."""
        found: dict[str, str] = {}
        for row in self.rows("vni_map"):
            found.setdefault(row["unicode"], row["latin1_seq"])
        return found

    @cached_property
    def old_communes(self) -> Mapping[str, list[dict[str, str]]]:
        """Rows of the resolution table by status."""
        found: dict[str, list[dict[str, str]]] = {}
        for row in self.rows("commune_resolution"):
            found.setdefault(row["status"], []).append(row)
        return found

    @cached_property
    def communes(self) -> Mapping[str, dict[str, str]]:
        """Rows of the communes of 2025-07-01 by code."""
        return {row["code"]: row for row in self.rows("communes")}

    @cached_property
    def provinces_old(self) -> Mapping[str, str]:
        """Old province code → name."""
        return {row["old_gso_code"]: row["old_name"] for row in self.rows("provinces_old")}

    @cached_property
    def districts(self) -> Mapping[str, dict[str, str]]:
        """Rows of the old districts by code."""
        return {row["code"]: row for row in self.rows("districts_old")}

    @cached_property
    def only_districts(self) -> list[tuple[str, dict[str, str]]]:
        """Old districts with communes whose code is not one of a commune that lost its zeros."""
        return [
            (code, row)
            for code, row in self.districts.items()
            if row["new_commune_codes"] and (code.startswith("0") or f"00{code}" not in self.communes)
        ]

    @cached_property
    def numeric_wards(self) -> list[dict[str, str]]:
        """Old wards called by a number that lead to one new commune."""
        rows = self.old_communes["UNIQUE"]
        return [row for row in rows if row["old_commune"].startswith("Phường ") and row["old_commune"][7:].isdigit()]

    @cached_property
    def aliased(self) -> list[dict[str, str]]:
        """Old communes with another code in the other official list, which no commune has today."""
        rows = self.old_communes["UNIQUE"]
        return [row for row in rows if row["alias_codes"] and row["alias_codes"] not in self.communes]

    @cached_property
    def namesakes(self) -> Counter[tuple[str, str]]:
        """How many communes of an old district end in a word."""
        every = (row for rows in self.old_communes.values() for row in rows)
        return Counter((row["old_district_code"], row["old_commune"].casefold().split()[-1]) for row in every)

    @cached_property
    def old_province(self) -> Mapping[str, str]:
        """Old commune code → old province code."""
        every = (row for rows in self.old_communes.values() for row in rows)
        return {row["old_commune_code"]: row["old_province_code"] for row in every}


def pick(case: Case, *names: str) -> str | None:
    """One of the fields ``names`` that the record has."""
    there = [name for name in names if case.truth.get(name) is not None]
    return case.rng.choice(there) if there else None


def repaired(
    case: Case, name: str | None, damage: Callable[[str], str | None], rule: str | None = "VR10"
) -> Label | None:
    """Damage one text in a way that must be undone."""
    if name is None:
        return None
    text: Any = case.truth[name]
    damaged = damage(text)
    if damaged is None or damaged == text:
        return None
    case.raw[name] = damaged
    return Label("repaired", name, rule)
