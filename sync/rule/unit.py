"""Administrative units of both ages: what a code or a name means on a date, and what became of the unit (DOMAIN §3).

The plain resolver behind the step ``place`` (``sync.rule.place``), ``dongbo unit`` and whatever moves records to new
units. A code says nothing without its list: 3,316 of the 3,321 commune codes of 2025-07-01 were codes of other units
before. An old unit is named inside its old district only, never inside a new province: names recur there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from sync.rule.index import cached, label_key
from sync.rule.model import Reference

Vintage = Literal["GSO2004", "QD19_2025"]
Level = Literal["province", "district", "commune"]
Status = Literal["CURRENT", "UNIQUE", "UNIQUE_BY_POPULATION", "AMBIGUOUS", "NO_MAPPING"]

OLD: Vintage = "GSO2004"
NEW: Vintage = "QD19_2025"
CHANGE = date(2025, 7, 1)
"""The first day of the new list (QĐ 19/2025/QĐ-TTg)."""


def vintage_on(day: date) -> Vintage:
    """The list that was valid on ``day``."""
    return NEW if day >= CHANGE else OLD


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of one list. ``province`` and ``district``: codes of the same list, its own code for a province."""

    code: str
    name: str
    level: Level
    vintage: Vintage
    province: str
    district: str | None = None


