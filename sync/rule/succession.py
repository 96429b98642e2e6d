"""Which unit follows a unit that has ended: agencies (DOMAIN §2.3), provinces and communes (DOMAIN §3.4).

A pure look-up, made from the reference tables or from a mapping that tells of another merger, and from what units tell
of themselves. The forms of the three
kinds of codes never meet (``G07``, ``27``, ``09163``), so one table holds them all. A code that the present list has is
no ended one, although an older unit had it too (DOMAIN §3.3).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from sync.errors import ConfigError
from sync.rule.index import label_key
from sync.rule.model import Reference

_KINDS = {
    "agency": re.compile(r"[A-Y][0-9]{2}(?:\.[0-9A-Z]+)*"),
    "province": re.compile(r"[0-9]{2}"),
    "commune": re.compile(r"[0-9]{5}"),
}
_ENDED = re.compile(r"(?:merged|moved|became|dissolved)\D*(\d{4}(?:-\d{2}-\d{2})?)?.*")
_SUCCESSOR = re.compile(r"([A-Y][0-9]{2})\b.*")
_LISTS_OF_2025 = "2025-07-01"
_HEADER = ("old", "new", "effective_date")
_KEEP, _ASK = "keep", "ask"


class Successor(NamedTuple):
    """What follows an ended unit: ``new``, or None with the ``candidates`` that a person chooses from (maybe none).

    ``effective``: the first day of the new unit, ISO; empty where it is not known.
    """

    new: str | None
    candidates: tuple[str, ...]
    effective: str


@dataclass(frozen=True)
class Succession:
    """Ended units by code. ``subunits``: bodies whose subordinate units keep their own part of the code."""

    ended: Mapping[str, Successor]
    subunits: frozenset[str] = field(default_factory=frozenset)

    def of(self, code: str) -> Successor | None:
        """What follows ``code``; None where it has not ended. Successions on later days are followed to their end."""
        found = self._next(code)
        seen = {code}
        while found is not None and found.new is not None and found.new not in seen:
            seen.add(found.new)
            following = self._next(found.new)
            if following is None or following.effective <= found.effective:
                break
            found = following
        return found

    def beside(self, units: Mapping[str, Successor], *, within: bool) -> Succession:
        """With what units tell of themselves, where this tells nothing of the very unit.

        ``within``: only of units below those that have ended here.
        """
        told = {code: after for code, after in units.items() if not within or self._next(code) is not None}
        return Succession({**told, **self.ended}, self.subunits)

    def _next(self, code: str) -> Successor | None:
        if code in self.ended:
            return self.ended[code]
        for body in _bodies(code):
            if body in self.ended:
                above = self.ended[body]
                if body in self.subunits and above.new is not None:
                    return above._replace(new=above.new + code.removeprefix(body))
                # A subordinate unit gets its new code from its new body: it can't be told from the old one.
                return Successor(None, (), above.effective)
        return None


def of_reference(reference: Reference) -> Succession:
    """The mergers that the reference tables tell: ministries of 2025-03-01, provinces and communes of 2025-07-01."""
    return Succession({**_agencies(reference), **_provinces(reference), **_communes(reference)})


def _agencies(reference: Reference) -> dict[str, Successor]:
    found = {}
    for code, status, successor in (
        reference.table("agencies", "code", "status", "successor").select("code", "status", "successor").iter_rows()
    ):
        ended = _ENDED.fullmatch(status or "")
        if ended is not None:
            named = _SUCCESSOR.fullmatch(successor or "")
            found[code] = Successor(named[1] if named else None, (), ended[1] or "")
    return found


def _provinces(reference: Reference) -> dict[str, Successor]:
    present = set(reference.table("provinces", "code")["code"].to_list())
    old = reference.table("provinces_old", "old_gso_code", "new_province_code")
    return {
        code: Successor(new, (), _LISTS_OF_2025)
        for code, new in old.select("old_gso_code", "new_province_code").iter_rows()
        if code not in present
    }


def _communes(reference: Reference) -> dict[str, Successor]:
    table = reference.table("communes", "code", "alias_code")
    present = {*table["code"].to_list(), *table["alias_code"].drop_nulls().to_list()}
    resolution = reference.table(
        "commune_resolution", "old_commune_code", "alias_codes", "resolved_new_code", "candidates"
    )
    found = {}
    for code, aliases, new, candidates in resolution.select(
        "old_commune_code", "alias_codes", pl.col("resolved_new_code"), "candidates"
    ).iter_rows():
        among = tuple(item.partition(":")[0] for item in (candidates or "").split(";") if item)
        successor = Successor(new or None, () if new else among, _LISTS_OF_2025)
        for name in (code, *(aliases or "").split(";")):
            if name and name not in present:
                found[name] = successor
    return found


def of_units(units: pl.DataFrame) -> Mapping[str, Successor]:
    """What follows the units that have ended by their own records.

    ``units``: ``agency_code``, ``name``, ``valid_to``, ``successor_codes``. One successor is it, several are
    candidates. A unit whose last day or whose successors are not told has not ended by itself. Below one with one
    successor a unit that says nothing is followed by the unit of its name below that successor; where several have it,
    by candidates.
    """
    ended = units.select("agency_code", "valid_to", "successor_codes").drop_nulls()
    found = {}
    for code, last, written in ended.iter_rows():
        named = (item.strip() for item in written.split(";"))
        first = (last + timedelta(days=1)).isoformat()
        after = [(new, first) for new in named if new != code and _kind(new) == "agency"]
        if after and _kind(code) == "agency":
            found[code] = _among(after)
    return {**_below(units, found), **found}


def _below(units: pl.DataFrame, ended: Mapping[str, Successor]) -> dict[str, Successor]:
    """What follows the units below those that have ``ended``, by their names; the upper ones first."""
    found: dict[str, Successor] = {}
    bodies = {code for code, after in ended.items() if after.new is not None}
    named = units.select("agency_code", "name").drop_nulls()
    beneath = [
        (code, label_key(name)) for code, name in named.iter_rows() if code not in ended and bodies & {*_bodies(code)}
    ]
    if not beneath:
        return found
    present: dict[tuple[str, str], list[str]] = {}
    for code, name in units.filter(pl.col("valid_to").is_null()).select("agency_code", "name").drop_nulls().iter_rows():
        present.setdefault((code.rpartition(".")[0], label_key(name)), []).append(code)
    for code, name in sorted(beneath):
        body = code.rpartition(".")[0]
        above = ended.get(body) or found.get(body)
        if above is None or above.new is None:
            continue
        after = sorted(new for new in present.get((above.new, name), ()) if new != code)
        if after:
            found[code] = _among((new, above.effective) for new in after)
    return found


def _bodies(code: str) -> Iterator[str]:
    """The codes of the units above ``code``."""
    while "." in code:
        code = code.rpartition(".")[0]
        yield code


def of_mapping(text: str, name: str) -> Succession:
    """The mergers of a CSV with the columns ``old,new,effective_date`` and optionally ``subunits`` (keep or ask).

    Several lines with one ``old`` are candidates; an empty ``new`` is a unit without a known successor. ConfigError
    naming the file (``name``), the line and the remedy.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    if not set(_HEADER) <= set(reader.fieldnames or ()):
        raise ConfigError(f"{name}: the first line names no {', '.join(_HEADER)}.", hint="write these as the header")
    lines: dict[str, list[tuple[str, str]]] = {}
    keeping = set()
    for row in reader:
        old, new, effective, subunits = _line(row, f"{name}, line {reader.line_num}")
        lines.setdefault(old, []).append((new, effective))
        if subunits == _KEEP:
            keeping.add(old)
    if not lines:
        raise ConfigError(f"{name}: there is no merger in it.", hint="write a line for each old unit")
    return Succession({old: _among(named) for old, named in lines.items()}, frozenset(keeping))


