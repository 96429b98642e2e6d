"""Provinces and communes of both code lists (DOMAIN §3): step ``place``, checks VR24 and VR25.

Residence must use the 34 provinces and 3,321 communes of 2025-07-01; old codes are converted where the official table
leaves no choice (VR26), else the successors are proposed. Birth and native places keep the unit of their time. A code
valid in both lists means the new unit, unless the province beside it exists only in the old list, or the record's date
or its source says that it is an old one. Names are ``sync.rule.unit``'s matter.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import polars as pl

from sync.rule.batch import Batch, Finding, Stacked, Terms, check, evaluate, stack, step, unstack
from sync.rule.index import Index, cached
from sync.rule.model import CleanSpec, Reference, RuleSpec
from sync.rule.unit import CHANGE, NEW, OLD, Unit, Units, split_type, units

CURRENT = (("permanent_province", "permanent_commune"), ("current_province", "current_commune"))
HISTORY = (("birth_place_province", "birth_place_commune"), ("native_place_province", "native_place_commune"))
VIETNAM = timezone(timedelta(hours=7))
_SETTLED = ("UNIQUE", "UNIQUE_BY_POPULATION")


@dataclass(frozen=True)
class Places:
    """Look-ups of both lists. ``old_communes`` gives the old province, the resolved new code and the status."""

    provinces: Index
    all_provinces: Index
    communes: Index
    old_communes: Index
    units: Units


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
        units=units(tables),
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
    left = column.gather(rows)
    read = {text: _province_code(text, known.units, history=history) for text in left.unique().to_list()}
    codes = pl.Series(name, [read[text] for text in left.to_list()], dtype=pl.String)
    unread = codes.is_null()
    batch.scatter(name, rows.filter(~unread), codes.filter(~unread), None)
    batch.doubt(name, rows.filter(unread), "VR24", "REVIEW")


def _province_code(text: str, known: Units, *, history: bool) -> str | None:
    """The code of a province given as number or name; None for a name in neither list (Hà Tây, abolished in 2008)."""
    if text.isdecimal():
        return text.zfill(2)
    for vintage in (OLD, NEW) if history else (NEW, OLD):
        for unit in known.named(text, "province", vintage):
            return unit.code
    return None


_NO_CODE = ~pl.col("v").str.contains(r"^[0-9]{5}$")


@dataclass(frozen=True)
class _Read:
    """What a commune that is no code of five digits was found to be.

    ``code`` of the list ``old`` says (None: not certain), with the old ``province`` it lies in; ``offered``: codes to
    choose from; ``rule`` to tell of what is not certain.
    """

    code: str | None
    old: bool = False
    province: str | None = None
    offered: tuple[str, ...] = ()
    rule: str = "VR24"


def _read_commune(text: str, province: str | None, before: bool, known: Units, *, history: bool) -> _Read:
    """Read a commune given as a number that lost its zeros, or as a name, beside the province as the source has it.

    ``before``: the source's units are those of before the change.
    """
    within = known.provinces(province)
    if text.isdecimal():
        return _read_number(text, within.old[-1] if within.old else frozenset(), known, history=history)
    parts = known.parts(text)
    if len(parts) > 1 and (found := known.old_within(parts, within)):
        return _certain_or_offered(found, known, history=history)
    new = [unit for unit in known.named(parts[0], "commune", NEW) if unit.province == within.new]
    named_above = all(known.provinces(part).new == within.new for part in parts[1:])
    # Inside a whole province an old name says too little: numbers and many names recur in its districts.
    every = list(known.named(parts[0], "commune", OLD))
    old = [unit for unit in every if within.old and unit.province in within.old[0]]
    if len(new) == 1 and named_above and not within.only_old and not before and not (history and old):
        return _as_new(new[0], parts[0], [unit for unit in every if unit.province in within.old[-1]], known)
    if split_type(parts[0], "commune")[1].isdecimal() or not named_above:
        return _Read(None)
    return _Read(None, offered=_offered(old, known, history=history))


def _as_new(new: Unit, text: str, old: Sequence[Unit], known: Units) -> _Read:
    """A name that one new unit has. Where it tells the type of old ones of that name (Phường Chương Dương, of which
    there is only a xã today), it may be theirs, unless they lead to that unit.
    """
    kind, _ = split_type(text, "commune")
    if kind is None or new.name.startswith(kind) or all(known.resolution(unit).current == new for unit in old):
        return _Read(new.code)
    return _Read(None, offered=tuple(dict.fromkeys((new.code, *_offered(old, known, history=False)))))


def _read_number(text: str, within: frozenset[str], known: Units, *, history: bool) -> _Read:
    """A commune's code that lost its zeros; three digits may also be an old district, which has no commune."""
    code = text.zfill(5)
    district = known.unit(text, OLD) if len(text) == 3 else None
    if district is None or district.province not in within or history:
        return _Read(code)
    parts = tuple(successor.unit.code for successor in known.resolution(district).successors)
    commune = known.unit(code, NEW)
    if commune is not None and not text.startswith("0") and commune.province == known.provinces(district.province).new:
        return _Read(None, offered=(code,))
    return _Read(None, offered=parts, rule="VR26")


