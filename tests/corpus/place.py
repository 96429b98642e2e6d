"""Errors of codes, catalogues and administrative units (DOMAIN.md §2.2, §3, §4.4, §7.5)."""

from __future__ import annotations

from tests.corpus.case import Case, Label, kind


@kind
def catalogue_name(case: Case) -> Label:
    """Names and unambiguous aliases for codes; a group's own name wins over an alias of another."""
    names = {
        "ethnic_code": (
            ("Kinh", "01"),
            ("dân tộc Tày", "02"),
            ("Thổ", "24"),
            ("Hoa", "04"),
            ("Ê Đê", "12"),
            ("Việt", "01"),
        ),
        "religion_code": (("Không", "00"), ("Đạo Phật", "01"), ("Thiên chúa giáo", "02"), ("không có", "00")),
        "gender": (("Nam", "1"), ("Nữ", "2")),
        "highest_degree": (("Đại học", "DAI_HOC"), ("thạc sĩ", "THAC_SI")),
    }
    field = case.rng.choice(tuple(names))
    true = [name for name, code in names[field] if case.truth[field] == code]
    if not true:
        name, code = case.rng.choice(names[field])
        if field in ("gender", "highest_degree"):
            return Label("untouched")
        case.truth[field] = code
        true = [name]
    case.raw[field] = case.rng.choice((true[0], true[0].upper()))
    return Label("repaired", field, None)


@kind
def ambiguous_alias(case: Case) -> Label:
    """An alias of several ethnic groups is never mapped."""
    case.raw["ethnic_code"] = case.rng.choice(("Hạ", "Mán", "Trại", "Ca-tang", "Xá Khao", "Xá Lá Vàng", "Chil"))
    return Label("rejected", "ethnic_code", "CATALOGUE")


@kind
def not_in_catalogue(case: Case) -> Label:
    """A value that an optional catalogue does not have is left out and told."""
    case.raw["blood_group"] = case.rng.choice(("Z", "A1B2", "hồng"))
    case.truth.pop("blood_group", None)
    return Label("warned", "blood_group", "CATALOGUE")


@kind
def agency_of_the_old_form(case: Case) -> Label:
    """A code of QCVN 102:2016, read from the right."""
    code = case.truth["managing_agency_code"]
    case.raw["managing_agency_code"] = case.rng.choice(
        (f"000.00.00.{code}", f" {code.lower()} ", f"000.00.00.{code.lower()}")
    )
    return Label("repaired", "managing_agency_code", "VR27")


@kind
def unknown_agency(case: Case) -> Label:
    """A body that does not exist."""
    case.raw["managing_agency_code"] = case.rng.choice(("H99", "26", "G77"))
    return Label("rejected", "managing_agency_code", "VR27")


@kind
def rank_notation(case: Case) -> Label | None:
    """A rank in small letters or with blanks."""
    code = case.truth["rank_code"]
    case.raw["rank_code"] = code.lower() if code.lower() != code else f"{code[:3]} {code[3:]}"
    return Label("repaired", "rank_code", "VR10")


# -- administrative units


def _old(case: Case, status: str) -> dict[str, str]:
    """An old commune whose code is not one of today's: a code of both lists does not tell its age."""
    today = case.tables.communes
    while True:
        row = case.rng.choice(case.tables.old_communes[status])
        if row["old_commune_code"] not in today:
            return row


def _live_in(case: Case, row: dict[str, str]) -> None:
    case.truth["current_province"] = row["new_province_code"]
    if row["resolved_new_code"]:
        case.truth["current_commune"] = row["resolved_new_code"]
    else:
        case.truth.pop("current_commune", None)


@kind
def old_commune(case: Case) -> Label:
    """A residence in an old code that leads to one new commune."""
    row = _old(case, case.rng.choice(("UNIQUE", "UNIQUE_BY_POPULATION")))
    _live_in(case, row)
    case.raw["current_province"], case.raw["current_commune"] = row["old_province_code"], row["old_commune_code"]
    return Label("repaired", "current_commune", "VR26")


@kind
def old_commune_by_alias(case: Case) -> Label:
    """One of the seven communes that the two official lists number differently."""
    row = case.rng.choice(case.tables.aliased)
    _live_in(case, row)
    case.raw["current_province"], case.raw["current_commune"] = row["old_province_code"], row["alias_codes"]
    return Label("repaired", "current_commune", "VR26")


@kind
def split_commune(case: Case) -> Label:
    """A residence in a commune that was split: its owner chooses among the successors."""
    row = _old(case, "AMBIGUOUS")
    _live_in(case, row)
    case.raw["current_province"], case.raw["current_commune"] = row["old_province_code"], row["old_commune_code"]
    offered = tuple(("current_commune", entry.split(":")[0]) for entry in row["candidates"].split(";"))
    return Label("warned", "current_commune", "VR26", offered)


@kind
def commune_without_successor(case: Case) -> Label:
    """A commune that the official table of conversion does not have."""
    row = _old(case, "NO_MAPPING")
    _live_in(case, row)
    case.raw["current_province"], case.raw["current_commune"] = row["old_province_code"], row["old_commune_code"]
    return Label("warned", "current_commune", "VR26")


