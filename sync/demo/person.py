"""The truth about one invented person: 109 canonical fields, consistent with every rule, from a seed and a number.

``truth(world, index)`` is a pure function: called again at verification it gives the same person, so nothing of
the generated data has to be kept. Values have canonical Python types (str, int, bool, date, Decimal,
datetime in UTC); absent fields are absent. Chains of dates keep the rules of ``data/validation_rules.csv``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sync.demo import names
from sync.demo.world import AS_OF, Rank, World

Record = dict[str, Any]
"""Canonical field → value; a field without a value is absent."""

UNITS = 40
"""Units (``H26.01`` … ``H26.40``) under each level-1 agency."""


def generator(world: World, index: int, purpose: int) -> Random:
    """A generator of its own for each person and purpose, so that parts can be drawn independently."""
    return Random((world.seed * 1_000_003 + index) * 16 + purpose)


def moment(day: date, second: int) -> datetime:
    """A time of ``day`` in UTC, ``second`` seconds after midnight."""
    return datetime.combine(day, time(), UTC) + timedelta(seconds=second)


def truth(world: World, index: int) -> Record:
    """The person of number ``index`` before the live phase; ``managing_agency_code`` tells who manages them."""
    rng = generator(world, index, 0)
    born = AS_OF - timedelta(days=rng.randrange(24 * 365, 57 * 365))
    record = _identity(world, index, rng, born)
    _contact(world, index, rng, record)
    _position(world, rng, record, born)
    _salary(world, rng, record)
    _qualification(rng, record, born)
    _political(rng, record, born)
    _evaluation(rng, record, born)
    updated = world.today - timedelta(days=rng.randrange(3, 30))
    record["source_updated_at"] = moment(updated, rng.randrange(8 * 3600, 17 * 3600))
    return {field: value for field, value in record.items() if value is not None}


def _identity(world: World, index: int, rng: Random, born: date) -> Record:
    female = rng.random() < 0.5
    prefix, birth_province = rng.choice(world.birth_places)
    century = 2 * (born.year // 100 - 19) + female
    family = rng.choice(names.FAMILY)
    middle = rng.choice(names.MIDDLE_FEMALE if female else names.MIDDLE_MALE)
    given = rng.choice(names.GIVEN_FEMALE if female else names.GIVEN_MALE)
    native = _native_place(world, rng, birth_province)
    issued = max(date(2021, 4, 1), born + timedelta(days=15 * 365)) + timedelta(days=rng.randrange(900))
    return {
        "citizen_id": f"{prefix}{century}{born.year % 100:02d}{world.tail(index):06d}",
        "old_id_card_no": str(rng.randrange(100_000_000, 400_000_000)) if rng.random() < 0.4 else None,
        "id_issue_date": issued,
        "id_issue_place": names.ID_PLACE,
        "employee_code": f"CB{index + 1:07d}",
        "full_name": f"{family} {middle} {given}",
        "other_name": f"{family} {given}" if rng.random() < 0.03 else None,
        "birth_date": born.isoformat(),
        "birth_date_precision": "0",
        "gender": "2" if female else "1",
        "ethnic_code": "01" if rng.random() < 0.85 else f"{rng.randrange(2, 55):02d}",
        "religion_code": "00" if rng.random() < 0.85 else rng.choice(("01", "02", "03", "04", "05")),
        "nationality_code": "VN",
        "marital_status": rng.choices(("1", "2", "3", "4"), (20, 72, 6, 2))[0],
        "birth_place_province": birth_province,
        "birth_place_commune": rng.choice(world.communes[birth_province]),
        "native_place_province": native[0],
        "native_place_commune": native[1],
    }


def _native_place(world: World, rng: Random, province: str) -> tuple[str, str]:
    """Province and commune of one age: every fifth keeps the codes of its time (CV 4856: no retroactive edit)."""
    olds = world.old_places.get(province)
    if olds and rng.random() < 0.2:
        place = rng.choice(olds)
        return place.province, place.commune
    return province, rng.choice(world.communes[province])


def _contact(world: World, index: int, rng: Random, record: Record) -> None:
    manager = home(world, index)
    province = manager or "01"
    commune = rng.choice(world.communes[province])
    address = f"Số {rng.randrange(1, 300)}, đường {rng.choice(names.STREET)}"
    elsewhere = rng.random() < 0.3
    domain = f"tinh{province}.example.vn" if manager else "bo.example.vn"
    social = f"{rng.randrange(10**8, 8 * 10**8):010d}"
    record.update(
        permanent_province=province,
        permanent_commune=commune,
        permanent_address=address,
        current_province=province,
        current_commune=rng.choice(world.communes[province]) if elsewhere else commune,
        current_address=f"Số {rng.randrange(1, 300)}, phố {rng.choice(names.STREET)}" if elsewhere else address,
        phone=phone(rng),
        email=f"{names.unaccented(record['full_name'].split()[-1])}{index}@{domain}",
        social_insurance_no=social if rng.random() < 0.9 else None,
        tax_code=record["citizen_id"] if rng.random() < 0.6 else None,
        family_class_origin=rng.choice(names.FAMILY_CLASS) if rng.random() < 0.3 else None,
        policy_category=rng.choice(names.POLICY) if rng.random() < 0.08 else None,
        health_status=rng.choice(names.HEALTH),
        height_cm=rng.randrange(150, 182),
        weight_kg=Decimal(rng.randrange(430, 850)) / 10,
        blood_group=rng.choice(("A", "B", "AB", "O", "00")),
    )


def phone(rng: Random) -> str:
    """A mobile number of today's form: ``^0[35789][0-9]{8}$``."""
    return f"0{rng.choice('35789')}{rng.randrange(10**7, 10**8)}"


