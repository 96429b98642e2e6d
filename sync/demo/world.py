"""The world that invented people live in: provinces, communes of both ages, agencies, ranks, salary tables, seed.

Read once from ``schemas/reference`` by ``sync.demo.command`` and by tests; a constant for the run. Also the permutation
that gives each person's number its citizen ID, so that an ID alone leads back to the number: verification can
walk 300,000 people in order without holding a map of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from sync.errors import ConfigError

AS_OF = date(2026, 3, 31)
"""No invented fact is later, before the live phase. Fixed, so that a seed gives the same data on every day."""

LIVE_DATE = date(2026, 6, 15)
"""The date of decisions in the live phase; before the end of validity of the V ranks (2026-06-30)."""

IDS = 999_999
"""Values of an ID's last six digits (``000000`` is a placeholder): the greatest number of people."""

STEP = 618_031
"""Multiplier of the permutation of 0 … IDS-1; prime to 999,999 = 3³·7·11·13·37."""

RANKS = {
    "CC": ("01.001", "01.002", "01.003", "01.003", "01.003", "01.004", "02.007", "06.030", "06.031"),
    "VC": ("V.07.03.29", "V.07.03.28", "V.08.01.03", "V.08.01.02", "V.01.02.02", "V.08.05.12"),
    "CB": ("01.002", "01.003"),
    "HD111": ("01.010", "01.011"),
}
"""Ranks given to people, by type of personnel; one without a salary group in ``ranks.csv`` is left out."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A rank with its salary table: ``coefficients[step - 1]``."""

    code: str
    name: str
    group: str
    valid_from: date
    coefficients: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class OldPlace:
    """An old commune whose code is unknown today and that became part of exactly one new commune."""

    commune: str
    province: str
    new_commune: str
    new_province: str


@dataclass(frozen=True)
class World:
    """Everything that a person's truth is drawn from.

    ``connected``: provinces with a database of their own. ``today``: update times are shortly before it, since stale
    records would be warned about (VR30); every other date depends on the seed alone.
    """

    seed: int
    today: date
    connected: tuple[str, ...]
    provinces: Mapping[str, str]
    communes: Mapping[str, tuple[str, ...]]
    birth_places: tuple[tuple[str, str], ...]
    old_places: Mapping[str, tuple[OldPlace, ...]]
    agencies: Mapping[str, tuple[str, ...]]
    owners: Mapping[str, str]
    ministries: tuple[str, ...]
    ranks: Mapping[str, tuple[Rank, ...]]
    tcvn3: Mapping[str, str]

    def tail(self, index: int) -> int:
        """The last six digits of person ``index``'s ID, 1 … 999,999; a different value for every index < 999,999."""
        return (index * STEP + self.seed * 7_919 + 31_337) % IDS + 1

    def index(self, tail: int) -> int:
        """The inverse of ``tail``."""
        return (tail - 1 - self.seed * 7_919 - 31_337) * pow(STEP, -1, IDS) % IDS

    def order_sql(self, column: str) -> str:
        """An SQL expression with the value of ``index`` for an ID in ``column`` (12 digits)."""
        shift = (1 + self.seed * 7_919 + 31_337) % IDS
        inverse = pow(STEP, -1, IDS)
        return f"((right({column}, 6)::bigint + {IDS - shift}) * {inverse} % {IDS})"

    def province(self, agency_code: str) -> str | None:
        """The province that owns records managed by ``agency_code``, None for central bodies."""
        return self.owners.get(agency_code.split(".")[0])


def rows(root: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of ``<root>/reference/<name>.csv``; ConfigError naming the file if it is missing."""
    path = root / "reference" / f"{name}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except FileNotFoundError as error:
        raise ConfigError(
            f"Reference table {name}.csv is missing.", hint=f"Restore schemas/reference/{name}.csv."
        ) from error


def load(root: Path, *, seed: int, localities: int, today: date) -> World:
    """Read the world from the schema folder ``root``; ``localities`` of the 34 provinces get a database (1 … 34)."""
    provinces = {row["code"]: row["name"] for row in rows(root, "provinces")}
    preferred = ["01", "79", "48", "31", "92", "46"]
    order = preferred + [code for code in provinces if code not in preferred]
    if not 1 <= localities <= len(order):
        raise ConfigError(f"{localities} localities are not possible.", hint=f"Give a number from 1 to {len(order)}.")
    communes: dict[str, list[str]] = {code: [] for code in provinces}
    for row in rows(root, "communes"):
        communes[row["province_code"]].append(row["code"])
    agencies: dict[str, list[str]] = {code: [] for code in provinces}
    ministries = []
    for row in rows(root, "agencies"):
        if row["province"]:
            agencies[row["province"]].append(row["code"])
        elif row["status"] == "active":
            ministries.append(row["code"])
    return World(
        seed=seed,
        today=today,
        connected=tuple(order[:localities]),
        provinces=provinces,
        communes={code: tuple(found) for code, found in communes.items()},
        birth_places=tuple((row["cccd_prefix"], row["new_province_code"]) for row in rows(root, "provinces_old")),
        old_places=_old_places(root, {code for found in communes.values() for code in found}),
        agencies={code: tuple(found) for code, found in agencies.items()},
        owners={code: province for province, found in agencies.items() for code in found},
        ministries=tuple(ministries),
        ranks=_ranks(root),
        tcvn3={row["unicode"]: row["latin1_char"] for row in rows(root, "tcvn3_map") if len(row["unicode"]) == 1},
    )


def _old_places(root: Path, current: set[str]) -> dict[str, tuple[OldPlace, ...]]:
    """By new province: old-only codes (a code of both ages does not tell its age) that were not split."""
    found: dict[str, list[OldPlace]] = {}
    for row in rows(root, "commune_resolution"):
        if row["status"] == "UNIQUE" and row["old_commune_code"] not in current:
            place = OldPlace(
                row["old_commune_code"], row["old_province_code"], row["resolved_new_code"], row["new_province_code"]
            )
            found.setdefault(place.new_province, []).append(place)
    return {code: tuple(places) for code, places in found.items()}


def _ranks(root: Path) -> dict[str, tuple[Rank, ...]]:
    tables: dict[str, dict[int, Decimal]] = {}
    for row in rows(root, "salary_grades"):
        tables.setdefault(row["group"], {})[int(row["step"])] = Decimal(row["coefficient"])
    known: dict[str, Rank] = {}
    for row in rows(root, "ranks"):
        table = tables.get(row["salary_group"])
        if table and row["code"] not in known:
            steps = tuple(table[step] for step in sorted(table))
            since = date.fromisoformat(row["valid_from"])
            known[row["code"]] = Rank(row["code"], row["name"], row["salary_group"], since, steps)
    return {kind: tuple(known[code] for code in codes if code in known) for kind, codes in RANKS.items()}