def _certain_or_offered(found: Sequence[Unit], known: Units, *, history: bool) -> _Read:
    if len(found) == 1:
        return _Read(found[0].code, old=True, province=found[0].province)
    return _Read(None, offered=_offered(found, known, history=history))


def _offered(found: Sequence[Unit], known: Units, *, history: bool) -> tuple[str, ...]:
    """Codes to choose from: of the old communes themselves for history, of their successors for a residence."""
    if history:
        return tuple(unit.code for unit in found)
    return tuple(dict.fromkeys(part.unit.code for unit in found for part in known.resolution(unit).successors))


def _read_communes(
    batch: Batch, province: str, commune: str, known: Places, told: pl.Series | None, *, history: bool
) -> pl.Series | None:
    """Communes as codes of five digits; where (Boolean) a name was an old unit's, None where none was.

    ``told``: where (Boolean) units are known to be old ones.
    """
    column = batch.columns[commune]
    strange = evaluate(column, _NO_CODE)
    if not strange.any():
        return None
    rows = strange.arg_true()
    before = [False] * len(rows) if told is None or history else told.gather(rows).to_list()
    texts, provinces = column.gather(rows).to_list(), batch.columns[province].gather(rows).to_list()
    pairs = list(zip(texts, provinces, before, strict=True))
    read = {pair: _read_commune(*pair, known.units, history=history) for pair in set(pairs)}
    found = [read[pair] for pair in pairs]
    certain = pl.Series([each.code is not None for each in found], dtype=pl.Boolean)
    codes = pl.Series(commune, [each.code for each in found], dtype=pl.String)
    old = pl.Series([each.old for each in found], dtype=pl.Boolean)
    for rule in ("VR24", "VR26"):
        offered = ((row, each.offered) for row, each in zip(rows.to_list(), found, strict=True) if each.rule == rule)
        batch.offer_each(commune, offered, rule)
    split = pl.Series([each.code is None and each.rule == "VR26" for each in found], dtype=pl.Boolean)
    batch.doubt(commune, rows.filter(split), "VR26", "WARN")
    batch.doubt(commune, rows.filter(~certain & ~split), "VR24", "REVIEW")
    batch.scatter(commune, rows.filter(certain), codes.filter(certain), None)
    if not old.any():
        return None
    above = pl.Series(province, [each.province for each in found], dtype=pl.String)
    batch.scatter(province, rows.filter(old), above.filter(old), None)
    return pl.Series([False]).new_from_index(0, batch.rows).scatter(rows, old)


