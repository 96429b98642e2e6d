"""The errors put into source rows, each class with a known share and the outcome that must follow.

An injector damages what stands in the source (``raw``: canonical field → text in the source column) and, only where the
damage cannot be repaired, says so. What it repairs to is the undamaged value: so the oracle knows the truth without
the project's cleaning code. Error classes and repairs: DOMAIN.md §1.5, §3, §7; ``data/validation_rules.csv``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from sync.demo import names
from sync.demo.person import Record
from sync.demo.site import Site
from sync.demo.world import World

TURN = 200
"""Shares are counted in two-hundredths, so that every class occurs among any 200 people in a row."""


@dataclass(slots=True)
class Row:
    """A row of a source: ``clean`` = canonical values after cleaning, ``raw`` = damaged text, by canonical field.

    ``refused``: the rules that may be named when validation must reject the row (empty = valid). ``padded``: the ID
    was completed with zeros. ``error``: the class of the damage, None for a sound row.
    """

    site: Site
    table: str
    key: str
    clean: Record
    raw: dict[str, str | None] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    padded: bool = False
    error: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """(source, row) as in verdicts and contributions."""
        return self.site.name, f"{self.table}/{self.key}"


@dataclass(frozen=True, slots=True)
class Case:
    """A row to damage, with what a damage is drawn from."""

    world: World
    rng: Random
    row: Row


Inject = Callable[[Case], bool]
"""Damages the row in place; False (and an untouched row) where it does not apply to it."""


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """``share``: of 200 people. ``text_only``: the source must keep text. ``outcome``: what must follow."""

    name: str
    share: int
    outcome: str
    inject: Inject
    text_only: bool = False


AMBIGUOUS = "àáâãèéêìíòóôõùúý"
"""Codes of TCVN3 that are Vietnamese letters in Latin-1 too."""

ID_RULES = frozenset({"VR01", "VR02", "VR03", "VR04", "VR05", "VR06", "NO_ID"})
DATE_RULES = frozenset({"UNREADABLE", "VR03", "VR11", "VR12", "VR13", "VR29"})


def lost_zeros(case: Case) -> bool:
    """An ID that a spreadsheet held as a number: one or two leading zeros are gone, and can be put back."""
    case.row.raw["citizen_id"] = str(int(case.row.clean["citizen_id"]))
    case.row.padded = True
    return True


def bad_id(case: Case) -> bool:
    """An ID beyond repair: unknown province, birth year that contradicts, placeholder, letters, scientific notation."""
    sound: str = case.row.clean["citizen_id"]
    year = (int(sound[4:6]) + 1 + case.rng.randrange(50)) % 100
    case.row.raw["citizen_id"] = case.rng.choice(
        (
            f"003{sound[3:]}",
            f"{sound[:4]}{year:02d}{sound[6:]}",
            "111111111111",
            f"{sound[:6]}X{sound[7:]}",
            "3.4085E+10",
        )
    )
    case.row.refused = ID_RULES
    return True


def no_id(case: Case) -> bool:
    """No ID at all: a case for a person, an ID is never invented."""
    case.row.raw["citizen_id"] = None
    del case.row.clean["citizen_id"]
    return True


def decomposed(case: Case) -> bool:
    """Text in NFD, as some systems export it."""
    for name in ("full_name", "permanent_address", "current_address", "main_task"):
        if name in case.row.clean:
            case.row.raw[name] = unicodedata.normalize("NFD", case.row.clean[name])
    return True


def tcvn3(case: Case) -> bool:
    """Name and address in the legacy encoding TCVN3 (ABC); not where a letter has no code there."""
    damaged = {}
    for name in ("full_name", "current_address"):
        text = case.row.clean.get(name, "")
        if any(ord(letter) > 127 and letter not in case.world.tcvn3 for letter in text):
            return False
        encoded = "".join(case.world.tcvn3.get(letter, letter) for letter in text)
        # Letters that are Vietnamese in both encodings are no evidence for a decoder; such a text stays as it is.
        if any(ord(letter) > 127 and letter not in AMBIGUOUS for letter in encoded):
            damaged[name] = encoded
    if "full_name" not in damaged:
        return False
    case.row.raw.update(damaged)
    return True


def noise(case: Case) -> bool:
    """Capitals, no-break and zero-width spaces, a title before the name."""
    name = case.row.clean["full_name"]
    case.row.raw["full_name"] = case.rng.choice(
        (
            name.upper(),
            f" {name.replace(' ', chr(0xA0))} ",
            name.replace(" ", "  ", 1) + "\u200b",
            f"Ông {name}",
            f"\ufeff{name}",
        )
    )
    return True


def old_commune(case: Case) -> bool:
    """Current residence in codes from before 2025-07-01 that lead to exactly one new commune."""
    places = case.world.old_places.get(case.row.clean["permanent_province"])
    if not places:
        return False
    place = case.rng.choice(places)
    case.row.clean["current_province"], case.row.clean["current_commune"] = place.new_province, place.new_commune
    case.row.raw["current_province"], case.row.raw["current_commune"] = place.province, place.commune
    return True


def impossible_date(case: Case) -> bool:
    """A day that no calendar has; it is never rolled over to the next month."""
    year = case.row.clean["birth_date"][:4]
    case.row.raw["birth_date"] = case.rng.choice((f"31/04/{year}", "29/02/1983", f"31/11/{year}"))
    case.row.refused = DATE_RULES
    return True


def too_young(case: Case) -> bool:
    """Recruited at fourteen, which no exception allows (VR12)."""
    born = date.fromisoformat(case.row.clean["birth_date"])
    case.row.clean["first_recruitment_date"] = born + timedelta(days=14 * 365 + case.rng.randrange(200))
    case.row.refused = frozenset({"VR12"})
    return True


def wrong_coefficient(case: Case) -> bool:
    """A salary coefficient that is not in the table of its group."""
    case.row.clean["salary_coefficient"] += Decimal("0.01")
    case.row.refused = frozenset({"VR16"})
    return True


def decimal_comma(case: Case) -> bool:
    """``2,34`` for 2.34, or a blank behind it."""
    text = str(case.row.clean["salary_coefficient"])
    case.row.raw["salary_coefficient"] = case.rng.choice((text.replace(".", ","), f"{text} "))
    return True


def unregistered(_: Case) -> bool:
    """The population register does not know the person; the row itself is sound (see ``sync.demo.script``)."""
    return True


def other_name(case: Case) -> bool:
    """The name is another one than the register's, beyond any spelling."""
    *first, last = case.row.clean["full_name"].split()
    others = [name for name in names.GIVEN_FEMALE if name not in (last, "Hòa", "Hoa", "Thủy", "Mai", "My")]
    other = case.rng.choice(others)
    case.row.clean["full_name"] = " ".join((*first, other))
    return True