@dataclass(frozen=True, slots=True)
class Successor:
    """A unit of the new list, and how much of the old one became part of it (WHOLE, PART, PART_AREA, …)."""

    unit: Unit
    relation: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a unit is today.

    ``current`` is the one unit of the new list where people of ``unit`` belong; None where it was split (AMBIGUOUS:
    one of ``successors``, whose owner has to choose) or the official table has no row (NO_MAPPING).
    UNIQUE_BY_POPULATION holds for people only, not for land.
    """

    unit: Unit
    status: Status
    current: Unit | None
    successors: tuple[Successor, ...] = field(default=())


_SETTLED = ("UNIQUE", "UNIQUE_BY_POPULATION")
_TYPES: Mapping[Level, Sequence[tuple[str, tuple[str, ...]]]] = {
    "province": (("Thành phố", ("thành phố", "tp")), ("Tỉnh", ("tỉnh", "t"))),
    "district": (
        ("Thành phố", ("thành phố", "tp")),
        ("Thị xã", ("thị xã", "tx")),
        ("Quận", ("quận", "q")),
        ("Huyện", ("huyện", "h")),
    ),
    "commune": (
        ("Thị trấn", ("thị trấn", "tt")),
        ("Phường", ("phường", "p")),
        ("Xã", ("xã", "x")),
        ("Đặc khu", ("đặc khu",)),
    ),
}
_SHORT = {"hcm": "hồ chí minh", "tphcm": "hồ chí minh", "sài gòn": "hồ chí minh", "thừa thiên huế": "huế"}
_SEPARATOR = re.compile(r"\s*[,;]\s*")
_DASH = re.compile(r"\s+[-–]\s+")


def _forms(level: Level) -> re.Pattern[str]:
    forms = "|".join(form for _, all_of in _TYPES[level] for form in all_of)
    return re.compile(rf"({forms})(?:\s*\.\s*|\s+|(?=\d))(.+)")


_FORMS = {level: _forms(level) for level in _TYPES}
_OFFICIAL = {level: {form: name for name, all_of in kinds for form in all_of} for level, kinds in _TYPES.items()}


def split_type(text: str, level: Level) -> tuple[str | None, str]:
    """The type that ``text`` begins with (P. → Phường; None if none) and the key of the name behind it.

    The key ignores capitals, tone placement and punctuation, and zeros before a number (Phường 01 = P1).
    """
    folded = " ".join(text.casefold().split())
    found = _FORMS[level].fullmatch(folded)
    kind, bare = (_OFFICIAL[level][found[1]], found[2]) if found else (None, folded)
    if level == "province":
        bare = _SHORT.get(bare.replace(".", "").strip(), bare)
    return kind, str(int(bare)) if bare.isdecimal() else label_key(bare)


@dataclass(frozen=True)
class Provinces:
    """What a province given as code or name can be: ``old`` codes, the surest first set first, and the ``new`` code."""

    old: tuple[frozenset[str], ...]
    new: str | None
    only_old: bool = False


class Units:
    """All units of both lists. ``units(reference)`` builds it once."""

    def __init__(self, tables: Reference) -> None:
        """Read the tables ``provinces``, ``provinces_old``, ``communes``, ``districts_old``, ``commune_resolution``."""
        self._new: dict[str, Unit] = {}
        self._old: dict[str, Unit] = {}
        self._resolutions: dict[str, tuple[Status, str | None, str]] = {}
        self._province_now: dict[str, str] = {}
        self._district_now: dict[str, tuple[str, ...]] = {}
        self._read_provinces(tables)
        self._read_communes(tables)
        self._labels: dict[tuple[Vintage, Level, str], list[Unit]] | None = None
        self._dashed: frozenset[str] | None = None
        self._merged: dict[str, frozenset[str]] = {}
        for old, now in self._province_now.items():
            self._merged[now] = self._merged.get(now, frozenset()) | {old}

    def _read_provinces(self, tables: Reference) -> None:
        for code, name in tables.table("provinces", "code", "name").select("code", "name").iter_rows():
            self._new[code] = Unit(code, name, "province", NEW, code)
        old = tables.table("provinces_old", "old_gso_code", "old_name", "new_province_code")
        for code, name, now in old.select("old_gso_code", "old_name", "new_province_code").iter_rows():
            self._old[code] = Unit(code, name, "province", OLD, code)
            self._province_now[code] = now

    def _read_communes(self, tables: Reference) -> None:
        communes = tables.table("communes", "code", "province_code", "name", "alias_code", "type_2025_07_01")
        for code, province, name, kind, alias in communes.select(
            "code", "province_code", "name", "type_2025_07_01", "alias_code"
        ).iter_rows():
            self._new[code] = Unit(code, f"{kind} {name}", "commune", NEW, province)
            if alias:
                self._new.setdefault(alias, self._new[code])
        if "districts_old" in tables.tables:
            districts = tables.table("districts_old", "code", "name", "old_province_code", "new_commune_codes")
            for code, name, province, now in districts.select(
                "code", "name", "old_province_code", "new_commune_codes"
            ).iter_rows():
                self._old[code] = Unit(code, name, "district", OLD, province, code)
                self._district_now[code] = tuple(now.split(";")) if now else ()
        aliases: list[tuple[str, str]] = []
        for row in tables.table("commune_resolution", "old_commune_code", "status", "candidates").iter_rows(named=True):
            code = row["old_commune_code"]
            self._old[code] = Unit(
                code, row["old_commune"], "commune", OLD, row["old_province_code"], row["old_district_code"]
            )
            self._resolutions[code] = (row["status"], row["resolved_new_code"], row["candidates"] or "")
            aliases += [(alias, code) for alias in (row["alias_codes"] or "").split(";") if alias]
        for alias, code in aliases:
            self._old.setdefault(alias, self._old[code])

    # -- by code

    def unit(self, code: str, vintage: Vintage) -> Unit | None:
        """The unit of a code (or of its alias in the other official list) in one list."""
        return (self._new if vintage == NEW else self._old).get(code)

    def resolve(self, code: str, *, on: date | None = None, vintage: Vintage | None = None) -> tuple[Resolution, ...]:
        """What a code means: at most one resolution with a list or a date; without, one for each list that has it."""
        lists = (vintage,) if vintage else (vintage_on(on),) if on else (NEW, OLD)
        found = (self.unit(code, each) for each in lists)
        return tuple(self.resolution(unit) for unit in found if unit)

    def resolution(self, unit: Unit) -> Resolution:
        """What a unit is today. A province of the old list always became part of one new province."""
        if unit.vintage == NEW:
            return Resolution(unit, "CURRENT", unit)
        if unit.level == "province":
            now = self._new[self._province_now[unit.code]]
            return Resolution(unit, "UNIQUE", now, (Successor(now, "WHOLE"),))
        if unit.level == "district":
            parts = tuple(Successor(self._new[code], "PART") for code in self._district_now[unit.code])
            return Resolution(unit, "AMBIGUOUS", None, parts)
        status, resolved, candidates = self._resolutions[unit.code]
        successors = tuple(
            Successor(self._new[code], relation)
            for code, _, relation in (entry.partition(":") for entry in candidates.split(";") if entry)
        )
        current = self._new[resolved] if resolved and status in _SETTLED else None
        return Resolution(unit, status, current, successors)

    # -- by name

    @property
    def _by_label(self) -> Mapping[tuple[Vintage, Level, str], list[Unit]]:
        if self._labels is None:
            self._labels = {}
            for unit in dict.fromkeys([*self._new.values(), *self._old.values()]):
                _, label = split_type(unit.name, unit.level)
                self._labels.setdefault((unit.vintage, unit.level, label), []).append(unit)
        return self._labels

    def named(self, text: str, level: Level, vintage: Vintage) -> Iterator[Unit]:
        """The units of a list that are called ``text``, whatever stands above them; by type too where it is told.

        The type of a new unit is not compared: it can change while the code stays (2026-04-30).
        """
        kind, label = split_type(text, level)
        for unit in self._by_label.get((vintage, level, label), ()):
            if kind is None or vintage == NEW or unit.name.casefold().startswith(kind.casefold()):
                yield unit

    def parts(self, text: str) -> list[str]:
        """The names in a text like ``Phường 1, Quận 3, TP.HCM``, lowest first.

        A dash between blanks separates too, but within a unit's name (Cam Ly - Đà Lạt).
        """
        found: list[str] = []
        for piece in _SEPARATOR.split(text.strip()):
            words = _DASH.split(piece)
            while words:
                most = (count for count in range(len(words), 1, -1) if self._is_one_name(" - ".join(words[:count])))
                count = next(most, 1)
                found.append(" - ".join(words[:count]))
                words = words[count:]
        return [part for part in found if part] or [text]

    def _is_one_name(self, text: str) -> bool:
        """Whether a unit is called so, of those with a dash in their names."""
        if self._dashed is None:
            units = [*self._new.values(), *self._old.values()]
            self._dashed = frozenset(split_type(unit.name, unit.level)[1] for unit in units if "-" in unit.name)
        return any(split_type(text, level)[1] in self._dashed for level in _TYPES)

    def provinces(self, text: str | None) -> Provinces:
        """What a province given as code or name can be; nothing where it is none."""
        if text is None:
            return Provinces((), None)
        code = text.zfill(2)
        if text.isdecimal():
            old = [frozenset({code})] if code in self._province_now else []
            new = code if code in self._merged else self._province_now.get(code)
            only_old = bool(old) and code not in self._merged
        else:
            before = [unit.code for unit in self.named(text, "province", OLD)]
            today = [unit.code for unit in self.named(text, "province", NEW)]
            old = [frozenset(before)] if before else []
            new = today[0] if today else self._province_now[before[0]] if before else None
            only_old = bool(before) and not today
        # Beside a new province, an old district may be any of those that became part of it.
        return Provinces((*old, self._merged[new]) if new else tuple(old), new, only_old)

    def old_within(self, parts: Sequence[str], provinces: Provinces) -> list[Unit]:
        """Old communes called ``parts[0]`` in the district ``parts[1]`` and, where told, the province ``parts[2]``."""
        within = [provinces] if len(parts) < 3 else [provinces, self.provinces(parts[2])]
        for codes in provinces.old:
            districts = {
                district.code
                for district in self.named(parts[1], "district", OLD)
                if district.province in codes and all(any(district.province in old for old in p.old) for p in within)
            }
            found = [unit for unit in self.named(parts[0], "commune", OLD) if unit.district in districts]
            if found:
                return found
        return []

    def find(self, text: str, *, on: date | None = None) -> tuple[Resolution, ...]:
        """All units that ``text`` can name: a unit, then what it lies in, between commas (``P.1, Q.3, TP.HCM``)."""
        first, *above = self.parts(text)
        lists = (vintage_on(on),) if on else (NEW, OLD)
        levels: tuple[Level, ...] = ("province", "district", "commune")
        return tuple(
            self.resolution(unit)
            for vintage in lists
            for level in levels
            for unit in self.named(first, level, vintage)
            if all(self._lies_in(unit, part) for part in above)
        )

    def _lies_in(self, unit: Unit, text: str) -> bool:
        over: Iterable[Unit | None] = (
            self.unit(unit.province, unit.vintage),
            self.unit(unit.district, unit.vintage) if unit.district and unit.level == "commune" else None,
        )
        return any(other in self.named(text, other.level, other.vintage) for other in over if other and other != unit)


def units(reference: Reference) -> Units:
    """The units of these reference tables, read once."""
    return cached(reference, "units", Units)