def home(world: World, index: int) -> str | None:
    """The province that manages the person, None for a central body: 80 % in a connected province."""
    draw = generator(world, index, 1)
    share = draw.random()
    if share < 0.80:
        return draw.choice(world.connected)
    if share < 0.88:
        others = [code for code in world.provinces if code not in world.connected]
        return draw.choice(others) if others else draw.choice(world.connected)
    return None


def agency(world: World, rng: Random, province: str | None) -> Record:
    """Managing agency, employing unit and department in ``province`` (None: a central body)."""
    code = rng.choice(world.agencies[province] if province else world.ministries)
    unit = f"{code}.{rng.randrange(1, UNITS + 1):02d}"
    department = f"{unit}.{rng.randrange(1, 7):02d}" if rng.random() < 0.6 else None
    return {"managing_agency_code": code, "employing_unit_code": unit, "department_code": department}


QUOTA = {"CB": ("BC_CB",), "CC": ("BC_CC",), "VC": ("SN_NSNN", "SN_NSNN", "SN_TU_CHU"), "HD111": ("HD",)}


def _position(world: World, rng: Random, record: Record, born: date) -> None:
    kind = rng.choices(("CC", "VC", "CB", "HD111"), (46, 46, 5, 3))[0]
    recruited = born + timedelta(days=20 * 365 + rng.randrange(800))
    arrived = (
        recruited + timedelta(days=rng.randrange((date(2025, 6, 1) - recruited).days))
        if rng.random() < 0.7
        else recruited
    )
    effective = min(arrived + timedelta(days=rng.randrange(400)), AS_OF)
    leader = kind in ("CC", "CB") and rng.random() < 0.12
    place, _ = rng.choice(names.POSITION) if leader else (None, None)
    appointed = arrived + timedelta(days=30) if leader else None
    signed = arrived if kind in ("VC", "HD111") else None
    fixed_term = kind == "VC" and rng.random() < 0.4
    record.update(agency(world, rng, home_of(record)))
    record.update(
        personnel_type=kind,
        payroll_quota_type=rng.choice(QUOTA[kind]),
        previous_occupation=rng.choice(names.OCCUPATION) if rng.random() < 0.6 else None,
        first_recruitment_date=recruited,
        recruiting_agency=f"Sở Nội vụ {rng.choice(tuple(world.provinces.values()))}",
        recruitment_method=rng.choice(("THI_TUYEN", "THI_TUYEN", "XET_TUYEN", "TIEP_NHAN")) if kind != "CB" else "BAU",
        recruitment_decision_no=f"{rng.randrange(1, 4000)}/QĐ-UBND",
        current_unit_start_date=arrived,
        sector_start_date=recruited,
        contract_type=None if signed is None else "HDLD" if kind == "HD111" else "XDTH" if fixed_term else "KXDTH",
        contract_signed_date=signed,
        contract_end_date=signed + timedelta(days=3 * 365) if signed and fixed_term else None,
        employment_status="DANG_LAM_VIEC" if rng.random() < 0.96 else "BIET_PHAI",
        status_effective_date=effective,
        job_position_code=f"VTVL{rng.randrange(1, 120):03d}",
        job_position_group="LDQL" if leader else "HTPV" if kind == "HD111" else "CMNV",
        main_task=rng.choice(names.TASK),
        strength=rng.choice(names.STRENGTH) if rng.random() < 0.5 else None,
        position_code=place,
        position_appointed_date=appointed,
        position_term_end=appointed + timedelta(days=5 * 365 - 1) if appointed else None,
        highest_position=place,
        planned_position="PHO_GIAM_DOC" if leader and rng.random() < 0.3 else None,
    )


def home_of(record: Record) -> str | None:
    """The managing province that ``_contact`` used, read back from the e-mail's domain."""
    domain = record["email"].split("@")[1]
    return domain[4:6] if domain.startswith("tinh") else None