def _line(row: Mapping[str | None, str | None], place: str) -> tuple[str, str, str, str]:
    old, new, effective, subunits = ((row.get(column) or "").strip() for column in (*_HEADER, "subunits"))
    kind = _kind(old)
    if kind is None:
        raise ConfigError(
            f"{place}: old is no code of a unit.",
            field="old",
            hint="write an agency (G07), a province of two digits or a commune of five, as text with its zeros",
        )
    if new and (_kind(new) != kind or new == old):
        raise ConfigError(f"{place}: new is no other {kind}.", field="new", hint=f"write the code of a {kind}")
    try:
        date.fromisoformat(effective)
    except ValueError:
        raise ConfigError(
            f"{place}: effective_date is no date.", field="effective_date", hint="write it as 2025-07-01"
        ) from None
    if subunits not in ("", _KEEP, _ASK):
        raise ConfigError(f"{place}: subunits is neither {_KEEP} nor {_ASK}.", field="subunits", hint="use one of them")
    return old, new, effective, subunits


def _kind(code: str) -> str | None:
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(code)), None)


def _among(lines: Iterable[tuple[str, str]]) -> Successor:
    named = list(lines)
    codes = tuple(dict.fromkeys(new for new, _ in named if new))
    effective = max(effective for _, effective in named)
    return Successor(codes[0], (), effective) if len(codes) == 1 else Successor(None, codes, effective)