def _to_new_list(batch: Batch, province: str, commune: str, known: Places, rule: str, told: pl.Series | None) -> None:
    """Convert residences to the new list, commune first; a split commune becomes null, its successors are proposed.

    ``told``: where (Boolean) the codes are known to be old ones.
    """
    p, c = pl.col(province), pl.col(commune)
    # A province that only the old list has tells that the code beside it is an old one.
    dated = p.is_not_null() & ~known.provinces.has(province)
    listed = known.communes.has(commune)
    odd = dated | (c.is_not_null() & (~listed | p.is_null() | (known.communes.get(commune, "code") != c)))
    where = batch.frame((province, commune)).select(odd.fill_null(False)).to_series()
    rows = (where if told is None else where | (told & batch.columns[commune].is_not_null())).arg_true()
    if len(rows) == 0:
        return
    surely_old = pl.lit(False) if told is None else pl.lit(told.gather(rows))
    old_province = known.old_communes.get(commune, "province")
    found = (
        pl.DataFrame([batch.columns[province].gather(rows), batch.columns[commune].gather(rows)])
        .with_columns(
            _listed=listed,
            _old=old_province.is_not_null() & (~listed | surely_old | (dated & (old_province == p)).fill_null(False)),
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
    _offer_successors(batch, commune, rows.filter(split), known.units, rule)
    batch.scatter(commune, rows.filter(split), found[commune].filter(split), None)
    batch.refuse(commune, rows.filter(split), rule, "WARN")


def _offer_successors(batch: Batch, commune: str, rows: pl.Series, known: Units, rule: str) -> None:
    """Propose the new communes that old ones were split among."""
    codes = batch.columns[commune].gather(rows).to_list()
    offered: dict[str, list[str]] = {}
    for code in set(codes):
        unit = known.unit(code, OLD)
        offered[code] = [part.unit.code for part in known.resolution(unit).successors] if unit else []
    batch.offer_each(commune, ((row, offered[code]) for row, code in zip(rows.to_list(), codes, strict=True)), rule)


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


def _told_old(batch: Batch, spec: CleanSpec) -> pl.Series | None:
    """Where (Boolean) codes are of the old list: by the source's list, else by the record's date (``as_of``)."""
    if batch.units is not None:
        return pl.Series([True]).new_from_index(0, batch.rows) if batch.units == OLD else None
    on = batch.columns.get(str(spec.params.get("as_of", "")))
    if on is None or not on.dtype.is_temporal():
        return None
    first = CHANGE if on.dtype == pl.Date else datetime.combine(CHANGE, time(), VIETNAM).astimezone(UTC)
    before = (on < first).fill_null(False)
    return before if before.any() else None


@step("place", params={"as_of": "field", "current": "pairs", "history": "pairs"})
def clean_place(batch: Batch, spec: CleanSpec) -> None:
    """Codes for names and lost zeros; residences (``current``) to the new list, ``history`` stays in its own.

    ``as_of``: a date or time field; before 2025-07-01, residences are of the old list whatever their codes mean today.
    """
    known = places(batch.reference)
    dated = _told_old(batch, spec)
    for kind, default in (("current", CURRENT), ("history", HISTORY)):
        history = kind == "history"
        pairs = [pair for pair in _there(batch.fields, spec.params, kind, default) if batch.present(pair)]
        for name in {name for pair in pairs for name in pair}:
            batch.put(name, batch.columns[name].cast(pl.String))
        odd = pairs if dated is not None and not history else _odd_pairs(batch, pairs, known, history=history)
        for province, commune in odd:
            named = _read_communes(batch, province, commune, known, dated, history=history)
            _read_provinces(batch, province, known, history=history)
            if not history:
                told = dated if named is None else named if dated is None else dated | named
                _to_new_list(batch, province, commune, known, spec.rule, told)


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


@check("VR24", params={"as_of": "field", "current": "pairs", "history": "pairs"})
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


@check("VR25", params={"as_of": "field", "current": "pairs", "history": "pairs"})
def place_current(terms: Terms, rule: RuleSpec) -> Iterator[Stacked]:
    """Residences use the lists of 2025-07-01 (QĐ 19/2025/QĐ-TTg)."""
    known = places(terms.reference)
    pairs = tuple(_there(terms.fields, rule.params, "current", CURRENT))
    old_province = pl.col("all").is_not_null() & ~known.provinces.has("p")
    old_commune = pl.col("old").is_not_null() & pl.col("new").is_null()
    yield Stacked(pairs, ("p", "c"), (Finding("p", old_province), Finding("c", old_commune)), _rows(known))
