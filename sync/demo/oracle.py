"""The pure model: what must come out, in plain Python, record by record, without the project's own merging or matching.

It reads the merge policy (``schemas/<dataset>/policy.yaml``) and nothing else of the project, works on dicts, and sorts
in the obvious way: slow and easy to check, where ``sync.rule.merge`` is fast. ``sync.demo.verify`` compares the
databases with it row by row.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.demo.person import Record
from sync.rule.model import Group, Policy

TONES = "\u0300\u0301\u0303\u0309\u0323"
Owner = Callable[[str], str | None]
"""Agency code → province that owns its records, or None."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """A live row of one source after cleaning. ``padded``: its ID was completed with zeros."""

    source: str
    row: str
    authority: str
    locality: str | None
    record: Record
    padded: bool = False

    @property
    def recency(self) -> datetime:
        """Every source of the demo says when a row was updated."""
        moment: datetime = self.record["source_updated_at"]
        return moment


@dataclass(frozen=True, slots=True)
class Golden:
    """The one record of an entity: fields with a value, and the province that owns it."""

    record: Record
    locality: str | None


def name_key(name: str) -> str:
    """DOMAIN.md §7.2: same letters and same tone per syllable, wherever the tone is placed."""
    words = []
    for word in unicodedata.normalize("NFD", name.casefold()).split():
        tones = "".join(letter for letter in word if letter in TONES)
        words.append("".join(letter for letter in word if letter not in TONES) + tones)
    return unicodedata.normalize("NFC", " ".join(words))


def match(contribution: Contribution, register: Record | None) -> tuple[str, str | None]:
    """Outcome and code of a valid row by DOMAIN.md §7.7; ``register`` is the register's record of the same ID."""
    record = contribution.record
    if not record.get("citizen_id"):
        return "REVIEW", "NO_ID"
    if register is None:
        return "REVIEW", "NOT_IN_REGISTER"
    if name_key(record["full_name"]) != name_key(register["full_name"]):
        return "REVIEW", "NAME_DIFFERS"
    length = min(len(record["birth_date"]), len(register["birth_date"]))
    if record["birth_date"][:length] != register["birth_date"][:length]:
        return "REVIEW", "BIRTH_DATE_DIFFERS"
    if record["gender"] != register["gender"]:
        return "REVIEW", "SEX_DIFFERS"
    if contribution.padded or len(record["birth_date"]) < len(register["birth_date"]):
        return "MATCH_WITH_FIX", None
    return "MATCH", None


def golden(contributions: Sequence[Contribution], policy: Policy, owner: Owner) -> Golden | None:
    """Merge matched contributions (the register's row among them); None if no ministry or locality has one left."""
    if all(found.authority == "register" for found in contributions):
        return None
    record: Record = {}
    for name in policy.entity:
        record[name] = contributions[0].record[name]
    # Who manages the person decides the other groups, so the groups that don't ask for it come first.
    for group in policy.groups:
        if "manager" not in group.order:
            record.update(_take(group, contributions, None))
    locality = None
    if policy.locality is not None and record.get(policy.locality.field):
        locality = owner(record[policy.locality.field])
    for group in policy.groups:
        if "manager" in group.order:
            record.update(_take(group, contributions, locality))
    return Golden(record, locality)


def _take(group: Group, contributions: Sequence[Contribution], locality: str | None) -> Record:
    if group.max:
        return _maximum(group, contributions)
    ranked = [(rank, found) for found in contributions if (rank := _rank(group, found, locality)) is not None]
    # Python's sort is stable: from the least important criterion to the most important one.
    ranked.sort(key=lambda pair: (pair[1].source, pair[1].row))
    ranked.sort(key=lambda pair: pair[1].recency, reverse=True)
    ranked.sort(key=lambda pair: pair[0])
    if group.latest:
        latest = group.latest
        dated = [pair for pair in ranked if pair[1].record.get(latest) is not None]
        undated = [pair for pair in ranked if pair[1].record.get(latest) is None]
        dated.sort(key=lambda pair: pair[1].record[latest], reverse=True)
        ranked = dated + undated
    if group.atomic:
        ranked = [pair for pair in ranked if any(pair[1].record.get(name) is not None for name in group.fields)][:1]
    order = [found.record for _, found in ranked]
    taken = {}
    for name in group.fields:
        value = next((record[name] for record in order if record.get(name) is not None), None)
        if value is not None:
            taken[name] = value
    return taken


def _rank(group: Group, contribution: Contribution, locality: str | None) -> int | None:
    manages = contribution.authority == "locality" and locality is not None and contribution.locality == locality
    if manages and "manager" in group.order:
        return group.order.index("manager")
    names: tuple[str, ...] = group.order
    return names.index(contribution.authority) if contribution.authority in names else None


def _maximum(group: Group, contributions: Sequence[Contribution]) -> Record:
    taken: Record = {}
    for name in group.fields:
        values = [found.record[name] for found in contributions if found.record.get(name) is not None]
        if values:
            taken[name] = max(values)
    return taken


def matched(
    contributions: Sequence[Contribution], register: Contribution | None
) -> tuple[list[Contribution], Mapping[tuple[str, str], tuple[str, str | None]]]:
    """The contributions that take part (with the register's row) and the verdict on each (source, row)."""
    known = register.record if register else None
    verdicts: dict[tuple[str, str], tuple[str, str | None]] = {}
    taking: list[Contribution] = [register] if register else []
    for found in contributions:
        verdict = match(found, known)
        verdicts[found.source, found.row] = verdict
        if verdict[0] != "REVIEW":
            taking.append(found)
    return taking, verdicts


def same(expected: Any, actual: Any) -> bool:
    """Equality of a field: exact, absent = NULL (a decimal compares by value, a time by instant)."""
    return bool(expected == actual)
