"""Rank, salary and the cross-field rules (VR12-VR23, VR29, VR30, VR33-VR35)."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.unit.rule.conftest import GOOD, Clean, CleanOne

VC = {"personnel_type": "VC", "payroll_quota_type": "SN_NSNN", "rank_code": "V.07.03.29"}


@pytest.mark.parametrize(
    ("changes", "field", "rule", "severity"),
    [
        ({"first_recruitment_date": "2001-01-01"}, "first_recruitment_date", "VR12", "ERROR"),
        (VC | {"first_recruitment_date": "2001-06-01"}, "first_recruitment_date", "VR12", "WARN"),
        ({"current_unit_start_date": "2009-01-01"}, "current_unit_start_date", "VR13", "ERROR"),
        ({"status_effective_date": "2014-01-01"}, "status_effective_date", "VR13", "ERROR"),
        ({"status_effective_date": "2027-01-01"}, "status_effective_date", "VR13", "ERROR"),
        ({"retirement_month": "2026-10-01"}, "employment_status", "VR14", "WARN"),
        ({"rank_code": "01.999"}, "rank_code", "VR15", "ERROR"),
        (VC | {"step_effective_date": "2026-08-01"}, "rank_code", "VR15", "ERROR"),
        ({"salary_coefficient": "3.33"}, "salary_coefficient", "VR16", "ERROR"),
        ({"salary_group": "A0"}, "salary_group", "VR16", "ERROR"),
        ({"salary_step": "12"}, "salary_step", "VR16", "ERROR"),
        ({"overgrade_pct": "5"}, "overgrade_pct", "VR17", "ERROR"),
        ({"step_effective_date": "2023-08-21"}, "step_effective_date", "VR18", "WARN"),
        ({"rank_code": "V.07.03.29"}, "rank_code", "VR19", "WARN"),
        ({"personnel_type": "HD111"}, "payroll_quota_type", "VR20", "ERROR"),
        (
            {"contract_signed_date": "2020-01-01", "contract_end_date": "2019-01-01"},
            "contract_end_date",
            "VR21",
            "ERROR",
        ),
        ({"contract_type": "KXDTH", "contract_end_date": "2029-01-01"}, "contract_end_date", "VR21", "ERROR"),
        ({"is_party_member": "0", "party_join_date": "2012-01-01"}, "party_join_date", "VR22", "ERROR"),
        (
            {"party_join_date": "2012-01-15", "party_official_date": "2013-01-14"},
            "party_official_date",
            "VR22",
            "ERROR",
        ),
        ({"highest_degree": "TRUNG_CAP"}, "highest_degree", "VR23", "WARN"),
        ({"rank_code": None}, "rank_code", "VR29", "ERROR"),
        ({"source_updated_at": "2026-01-01"}, "source_updated_at", "VR30", "WARN"),
        (VC | {"current_discipline": "BAI_NHIEM"}, "current_discipline", "VR33", "WARN"),
        ({"position_allowance_coef": "0.6"}, "position_allowance_coef", "VR34", "WARN"),
        ({"id_issue_date": "1985-05-17"}, "id_issue_date", "VR35", "ERROR"),
    ],
)
def test_a_broken_rule_is_reported_at_its_field(
    one: CleanOne, changes: dict[str, Any], field: str, rule: str, severity: str
) -> None:
    assert (field, rule, severity) in one(**changes).violations


@pytest.mark.parametrize(
    "changes",
    [
        {"first_recruitment_date": "2003-05-17"},
        {"birth_date": "1985", "first_recruitment_date": "2003-01-01"},
        {"citizen_id": "001065012345", "birth_date": "1965-05-17", "retirement_month": "2026-11-01"},
        {"salary_step": "9", "salary_coefficient": "4.98", "overgrade_pct": "7"},
        {"salary_step": "9", "salary_coefficient": "4.98", "step_effective_date": "2015-01-01", "overgrade_pct": "0"},
        {"step_effective_date": "2023-08-22"},
        {"party_join_date": "2012-01-15", "party_official_date": "2013-01-15"},
        {"job_position_group": "LDQL", "position_allowance_coef": "0.6"},
        VC,
    ],
)
def test_a_borderline_case_breaks_nothing(one: CleanOne, changes: dict[str, Any]) -> None:
    assert one(**changes).violations == set()


def test_a_lost_comma_is_proposed_where_the_ranks_table_has_the_value(one: CleanOne) -> None:
    found = one(salary_coefficient="300")
    assert found.values["salary_coefficient"] is None
    assert found.violations == {("salary_coefficient", "VR16", "REVIEW")}
    assert found.proposals == {("salary_coefficient", "VR16", "3.00")}
    lost = one(salary_coefficient="301")
    assert lost.values["salary_coefficient"] is None
    assert ("salary_coefficient", "UNREADABLE", "ERROR") in lost.violations


def test_a_column_the_source_does_not_have_is_no_rows_fault(cleaned: Clean) -> None:
    given = {name: value for name, value in GOOD.items() if name != "rank_code"}
    assert "VR29" not in cleaned(pl.DataFrame([given])).violations["rule"].to_list()
