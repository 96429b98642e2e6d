"""Provinces and communes of both code lists (DOMAIN §3): step ``place``, checks VR24 and VR25.

Residence must use the 34 provinces and 3,321 communes of 2025-07-01; old codes are converted where the official table
leaves no choice (VR26). Birth and native places keep the unit of their time. A code valid in both lists means the new
unit, unless the province beside it exists only in the old list.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from sync.rule.batch import Batch, Finding, Stacked, Terms, check, evaluate, stack, step, unstack
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


def _read_provinces(batch: Batch, name: str, known: Places, *, history: bool) -> None:
    """Provinces as codes of two digits; a name is of the old list where history is told, else of the new."""
    column = batch.columns[name]
    unknown = evaluate(column, pl.col("v").is_not_null() & ~known.all_provinces.has("v"))
    if not unknown.any():
        return
    rows = unknown.arg_true()
    first, second = (known.old_names, known.new_names) if history else (known.new_names, known.old_names)
    left = column.gather(rows)
    read: dict[str, str] = {}
    for text in left.unique().to_list():
        label = _label(text, _PROVINCE_PREFIXES)
        read[text] = text.zfill(2) if text.isdigit() else first.get(label) or second.get(label) or text
    batch.scatter(name, rows, pl.Series(name, [read[text] for text in left.to_list()], dtype=pl.String), None)


_NO_CODE = ~pl.col("v").str.contains(r"^[0-9]{5}$")


def _read_communes(batch: Batch, province: str, commune: str, known: Places) -> None:
    """Communes as codes of five digits; a name is looked up among the new communes of its (new) province."""
    column = batch.columns[commune]
    strange = evaluate(column, _NO_CODE)
    if not strange.any():
        return
    rows = strange.arg_true()
    odd = pl.DataFrame({"p": batch.columns[province].gather(rows), "c": column.gather(rows)})
    around = odd.select("c", known.all_provinces.get("p", "new"))
    read: list[str] = []
    for text, code in around.iter_rows():
        named = known.commune_names.get(f"{code}|{_label(text, _COMMUNE_PREFIXES)}", text)
        read.append(text.zfill(5) if text.isdigit() and len(text) < 5 else named)
    batch.scatter(commune, rows, pl.Series(commune, read, dtype=pl.String), None)


def _to_new_list(batch: Batch, province: str, commune: str, known: Places, rule: str) -> None:
    """Convert residences to the new list, commune first; a split commune becomes null and a VR26 violation."""
    p, c = pl.col(province), pl.col(commune)
    # A province that only the old list has tells that the code beside it is an old one.
    dated = p.is_not_null() & ~known.provinces.has(province)
    listed = known.communes.has(commune)
    odd = dated | (c.is_not_null() & (~listed | p.is_null() | (known.communes.get(commune, "code") != c)))
    rows = batch.frame((province, commune)).select(odd.fill_null(False)).to_series().arg_true()
    if len(rows) == 0:
        return
    old_province = known.old_communes.get(commune, "province")
    found = (
        pl.DataFrame([batch.columns[province].gather(rows), batch.columns[commune].gather(rows)])
        .with_columns(
            _listed=listed,
            _old=old_province.is_not_null() & (~listed | (dated & (old_province == p)).fill_null(False)),
            _resolved=known.old_communes.get(commune, "new"),
        )
        .with_columns(_split=pl.col("_old") & pl.col("_resolved").is_null())
        .with_columns(
            pl.when("_old")
            .then("_resolved")
            .when("_listed")
            .then(known.communes.get(commune, "code"))
            .otherwise(commune)
            .alias(commune)
        )
    )
    provinces = found.select(
        pl.coalesce(known.all_provinces.get(province, "new"), p, known.communes.get(commune, "province"))
    ).to_series()
    split = found["_split"]
    batch.scatter(province, rows, provinces, rule)
    batch.scatter(commune, rows.filter(~split), found[commune].filter(~split), rule)
    batch.scatter(commune, rows.filter(split), found[commune].filter(split), None)
    batch.refuse(commune, rows.filter(split), rule, "WARN")


def _odd(known: Places, *, history: bool) -> pl.Expr:
    """Whether a province ``p`` and commune ``c`` need more than a look."""
    p, c = pl.col("p"), pl.col("c")
    strange = p.is_not_null() & ~(known.all_provinces if history else known.provinces).has("p")
    if history:
        return strange | ~c.str.contains(r"^[0-9]{5}$")
    return strange | (c.is_not_null() & ((known.communes.get("c", "code") != c).fill_null(True) | p.is_null()))


def _odd_pairs(
    batch: Batch, pairs: Sequence[tuple[str, str]], known: Places, *, history: bool
) -> list[tuple[str, str]]:
    """Those of ``pairs`` with any row that needs more than a look."""
    if not pairs:
        return []
    provinces, communes = (stack([batch.columns[pair[place]] for pair in pairs]) for place in (0, 1))
    beside = pl.DataFrame([provinces.alias("p"), communes.alias("c")])
    test = cached(batch.reference, f"odd place {history}", lambda _: _odd(known, history=history))
    odd = beside.select(test).to_series()
    return [pair for pair, part in zip(pairs, unstack(odd, batch.rows), strict=True) if part.any()]


@step("place")
def clean_place(batch: Batch, spec: CleanSpec) -> None:
    """Codes for names and lost zeros; residences (``current``) to the new list, ``history`` stays in its own."""
    known = places(batch.reference)
    for kind, default in (("current", CURRENT), ("history", HISTORY)):
        history = kind == "history"
        pairs = [pair for pair in _there(batch.fields, spec.params, kind, default) if batch.present(pair)]
        for name in {name for pair in pairs for name in pair}:
            batch.put(name, batch.columns[name].cast(pl.String))
        for province, commune in _odd_pairs(batch, pairs, known, history=history):
            _read_provinces(batch, province, known, history=history)
            _read_communes(batch, province, commune, known)
            if not history:
                _to_new_list(batch, province, commune, known, spec.rule)


def _there(
    fields: Container[str], params: Mapping[str, Any], key: str, default: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The pairs of fields of ``params[key]`` that the dataset has."""
    pairs = [(str(province), str(commune)) for province, commune in params.get(key, default)]
    return [pair for pair in pairs if all(name in fields for name in pair)]