CLASSES = (
    ErrorClass("lost_leading_zeros", 4, "MATCH_WITH_FIX", lost_zeros),
    ErrorClass("bad_id", 2, "REJECTED", bad_id),
    ErrorClass("no_id", 1, "REVIEW", no_id),
    ErrorClass("decomposed_text", 4, "MATCH", decomposed),
    ErrorClass("tcvn3_text", 3, "MATCH", tcvn3),
    ErrorClass("text_noise", 2, "MATCH", noise),
    ErrorClass("old_commune_code", 4, "MATCH", old_commune),
    ErrorClass("impossible_date", 2, "REJECTED", impossible_date, text_only=True),
    ErrorClass("recruited_too_young", 1, "REJECTED", too_young),
    ErrorClass("coefficient_not_in_table", 2, "REJECTED", wrong_coefficient),
    ErrorClass("decimal_comma", 2, "MATCH", decimal_comma, text_only=True),
    ErrorClass("not_in_register", 3, "REVIEW", unregistered),
    ErrorClass("name_differs", 2, "REVIEW", other_name),
)
"""Shares add up to 32 of 200: 16 % of the people have one damaged row (or are unknown to the register)."""


def class_of(world: World, index: int) -> ErrorClass | None:
    """The error class planned for person ``index``: exact shares in every run of 200 people."""
    turn = (index * 77 + world.seed) % TURN
    for kind in CLASSES:
        if turn < kind.share:
            return kind
        turn -= kind.share
    return None
