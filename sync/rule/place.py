"""Provinces and communes of both code lists (DOMAIN §3): step ``place``, checks VR24 and VR25.

Residence must use the 34 provinces and 3,321 communes of 2025-07-01; old codes are converted where the official table
leaves no choice (VR26). Birth and native places keep the unit of their time. A code valid in both lists means the new
unit, unless the province beside it exists only in the old list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from sync.rule.batch import Batch, Finding, check, step
from sync.rule.index import Index, cached, label_key
from sync.rule.model import CleanSpec, Reference, RuleSpec

CURRENT = (("permanent_province", "permanent_commune"), ("current_province", "current_commune"))
HISTORY = (("birth_place_province", "birth_place_commune"), ("native_place_province", "native_place_commune"))
_SETTLED = ("UNIQUE", "UNIQUE_BY_POPULATION")
_PROVINCE_PREFIXES = ("thành phố ", "tỉnh ", "tp. ", "tp.", "tp ", "t. ", "t.")
_COMMUNE_PREFIXES = ("phường ", "xã ", "đặc khu ", "p. ", "p.", "x. ", "x.")
_SHORT_NAMES = {"hcm": "hồ chí minh", "tphcm": "hồ chí minh", "sài gòn": "hồ chí minh", "thừa thiên huế": "huế"}


@dataclass(frozen=True)
class Places:
    """Look-ups of both lists. ``old_communes`` gives the old province, the resolved new code and the status."""

    provinces: Index
    all_provinces: Index
    communes: Index
    old_communes: Index
    new_names: Mapping[str, str]
    old_names: Mapping[str, str]
    commune_names: Mapping[str, str]


def _label(text: str, prefixes: Sequence[str]) -> str:
    folded = " ".join(text.casefold().split())
    for prefix in prefixes:
        if folded.startswith(prefix):
            folded = folded.removeprefix(prefix).strip()
            break
    return label_key(_SHORT_NAMES.get(folded.replace(".", "").strip(), folded))


def _build(tables: Reference) -> Places:
    provinces = tables.table("provinces", "code", "name")
    old = tables.table("provinces_old", "old_gso_code", "old_name", "new_province_code")
    communes = tables.table("communes", "code", "province_code", "name", "alias_code")
    resolution = tables.table(
        "commune_resolution", "old_commune_code", "alias_codes", "old_province_code", "status", "resolved_new_code"
    )
    new_codes = provinces["code"].to_list()
    old_codes = old["old_gso_code"].to_list()
    aliased = communes.filter(pl.col("alias_code").fill_null("") != "")
    old_aliased = resolution.filter(pl.col("alias_codes").fill_null("") != "")
    old_rows = pl.concat([resolution, old_aliased.with_columns(old_commune_code=pl.col("alias_codes"))])
    settled = old_rows["status"].is_in(_SETTLED)
    return Places(
        provinces=Index(new_codes),
        all_provinces=Index(new_codes + old_codes, {"new": new_codes + old["new_province_code"].to_list()}),
        communes=Index(
            communes["code"].to_list() + aliased["alias_code"].to_list(),
            {
                "province": communes["province_code"].to_list() + aliased["province_code"].to_list(),
                "code": communes["code"].to_list() + aliased["code"].to_list(),
            },
        ),
        old_communes=Index(
            old_rows["old_commune_code"].to_list(),
            {
                "province": old_rows["old_province_code"].to_list(),
                "new": old_rows["resolved_new_code"].set(~settled, None).to_list(),
            },
        ),
        new_names={_label(n, _PROVINCE_PREFIXES): c for c, n in zip(new_codes, provinces["name"], strict=True)},
        old_names={_label(n, _PROVINCE_PREFIXES): c for c, n in zip(old_codes, old["old_name"], strict=True)},
        commune_names={
            f"{province}|{_label(name, _COMMUNE_PREFIXES)}": code
            for code, province, name in communes.select("code", "province_code", "name").iter_rows()
        },
    )


def places(reference: Reference) -> Places:
    """The look-ups of these reference tables, built once."""
    return cached(reference, "places", _build)


def _pairs(params: Mapping[str, Any], key: str, default: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(str(province), str(commune)) for province, commune in params.get(key, default)]


def _read_provinces(batch: Batch, name: str, known: Places, *, history: bool) -> None:
    """Provinces as codes of two digits; a name is of the old list where history is told, else of the new."""
    column = batch.columns[name].cast(pl.String)
    batch.put(name, column)
    rows = (column.is_not_null() & ~known.all_provinces.has(column)).arg_true()
    if len(rows) == 0:
        return
    first, second = (known.old_names, known.new_names) if history else (known.new_names, known.old_names)
    left = column.gather(rows)
    read: dict[str, str] = {}
    for text in left.unique().to_list():
        label = _label(text, _PROVINCE_PREFIXES)
        padded = text.zfill(2) if text.isdigit() else text
        read[text] = padded if text.isdigit() else first.get(label) or second.get(label) or text
    batch.scatter(name, rows, pl.Series(name, [read[text] for text in left.to_list()], dtype=pl.String), None)


def _read_communes(batch: Batch, name: str, province: str, known: Places) -> None:
    """Communes as codes of five digits; a name is looked up among the new communes of its (new) province."""
    column = batch.columns[name].cast(pl.String)
    batch.put(name, column)
    rows = (column.is_not_null() & ~column.str.contains(r"^[0-9]{5}$")).arg_true()
    if len(rows) == 0:
        return
    around = known.all_provinces.get(batch.columns[province].gather(rows).cast(pl.String), "new").to_list()
    read: list[str] = []
    for text, code in zip(column.gather(rows).to_list(), around, strict=True):
        named = known.commune_names.get(f"{code}|{_label(text, _COMMUNE_PREFIXES)}", text)
        read.append(text.zfill(5) if text.isdigit() and len(text) < 5 else named)
    batch.scatter(name, rows, pl.Series(name, read, dtype=pl.String), None)


def _to_new_list(batch: Batch, province: str, commune: str, known: Places, rule: str) -> None:
    """Convert a residence to the new list, commune first; a split commune becomes null and a VR26 violation."""
    given, place = batch.columns[province], batch.columns[commune]
    # The province beside it says that the code is of the old list.
    dated = given.is_not_null() & ~known.provinces.has(given)
    listed = known.communes.has(place)
    if place.is_not_null().any() and bool((place.is_not_null() & (dated | ~listed)).any()):
        old_province = known.old_communes.get(place, "province")
        old = old_province.is_not_null() & (~listed | (dated & (old_province == given)).fill_null(False))
        resolved = known.old_communes.get(place, "new")
        split = old & resolved.is_null()
        new = resolved.zip_with(old & ~split, known.communes.get(place, "code").zip_with(listed & ~split, place))
        batch.fix(commune, new, rule)
        batch.put(commune, batch.columns[commune].set(split, None))
        batch.refuse(commune, split.arg_true(), rule, "WARN")
    elif listed.any():
        canonical = known.communes.get(place, "code")
        batch.fix(commune, canonical.zip_with(listed, place), rule)
    if given.is_not_null().any():
        batch.fix(province, known.all_provinces.get(given, "new").zip_with(known.all_provinces.has(given), given), rule)
    place = batch.columns[commune]
    missing = batch.columns[province].is_null() & place.is_not_null()
    if missing.any():
        batch.fix(province, known.communes.get(place, "province").zip_with(missing, batch.columns[province]), rule)


@step("place")
def clean_place(batch: Batch, spec: CleanSpec) -> None:
    """Codes for names and lost zeros; residences (``current``) to the new list, ``history`` stays in its own."""
    known = places(batch.reference)
    for pairs, history in (
        (_pairs(spec.params, "current", CURRENT), False),
        (_pairs(spec.params, "history", HISTORY), True),
    ):
        for province, commune in pairs:
            if not batch.present((province, commune)) or province not in batch.columns or commune not in batch.columns:
                continue
            _read_provinces(batch, province, known, history=history)
            _read_communes(batch, commune, province, known)
            if not history:
                _to_new_list(batch, province, commune, known, spec.rule)


@check("VR24")
def place_exists(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """Codes exist, and a commune belongs to its province in the same list: the new one, for history either."""
    known = places(batch.reference)
    for province, commune in _pairs(rule.params, "current", CURRENT):
        if batch.present((province, commune)):
            p, c = batch.columns[province], batch.columns[commune]
            yield Finding(province, p.is_not_null() & ~known.all_provinces.has(p))
            apart = (known.communes.get(c, "province") != p).fill_null(False)
            yield Finding(commune, c.is_not_null() & (~(known.communes.has(c) | known.old_communes.has(c)) | apart))
    for province, commune in _pairs(rule.params, "history", HISTORY):
        if batch.present((province, commune)):
            p, c = batch.columns[province], batch.columns[commune]
            yield Finding(province, p.is_not_null() & ~known.all_provinces.has(p))
            new = known.communes.has(c) & (known.communes.get(c, "province") == p).fill_null(p.is_null())
            old = known.old_communes.has(c) & (known.old_communes.get(c, "province") == p).fill_null(p.is_null())
            yield Finding(commune, c.is_not_null() & ~(new | old))


@check("VR25")
def place_current(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """Residences use the lists of 2025-07-01 (QĐ 19/2025/QĐ-TTg)."""
    known = places(batch.reference)
    for province, commune in _pairs(rule.params, "current", CURRENT):
        if batch.present((province, commune)):
            p, c = batch.columns[province], batch.columns[commune]
            yield Finding(province, known.all_provinces.has(p) & ~known.provinces.has(p))
            yield Finding(commune, known.old_communes.has(c) & ~known.communes.has(c))