def _belongs(communes: Index, row: pl.Expr) -> pl.Expr:
    """Whether the commune of this ``row`` of the list is in the province ``p`` where one is given."""
    return row.is_not_null() & (communes.at(row, "province") == pl.col("p")).fill_null(True)


def _rows(known: Places) -> dict[str, pl.Expr]:
    """Rows of the provinces and communes in the lists."""
    return {"all": known.all_provinces.row("p"), "new": known.communes.row("c"), "old": known.old_communes.row("c")}


@check("VR24")
def place_exists(terms: Terms, rule: RuleSpec) -> Iterator[Stacked]:
    """Codes exist, and a commune belongs to its province in the same list: the new one, for history either."""
    known = places(terms.reference)
    p, c, new, old = pl.col("p"), pl.col("c"), pl.col("new"), pl.col("old")
    no_province = p.is_not_null() & pl.col("all").is_null()
    in_new, in_old = _belongs(known.communes, new), _belongs(known.old_communes, old)
    # A residence in an old commune is VR25's.
    only_old = old.is_not_null() & new.is_null()
    for kind, default, other in (("current", CURRENT, only_old), ("history", HISTORY, in_old)):
        pairs = tuple(_there(terms.fields, rule.params, kind, default))
        findings = (Finding("p", no_province), Finding("c", c.is_not_null() & ~(in_new | other)))
        yield Stacked(pairs, ("p", "c"), findings, _rows(known))


@check("VR25")
def place_current(terms: Terms, rule: RuleSpec) -> Iterator[Stacked]:
    """Residences use the lists of 2025-07-01 (QĐ 19/2025/QĐ-TTg)."""
    known = places(terms.reference)
    pairs = tuple(_there(terms.fields, rule.params, "current", CURRENT))
    old_province = pl.col("all").is_not_null() & ~known.provinces.has("p")
    old_commune = pl.col("old").is_not_null() & pl.col("new").is_null()
    yield Stacked(pairs, ("p", "c"), (Finding("p", old_province), Finding("c", old_commune)), _rows(known))
