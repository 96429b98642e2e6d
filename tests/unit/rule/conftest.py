"""The civil servants' rules with the shipped reference tables, and a clean record to spoil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pytest

from sync.rule.cleaning import clean
from sync.rule.model import Cleaned, Reference
from sync.schema.dataset import Dataset, load
from sync.schema.reference import load_reference

TODAY = date(2026, 11, 22)

GOOD: dict[str, Any] = {
    "citizen_id": "001085012345",
    "employee_code": "NV001",
    "full_name": "Nguyễn Văn An",
    "birth_date": "1985-05-17",
    "gender": "1",
    "ethnic_code": "01",
    "religion_code": "00",
    "nationality_code": "VN",
    "permanent_province": "01",
    "permanent_commune": "00004",
    "managing_agency_code": "H26",
    "employing_unit_code": "H26.12",
    "personnel_type": "CC",
    "payroll_quota_type": "BC_CC",
    "first_recruitment_date": "2010-02-01",
    "current_unit_start_date": "2015-02-01",
    "employment_status": "DANG_LAM_VIEC",
    "status_effective_date": "2015-02-01",
    "job_position_group": "CMNV",
    "rank_code": "01.003",
    "salary_group": "A1",
    "salary_step": "3",
    "salary_coefficient": "3.00",
    "step_effective_date": "2025-02-01",
    "highest_degree": "DAI_HOC",
    "is_party_member": "true",
    "source_updated_at": "2026-11-01T08:00:00Z",
}
"""A record without any fault, as text."""


@dataclass(frozen=True)
class One:
    """What became of one record."""

    values: dict[str, Any]
    fixes: set[tuple[str, str]]
    violations: set[tuple[str, str, str]]
    proposals: set[tuple[str, str, str | None]]

    @property
    def rules(self) -> set[str]:
        """Ids of the rules it breaks."""
        return {rule for _, rule, _ in self.violations}


Clean = Callable[[pl.DataFrame], Cleaned]
CleanOne = Callable[..., One]


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return load("civil_servant")


@pytest.fixture(scope="session")
def reference() -> Reference:
    return load_reference()


@pytest.fixture(scope="session")
def cleaned(dataset: Dataset, reference: Reference) -> Clean:
    """Clean a frame by the civil servants' rules on 2026-11-22."""
    return lambda frame: clean(frame, dataset.fields, dataset.rules, reference, TODAY)


@pytest.fixture(scope="session")
def one(cleaned: Clean) -> CleanOne:
    """Clean the good record with some fields replaced."""

    def run(**changes: Any) -> One:
        record = GOOD | changes
        found = cleaned(pl.DataFrame([record], schema=dict.fromkeys(record)))
        return One(
            found.frame.row(0, named=True),
            {(field, rule) for _, field, rule, *_ in found.fixes.rows()},
            {(field, rule, severity) for _, field, rule, severity in found.violations.rows()},
            {(field, rule, value) for _, field, rule, _, value in found.proposals.rows()},
        )

    return run