@kind
def commune_by_name(case: Case) -> Label:
    """Names of today's province and commune, in full or abbreviated; no word is needed."""
    province, commune = case.truth["current_province"], case.truth["current_commune"]
    row = case.tables.communes[commune]
    name, kind_of = row["name"], row["type_2025_07_01"]
    short = {"Phường": "P. ", "Xã": "X. ", "Đặc khu": "Đặc khu "}[kind_of]
    whole = case.world.provinces[province]
    bare = whole.removeprefix("Thành phố ").removeprefix("Tỉnh ")
    abbreviated = "TP. " if whole.startswith("Thành phố") else "T. "
    towns = {"79": ("TP.HCM", "TPHCM", "Tp Hồ Chí Minh", "TP Hồ Chí Minh")}.get(province, ())
    case.raw["current_province"] = case.rng.choice((whole, bare, abbreviated + bare, bare.upper(), *towns))
    case.raw["current_commune"] = case.rng.choice(
        (f"{kind_of} {name}", f"{short}{name}", name, f"{kind_of} {name}".upper())
    )
    return Label("repaired", "current_commune", None)


@kind
def lost_zeros_of_codes(case: Case) -> Label | None:
    """Codes of units as numbers; no word is needed."""
    province, commune = case.truth["current_province"], case.truth["current_commune"]
    if not commune.startswith("0") or str(int(commune)) in case.tables.districts:
        return None
    case.raw["current_province"], case.raw["current_commune"] = str(int(province)), str(int(commune))
    return Label("repaired", "current_commune", None)


def _qualified(case: Case, row: dict[str, str]) -> str:
    """An old commune with its district, abbreviated in one way or another."""
    district = case.tables.districts[row["old_district_code"]]["name"]
    commune = row["old_commune"]
    for whole, short in (("Phường ", "P."), ("Xã ", "X. "), ("Thị trấn ", "TT ")):
        if commune.startswith(whole) and case.rng.random() < 0.5:
            commune = short + commune.removeprefix(whole)
    for whole, short in (("Quận ", "Q."), ("Huyện ", "H. "), ("Thị xã ", "TX. "), ("Thành phố ", "TP. ")):
        if district.startswith(whole) and case.rng.random() < 0.5:
            district = short + district.removeprefix(whole)
    return f"{commune}, {district}"


def _named(row: dict[str, str]) -> Label:
    """A name for a code needs no word, a conversion does."""
    same = row["old_commune_code"] == row["resolved_new_code"]
    return Label("repaired", "current_commune", None if same else "VR26")


@kind
def old_commune_by_name(case: Case) -> Label | None:
    """An old commune by name with its district and old province."""
    row = case.rng.choice(case.tables.old_communes["UNIQUE"])
    if case.tables.namesakes[row["old_district_code"], row["old_commune"].casefold().split()[-1]] > 1:
        return None
    _live_in(case, row)
    case.raw["current_province"] = case.tables.provinces_old[row["old_province_code"]]
    case.raw["current_commune"] = _qualified(case, row)
    return _named(row)


@kind
def numeric_ward(case: Case) -> Label | None:
    """Phường 01 = Phường 1 = P1, inside its old district only."""
    row = case.rng.choice(case.tables.numeric_wards)
    number = int(row["old_commune"].split()[-1])
    _live_in(case, row)
    district = case.tables.districts[row["old_district_code"]]["name"]
    case.raw["current_province"] = case.tables.provinces_old[row["old_province_code"]]
    case.raw["current_commune"] = (
        case.rng.choice((f"P{number}", f"Phường {number:02d}", f"P. {number}", f"phường {number}")) + f", {district}"
    )
    return _named(row)


@kind
def numeric_ward_without_district(case: Case) -> Label:
    """Phường 1 of a city with many: a person decides."""
    case.raw["current_province"], case.raw["current_commune"] = (
        "TP.HCM",
        case.rng.choice(("Phường 1", "P.1", "Phường 01")),
    )
    case.truth["current_province"] = "79"
    return Label("review", "current_commune", "VR24")


@kind
def only_district(case: Case) -> Label:
    """Only the old district is known: its communes are for the owner to choose from."""
    code, row = case.rng.choice(case.tables.only_districts)
    case.truth["current_province"] = row["new_province_code"]
    case.truth.pop("current_commune", None)
    case.raw["current_province"], case.raw["current_commune"] = row["old_province_code"], code
    offered = tuple(("current_commune", found) for found in row["new_commune_codes"].split(";"))
    return Label("warned", "current_commune", "VR26", offered)


@kind
def birth_place_of_its_time(case: Case) -> Label:
    """A birth place keeps the unit of its time."""
    row = _old(case, case.rng.choice(("UNIQUE", "AMBIGUOUS", "NO_MAPPING")))
    case.truth["birth_place_province"] = row["old_province_code"]
    case.truth["birth_place_commune"] = row["old_commune_code"]
    return Label("untouched", "birth_place_commune")


@kind
def unknown_commune(case: Case) -> Label:
    """A code that no list has."""
    case.raw["current_commune"] = case.rng.choice(("99999", "00002", "33333"))
    return Label("rejected", "current_commune", "VR24")


@kind
def commune_of_another_province(case: Case) -> Label | None:
    """A commune that is not in the province beside it."""
    others = [code for code in case.world.provinces if code != case.truth["current_province"]]
    case.raw["current_province"] = case.rng.choice(others)
    if case.tables.old_province.get(case.truth["current_commune"]) == case.raw["current_province"]:
        return None
    return Label("rejected", "current_commune", "VR24")
