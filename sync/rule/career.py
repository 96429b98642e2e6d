"""Cross-field checks of a career: dates, contract, Party, discipline (VR12-VR14, VR20-VR22, VR33, VR35)."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Finding, Terms, check, names
from sync.rule.model import RuleSpec
from sync.rule.moment import earliest
from sync.rule.salary import WORKING

_CHAIN = ("birth_date", "first_recruitment_date", "current_unit_start_date", "status_effective_date")


def _day(field: str) -> pl.Expr:
    """A date field as it is, the birth date as the first day it can mean."""
    return pl.col("_birth" if field == "birth_date" else field)


def _birth(terms: Terms) -> bool:
    """Whether there are birth dates; their earliest days become a helper column."""
    if "birth_date" not in terms.fields:
        return False
    terms.helper("_birth", earliest("birth_date"))
    return True


@check("VR12")
def grown_up(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """At least 18 at recruitment; public employees (arts, sport) may be 15 to 17: a warning."""
    for name in terms.known(rule.fields or ("first_recruitment_date",)):
        if _birth(terms):
            birth = pl.col("_birth")
            minor = pl.col(name) < birth.dt.offset_by("18y")
            allowed = pl.lit(False)
            if "personnel_type" in terms.fields:
                allowed = (pl.col("personnel_type") == "VC").fill_null(False) & (
                    pl.col(name) >= birth.dt.offset_by("15y")
                )
            yield Finding(name, minor & ~allowed, needs=(name, "birth_date"))
            yield Finding(name, minor & allowed, "WARN", needs=(name, "birth_date"))


@check("VR13")
def in_order(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """The dates of ``chain`` follow each other and lie in the past, those of ``past`` too; nulls are passed over."""
    chain = terms.known(names(rule.params, "chain", _CHAIN))
    _birth(terms)
    for place, later in enumerate(chain):
        before = [_day(field) for field in chain[:place]]
        if before:
            # Strictly after birth; on the same day as an earlier step is fine.
            bad = [day >= pl.col(later) if field == "birth_date" else day > pl.col(later)
                   for field, day in zip(chain[:place], before, strict=True)]  # fmt: skip
            yield Finding(later, pl.any_horizontal(bad))
    if "chain" not in rule.params:
        # Of the dates that a batch has, the last.
        for place, name in enumerate(chain):
            yield Finding(name, _day(name) > terms.today, lacks=tuple(chain[place + 1 :]))
    for name in terms.known(names(rule.params, "past", ())):
        yield Finding(name, _day(name) > terms.today)


@check("VR14")
def beyond_retirement(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Working after the month of retirement: allowed with an extension (BLLĐ Đ169), so to be told."""
    for name in terms.known(rule.fields or ("employment_status",)):
        if "retirement_month" in terms.fields:
            working = pl.col(name).is_in(names(rule.params, "working", WORKING))
            overdue = pl.col("retirement_month").dt.month_end() < terms.today
            yield Finding(name, working & overdue, needs=(name, "retirement_month"))


@check("VR20")
def contract_outside_quota(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Contract staff (HD111) are outside the payroll quota (NĐ 235/2026)."""
    for name in terms.known(rule.fields or ("payroll_quota_type",)):
        if "personnel_type" in terms.fields:
            inside = ~pl.col(name).is_in(names(rule.params, "outside", ("HD",)))
            yield Finding(name, (pl.col("personnel_type") == "HD111") & inside)


@check("VR21")
def contract_dates(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """A contract ends after it was signed; one of indefinite term does not end."""
    for name in terms.known(rule.fields or ("contract_end_date",)):
        if "contract_signed_date" in terms.fields:
            yield Finding(name, pl.col(name) <= pl.col("contract_signed_date"))
        if "contract_type" in terms.fields:
            endless = pl.col("contract_type").is_in(names(rule.params, "indefinite", ("KXDTH",)))
            yield Finding(name, endless & pl.col(name).is_not_null())


@check("VR22")
def party_dates(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Party dates need membership; official membership comes at least 12 months after joining (Điều lệ Đảng)."""
    join, official = (rule.fields or ("party_join_date", "party_official_date"))[:2]
    for name in terms.known((join, official)):
        if "is_party_member" in terms.fields:
            yield Finding(name, ~pl.col("is_party_member") & pl.col(name).is_not_null())
    if len(terms.known((join, official))) == 2:
        late_enough = pl.col(join).dt.offset_by("12mo")
        yield Finding(official, pl.col(official) < late_enough, needs=(join, official))


@check("VR33")
def discipline_fits(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """A disciplinary measure is one of those ``allowed`` for the type of personnel (NĐ 234/2026)."""
    allowed = dict(rule.params.get("allowed", {}))
    for name in terms.known(rule.fields or ("current_discipline",)):
        if allowed and "personnel_type" in terms.fields:
            bad = [(pl.col("personnel_type") == kind) & ~pl.col(name).is_in(codes) for kind, codes in allowed.items()]
            yield Finding(name, pl.any_horizontal(bad))


@check("VR35")
def issued_after_birth(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """The identity card was issued after birth."""
    for name in terms.known(rule.fields or ("id_issue_date",)):
        if _birth(terms):
            yield Finding(name, pl.col(name) <= pl.col("_birth"), needs=(name, "birth_date"))
