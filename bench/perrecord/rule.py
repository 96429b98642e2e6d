"""The rules of a civil servant's record, one function for each group of them; a record at a time."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bench.perrecord.table import Tables

Record = dict[str, Any]
Finding = tuple[str, str, str]
"""Field, rule, severity."""

_TWELVE = re.compile(r"[0-9]{12}")
_FAKE = re.compile(r"(?:([0-9])\1{11}|123456789012|012345678901|.*000000)")
_NAME = re.compile(r"[^\W\d_'’.-]?[\w'’.-]+(?: [\w'’.-]+)+")
_DEGREES = {
    name: place
    for place, name in enumerate(
        ("TIEN_SI", "THAC_SI", "DAI_HOC", "CAO_DANG", "TRUNG_CAP", "SO_CAP", "CHUA_QUA_DAO_TAO")
    )
}
_LEAST = {"01.001": 2, "01.002": 2, "01.003": 2, "01.004": 4}
_DISCIPLINE = {
    "CB": {"KHIEN_TRACH", "CANH_CAO", "CACH_CHUC", "BAI_NHIEM"},
    "CC": {"KHIEN_TRACH", "CANH_CAO", "HA_BAC_LUONG", "GIANG_CHUC", "CACH_CHUC", "BUOC_THOI_VIEC"},
    "VC": {"KHIEN_TRACH", "CANH_CAO", "CACH_CHUC", "BUOC_THOI_VIEC"},
}
_REQUIRED = (
    *("full_name", "birth_date", "gender", "ethnic_code", "religion_code", "nationality_code", "permanent_province"),
    *("employee_code", "managing_agency_code", "employing_unit_code", "personnel_type", "payroll_quota_type"),
    *("first_recruitment_date", "recruiting_agency", "recruitment_method", "current_unit_start_date"),
    *("employment_status", "status_effective_date", "job_position_code", "job_position_group", "rank_code"),
    *("rank_appointed_date", "salary_group", "salary_step", "salary_coefficient", "step_effective_date"),
    *("general_education", "highest_degree", "is_party_member", "source_updated_at"),
)
_DESIRED = ("permanent_commune", "latest_rating", "birth_date_precision")


def _plus_years(day: date, years: int) -> date:
    year = day.year + years
    return date(year, day.month, min(day.day, calendar.monthrange(year, day.month)[1]))


class Rules:
    """All rules, with what they look up and the day of judgement."""

    def __init__(self, tables: Tables, today: date) -> None:
        self._tables = tables
        self._today = today
        self._stale = datetime.combine(today, time(), UTC) - timedelta(days=92)
        self._all: tuple[Callable[[Record], Iterator[Finding]], ...] = (
            self._identity,
            self._dates,
            self._contract,
            self._agencies,
            self._salary,
            self._position,
            self._party,
            self._places,
            self._complete,
        )

    def check(self, record: Record) -> list[Finding]:
        """What is wrong with a cleaned record."""
        return [finding for rule in self._all for finding in rule(record)]

    def _identity(self, record: Record) -> Iterator[Finding]:
        number, born = record["citizen_id"], record["birth_date"]
        if number is None:
            yield "citizen_id", "NO_ID", "REVIEW"
        elif not _TWELVE.fullmatch(number):
            yield "citizen_id", "VR01", "ERROR"
        else:
            if number[:3] not in self._tables.prefixes:
                yield "citizen_id", "VR02", "ERROR" if number < "1" else "WARN"
            digit = int(number[3])
            year = 1900 + 100 * (digit // 2) + int(number[4:6])
            if year > self._today.year or (born and int(born[:4]) != year):
                yield "citizen_id", "VR03", "ERROR"
            if record["gender"] in ("1", "2") and (record["gender"] == "2") != bool(digit % 2):
                yield "citizen_id", "VR04", "ERROR"
            if _FAKE.fullmatch(number):
                yield "citizen_id", "VR05", "ERROR"
        old, name = record["old_id_card_no"], record["full_name"]
        if old is not None and not (len(old) == 9 and old.isdigit()):
            yield "old_id_card_no", "VR08", "WARN"
        if name is not None and not _NAME.fullmatch(name):
            yield "full_name", "VR09", "ERROR"
        if born:
            year = int(born[:4])
            young = len(born) == 10 and _plus_years(date.fromisoformat(born), 15) > self._today
            if young or year > self._today.year - 15 or year < max(1900, self._today.year - 110):
                yield "birth_date", "VR11", "ERROR"

    def _dates(self, record: Record) -> Iterator[Finding]:
        born = record["birth_date"]
        birth = date.fromisoformat((born + "-01-01")[:10]) if born else None
        recruited = record["first_recruitment_date"]
        if birth and record["id_issue_date"] and record["id_issue_date"] <= birth:
            yield "id_issue_date", "VR35", "ERROR"
        if birth and recruited and recruited < _plus_years(birth, 18):
            allowed = record["personnel_type"] == "VC" and recruited >= _plus_years(birth, 15)
            yield "first_recruitment_date", "VR12", "WARN" if allowed else "ERROR"
        before = birth
        for name in ("first_recruitment_date", "current_unit_start_date", "status_effective_date"):
            day = record[name]
            if day is None:
                continue
            if before and (before >= day if before is birth else before > day):
                yield name, "VR13", "ERROR"
            before = day
        if before and before > self._today:
            yield "status_effective_date", "VR13", "ERROR"
        retired = record["retirement_month"]
        over = retired and retired.replace(day=calendar.monthrange(retired.year, retired.month)[1]) < self._today
        if over and record["employment_status"] == "DANG_LAM_VIEC":
            yield "employment_status", "VR14", "WARN"

    def _contract(self, record: Record) -> Iterator[Finding]:
        if record["personnel_type"] == "HD111" and record["payroll_quota_type"] not in (None, "HD"):
            yield "payroll_quota_type", "VR20", "ERROR"
        end, signed = record["contract_end_date"], record["contract_signed_date"]
        if end is not None and ((signed and end <= signed) or record["contract_type"] == "KXDTH"):
            yield "contract_end_date", "VR21", "ERROR"

    def _agencies(self, record: Record) -> Iterator[Finding]:
        managing, unit = record["managing_agency_code"], record["employing_unit_code"]
        if managing is not None and (managing[:3] not in self._tables.agencies or len(managing) > 35):
            yield "managing_agency_code", "VR27", "ERROR"
        if unit is not None:
            within = managing is None or unit == managing or unit.startswith(managing + ".")
            if unit[:3] not in self._tables.agencies or len(unit) > 35 or not within:
                yield "employing_unit_code", "VR27", "WARN"

    def _salary(self, record: Record) -> Iterator[Finding]:
        known, code, since = self._tables, record["rank_code"], record["step_effective_date"]
        rank = known.ranks.get(code) if code is not None else None
        if code is not None and (
            rank is None
            or (since and rank.since and since < rank.since)
            or (since and rank.until and since > rank.until)
        ):
            yield "rank_code", "VR15", "ERROR"
        stated, step = record["salary_group"], record["salary_step"]
        of_rank = rank.group if rank else None
        if stated is not None and (stated not in known.last_step or (of_rank and stated != of_rank)):
            yield "salary_group", "VR16", "ERROR"
        group = stated if stated in known.last_step else of_rank
        if group is not None and step is not None:
            table = known.grades.get((group, step))
            if table is None:
                yield "salary_step", "VR16", "ERROR"
            elif record["salary_coefficient"] is not None and record["salary_coefficient"] != table:
                yield "salary_coefficient", "VR16", "ERROR"
            over, last = record["overgrade_pct"], known.last_step[group]
            if over is not None and (over < 0 or (over > 0 and (over < 5 or over != int(over) or step < last))):
                yield "overgrade_pct", "VR17", "ERROR"
            if since and record["employment_status"] == "DANG_LAM_VIEC" and step < last:
                today = self._today
                whole = 12 * (today.year - since.year) + today.month - since.month - (since.day >= today.day)
                if whole >= known.months.get(group, 36) + 3:
                    yield "step_effective_date", "VR18", "WARN"
        kind = record["personnel_type"]
        if code is not None and (
            (kind == "CC" and code.startswith("V."))
            or (kind == "VC" and not code.startswith("V.") and record["professional_level"] is None)
        ):
            yield "rank_code", "VR19", "WARN"

    def _position(self, record: Record) -> Iterator[Finding]:
        allowance, group = record["position_allowance_coef"], record["job_position_group"]
        if allowance is not None and group is not None and (group == "LDQL") != (allowance > 0):
            yield "position_allowance_coef", "VR34", "WARN"
        degree = _DEGREES.get(record["highest_degree"])
        if degree is not None and degree > _LEAST.get(record["rank_code"], 9):
            yield "highest_degree", "VR23", "WARN"
        discipline, allowed = record["current_discipline"], _DISCIPLINE.get(record["personnel_type"])
        if discipline is not None and allowed is not None and discipline not in allowed:
            yield "current_discipline", "VR33", "WARN"

    def _party(self, record: Record) -> Iterator[Finding]:
        joined, official = record["party_join_date"], record["party_official_date"]
        if record["is_party_member"] is False:
            for name in ("party_join_date", "party_official_date"):
                if record[name] is not None:
                    yield name, "VR22", "ERROR"
        if joined and official and official < _plus_years(joined, 1):
            yield "party_official_date", "VR22", "ERROR"

    def _places(self, record: Record) -> Iterator[Finding]:
        known = self._tables
        for kind in ("permanent", "current", "birth_place", "native_place"):
            province, commune = record[f"{kind}_province"], record[f"{kind}_commune"]
            current = kind in ("permanent", "current")
            if province is not None and province not in known.successors:
                yield f"{kind}_province", "VR24", "ERROR"
            elif current and province is not None and province not in known.provinces:
                yield f"{kind}_province", "VR25", "ERROR"
            if commune is None or known.communes.get(commune) == (province or known.communes.get(commune)):
                continue
            old = known.old_communes.get(commune)
            if current and old is not None and commune not in known.communes:
                yield f"{kind}_commune", "VR25", "ERROR"
            elif current or old is None or (province is not None and old[0] != province):
                yield f"{kind}_commune", "VR24", "ERROR"

    def _complete(self, record: Record) -> Iterator[Finding]:
        for name in _REQUIRED:
            if record[name] is None:
                yield name, "VR29", "ERROR"
        for name in _DESIRED:
            if record[name] is None:
                yield name, "VR29", "WARN"
        updated = record["source_updated_at"]
        if updated is not None and updated < self._stale:
            yield "source_updated_at", "VR30", "WARN"
