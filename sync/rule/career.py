"""Cross-field checks of a career: dates, contract, Party, discipline (VR12-VR14, VR20-VR22, VR33, VR35)."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Batch, Finding, check, names
from sync.rule.model import RuleSpec
from sync.rule.moment import earliest
from sync.rule.salary import WORKING

_CHAIN = ("birth_date", "first_recruitment_date", "current_unit_start_date", "status_effective_date")


def _day(field: str) -> pl.Expr:
    """A date field as it is, the birth date as the first day it can mean."""
    return pl.col("_birth" if field == "birth_date" else field)


def _birth(batch: Batch) -> bool:
    """Whether there are birth dates; their earliest days become a helper column."""
    if not batch.present(["birth_date"]):
        return False
    batch.helpers["_birth"] = earliest("birth_date")
    return True


@check("VR12")
def grown_up(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """At least 18 at recruitment; public employees (arts, sport) may be 15 to 17: a warning."""
    for name in batch.present(rule.fields or ("first_recruitment_date",)):
        if _birth(batch):
            birth = pl.col("_birth")
            minor = pl.col(name) < birth.dt.offset_by("18y")
            allowed = pl.lit(False)
            if "personnel_type" in batch.columns:
                allowed = (pl.col("personnel_type") == "VC").fill_null(False) & (
                    pl.col(name) >= birth.dt.offset_by("15y")
                )
            yield Finding(name, minor & ~allowed)
            yield Finding(name, minor & allowed, "WARN")


@check("VR13")
def in_order(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """The dates of ``chain`` follow each other and lie in the past, those of ``past`` too; nulls are passed over."""
    chain = batch.present(names(rule.params, "chain", _CHAIN))
    _birth(batch)
    for place, later in enumerate(chain):
        before = [_day(field) for field in chain[:place]]
        if before:
            # Strictly after birth; on the same day as an earlier step is fine.
            bad = [day >= pl.col(later) if field == "birth_date" else day > pl.col(later)
                   for field, day in zip(chain[:place], before, strict=True)]  # fmt: skip
            yield Finding(later, pl.any_horizontal(bad))
    last = [chain[-1]] if chain and "chain" not in rule.params else []
    for name in batch.present([*last, *names(rule.params, "past", ())]):
        yield Finding(name, _day(name) > batch.today)


@check("VR14")
def beyond_retirement(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """Working after the month of retirement: allowed with an extension (BLLĐ Đ169), so to be told."""
    for name in batch.present(rule.fields or ("employment_status",)):
        if batch.present(["retirement_month"]):
            working = pl.col(name).is_in(names(rule.params, "working", WORKING))
            yield Finding(name, working & (pl.col("retirement_month").dt.month_end() < batch.today))


@check("VR20")
def contract_outside_quota(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """Contract staff (HD111) are outside the payroll quota (NĐ 235/2026)."""
    for name in batch.present(rule.fields or ("payroll_quota_type",)):
        if "personnel_type" in batch.columns:
            inside = ~pl.col(name).is_in(names(rule.params, "outside", ("HD",)))
            yield Finding(name, (pl.col("personnel_type") == "HD111") & inside)


@check("VR21")
def contract_dates(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """A contract ends after it was signed; one of indefinite term does not end."""
    for name in batch.present(rule.fields or ("contract_end_date",)):
        if "contract_signed_date" in batch.columns:
            yield Finding(name, pl.col(name) <= pl.col("contract_signed_date"))
        if "contract_type" in batch.columns:
            endless = pl.col("contract_type").is_in(names(rule.params, "indefinite", ("KXDTH",)))
            yield Finding(name, endless & pl.col(name).is_not_null())


@check("VR22")
def party_dates(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """Party dates need membership; official membership comes at least 12 months after joining (Điều lệ Đảng)."""
    join, official = (rule.fields or ("party_join_date", "party_official_date"))[:2]
    for name in batch.present((join, official)):
        if "is_party_member" in batch.columns:
            yield Finding(name, ~pl.col("is_party_member") & pl.col(name).is_not_null())
    if len(batch.present((join, official))) == 2:
        yield Finding(official, pl.col(official) < pl.col(join).dt.offset_by("12mo"))


@check("VR33")
def discipline_fits(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """A disciplinary measure is one of those ``allowed`` for the type of personnel (NĐ 234/2026)."""
    allowed = dict(rule.params.get("allowed", {}))
    for name in batch.present(rule.fields or ("current_discipline",)):
        if allowed and "personnel_type" in batch.columns:
            bad = [(pl.col("personnel_type") == kind) & ~pl.col(name).is_in(codes) for kind, codes in allowed.items()]
            yield Finding(name, pl.any_horizontal(bad))


@check("VR35")
def issued_after_birth(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """The identity card was issued after birth."""
    for name in batch.present(rule.fields or ("id_issue_date",)):
        if _birth(batch):
            yield Finding(name, pl.col(name) <= pl.col("_birth"))