def _salary(world: World, rng: Random, record: Record) -> None:
    rank = rng.choice(world.ranks[record["personnel_type"]])
    served = (AS_OF - record["first_recruitment_date"]).days // 1200
    step = max(1, min(len(rank.coefficients), served))
    since = max(record["first_recruitment_date"], rank.valid_from)
    last = step == len(rank.coefficients)
    record.update(salary(rank, step, max(since, AS_OF - timedelta(days=rng.randrange(600)))))
    record.update(
        rank_appointed_date=since,
        salary_decision_no=f"{rng.randrange(1, 3000)}/QĐ-SNV",
        overgrade_pct=Decimal(rng.choice((5, 6, 7))) if last and rng.random() < 0.4 else None,
        position_allowance_coef=_allowance(record.get("position_code")),
        seniority_allowance_pct=Decimal(rng.randrange(5, 25))
        if record["personnel_type"] == "VC" and rng.random() < 0.4
        else None,
        other_allowance_coef=Decimal(rng.randrange(10, 40)) / 100 if rng.random() < 0.2 else None,
        salary_rate_pct=100,
    )
    if record["overgrade_pct"]:
        record["overgrade_date"] = record["step_effective_date"]


def _allowance(position: str | None) -> Decimal | None:
    return next((Decimal(value) for code, value in names.POSITION if code == position), None)


def salary(rank: Rank, step: int, since: date) -> Record:
    """The fields that a step of a rank fixes: coefficient = table[group][step] (NĐ 204/2004)."""
    return {
        "rank_code": rank.code,
        "salary_group": rank.group,
        "salary_step": step,
        "salary_coefficient": rank.coefficients[step - 1],
        "step_effective_date": since,
        "next_step_anchor_date": since,
    }


def _qualification(rng: Random, record: Record, born: date) -> None:
    high = record["salary_group"] in ("A3.1", "A3.2", "A2.1", "A2.2")
    low = record["salary_group"][0] in "BC"
    degree = (
        "TRUNG_CAP"
        if low
        else rng.choice(("THAC_SI", "DAI_HOC"))
        if high
        else rng.choice(("DAI_HOC", "DAI_HOC", "THAC_SI"))
    )
    doctor = high and rng.random() < 0.06
    graduated = born.year + 22
    record.update(
        general_education="12/12" if rng.random() < 0.9 else "10/10",
        highest_degree="TIEN_SI" if doctor else degree,
        major=rng.choice(names.MAJOR),
        training_institution=rng.choice(names.INSTITUTION),
        training_mode=rng.choice(("CHINH_QUY", "CHINH_QUY", "VLVH", "TU_XA")),
        graduation_year=graduated,
        academic_title="PGS" if doctor and rng.random() < 0.3 else None,
        political_theory_level=rng.choice(("SO_CAP", "TRUNG_CAP", "CAO_CAP", None)),
        state_management_level=rng.choice(("CV", "CV", "CVC", None)),
        defence_training_group=rng.choice(("3", "4", None)),
        foreign_language=rng.choice(names.LANGUAGE) if rng.random() < 0.8 else None,
        it_level=rng.choice(("CO_BAN", "CO_BAN", "NANG_CAO")),
        minority_language=rng.choice(names.MINORITY_LANGUAGE) if rng.random() < 0.05 else None,
    )
    if record["academic_title"]:
        record["academic_title_year"] = min(graduated + 15, AS_OF.year)
    if record["foreign_language"]:
        record["foreign_language_level"] = rng.choice(("A2", "B1", "B1", "B2"))


def _political(rng: Random, record: Record, born: date) -> None:
    member = rng.random() < 0.45
    record["is_party_member"] = member
    record["youth_union_date"] = born + timedelta(days=16 * 365 + 40) if rng.random() < 0.7 else None
    if member:
        joined = max(born + timedelta(days=19 * 365), record["first_recruitment_date"])
        record.update(
            party_join_date=joined,
            party_official_date=joined + timedelta(days=400),
            party_card_no=f"{rng.randrange(10**7, 9 * 10**7):08d}",
            party_position=rng.choice(names.PARTY_POSITION) if rng.random() < 0.1 else None,
        )
    if record["gender"] == "1" and rng.random() < 0.1:
        record.update(
            enlisted_date=born + timedelta(days=18 * 365 + 90),
            discharged_date=born + timedelta(days=20 * 365 + 90),
            highest_military_rank=rng.choice(names.MILITARY),
        )


def _evaluation(rng: Random, record: Record, born: date) -> None:
    record.update(
        highest_honour=rng.choice(names.HONOUR) if rng.random() < 0.4 else None,
        highest_award=rng.choice(names.AWARD) if rng.random() < 0.3 else None,
        current_discipline=rng.choice(("KHIEN_TRACH", "CANH_CAO")) if rng.random() < 0.01 else None,
        latest_rating=rng.choices(("XUAT_SAC", "TOT", "HOAN_THANH"), (20, 65, 15))[0],
        rating_year=2025,
        retirement_month=_retirement(born, record["gender"] == "2"),
    )


def _retirement(born: date, female: bool) -> date | None:
    """First day of pension where the age is settled: men 62 from 2028, women 60 from 2035 (BLLĐ Đ169)."""
    # A woman born up to April 1975 reaches the 59 years and 8 months of 2034 in that year.
    settled = born >= date(1975, 5, 1) if female else born.year > 1966
    if not settled:
        return None
    year = born.year + (60 if female else 62)
    return date(year + born.month // 12, born.month % 12 + 1, 1)
