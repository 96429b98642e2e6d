"""Rules, mappings and reference tables together: clean data in any layout passes the rules unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl
import pytest

from sync.rule.batch import checks, steps
from sync.rule.cleaning import clean
from sync.rule.mapping import map_columns
from sync.rule.model import Cleaned, Reference, SourceMapping
from sync.schema.dataset import Dataset, datasets, load
from sync.schema.reference import load_reference

TODAY = date(2026, 11, 22)
PERSON: Mapping[str, str] = {
    "citizen_id": "001190000123",
    "id_issue_date": "2021-05-17",
    "id_issue_place": "Cục Cảnh sát quản lý hành chính về trật tự xã hội",
    "employee_code": "HN-000123",
    "full_name": "Trần Thị Kiểm Thử",
    "birth_date": "1990-03-08",
    "birth_date_precision": "0",
    "gender": "2",
    "ethnic_code": "02",
    "religion_code": "00",
    "nationality_code": "VN",
    "marital_status": "2",
    "native_place_province": "01",
    "native_place_commune": "00004",
    "permanent_province": "01",
    "permanent_commune": "00008",
    "permanent_address": "Số 1 phố Thử Nghiệm",
    "phone": "0912345678",
    "managing_agency_code": "H26",
    "employing_unit_code": "H26.01",
    "personnel_type": "CC",
    "payroll_quota_type": "BC_CC",
    "first_recruitment_date": "2014-09-01",
    "recruiting_agency": "Sở Nội vụ thành phố Hà Nội",
    "recruitment_method": "THI_TUYEN",
    "current_unit_start_date": "2014-09-01",
    "employment_status": "DANG_LAM_VIEC",
    "status_effective_date": "2014-09-01",
    "job_position_code": "CC-001",
    "job_position_group": "CMNV",
    "rank_code": "01.003",
    "rank_appointed_date": "2015-09-01",
    "salary_group": "A1",
    "salary_step": "3",
    "salary_coefficient": "3.00",
    "step_effective_date": "2025-09-01",
    "general_education": "12/12",
    "highest_degree": "DAI_HOC",
    "major": "Quản lý nhà nước",
    "is_party_member": "false",
    "latest_rating": "TOT",
    "rating_year": "2025",
    "source_updated_at": "2026-11-01T08:00:00Z",
}
SPELLED_OUT = {"ethnic_code": "Tày", "religion_code": "Không"}
"""What layouts that write names instead of codes hold for ``PERSON``."""


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference()


def written(mapping: SourceMapping, *, names: bool, comma: bool) -> pl.DataFrame:
    """``PERSON`` as one row of text in the columns and notation of a layout."""
    row: dict[str, list[str | None]] = {}
    for entry in mapping.fields:
        if entry.column is None:
            continue
        text = PERSON.get(entry.field)
        recoded = {code: source for source, code in entry.values.items()}
        if text is not None and text in recoded:
            text = recoded[text]
        elif text is not None and names and entry.field in SPELLED_OUT:
            text = SPELLED_OUT[entry.field]
        elif text is not None and mapping.date_format == "dmy" and entry.field.endswith("_date"):
            text = "/".join(reversed(text.split("-")))
        elif text is not None and comma and entry.field == "salary_coefficient":
            text = text.replace(".", ",")
        row[entry.column] = [text]
    return pl.DataFrame(row, schema=dict.fromkeys(row, pl.String))


def cleaned(dataset: Dataset, mapping: SourceMapping, rows: pl.DataFrame, reference: Reference) -> Cleaned:
    frame = map_columns(rows, mapping)
    return clean(frame, dataset.fields, dataset.rules, reference, TODAY, date_format=mapping.date_format)


@pytest.mark.parametrize(
    ("name", "names", "comma"),
    [
        ("canonical", False, False),
        ("ministry", False, False),
        ("vn_short", True, False),
        ("staff_message", False, False),
        ("vn_title", True, True),
    ],
)
def test_a_clean_person_passes_in_every_layout_and_arrives_the_same(
    name: str, names: bool, comma: bool, reference: Reference
) -> None:
    dataset = load("civil_servant")
    mapping = dataset.mapping(name)

    result = cleaned(dataset, mapping, written(mapping, names=names, comma=comma), reference)

    assert result.violations.rows() == []
    assert result.fixes.rows() == []
    mapped = {entry.field for entry in mapping.fields} | {"birth_date_precision"}
    values = result.frame.select(pl.all().cast(pl.String)).row(0, named=True)
    expected = {field: text for field, text in PERSON.items() if field in mapped and field != "source_updated_at"}
    assert {field: values[field] for field in expected} == expected


def test_the_published_administrative_units_pass_the_rules_unchanged(reference: Reference) -> None:
    dataset = load("administrative_unit")
    mapping = dataset.mapping("ministry")
    table = load_reference(["administrative_units"]).table("administrative_units")
    rows = table.rename({entry.field: entry.column for entry in mapping.fields if entry.column})

    result = cleaned(dataset, mapping, rows, reference)

    assert result.violations.rows() == []
    assert result.fixes.rows() == []
    back = result.frame.with_columns(pl.col("source_updated_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert back.select(pl.all().cast(pl.String)).equals(table)


@pytest.mark.parametrize("dataset", datasets())
def test_bound_steps_and_checks_exist(dataset: str) -> None:
    rules = load(dataset).rules

    assert {spec.step for spec in rules.clean} <= set(steps())
    assert {spec.function for spec in rules.rules if spec.function} <= set(checks())


@pytest.mark.parametrize("dataset", datasets())
def test_whatever_cleaning_may_report_has_a_message(dataset: str) -> None:
    rules = load(dataset).rules
    reported = {spec.rule for spec in rules.clean} | {"UNREADABLE"}
    reported |= {str(spec.params["refuse"]) for spec in rules.clean if "refuse" in spec.params}
    reported |= {"CATALOGUE"} if any(spec.step in ("enum", "catalogue") for spec in rules.clean) else set()

    assert reported <= rules.by_id.keys()


@pytest.mark.parametrize("name", ["canonical", "ministry", "vn_short", "staff_message", "vn_title"])
def test_the_ministrys_own_agency_passes_as_a_unit(name: str, reference: Reference) -> None:
    dataset = load("organization_unit")
    mapping = dataset.mapping(name)
    unit = {
        "agency_code": "G09",
        "name": "Bộ Nội vụ",
        "level": "TW",
        "org_type": "HC",
        "status": "HOAT_DONG",
        "commune_code": "00008",
        "province_code": "01",
        "quota_assigned": "700",
        "source_updated_at": "2026-11-01T08:00:00Z",
    }
    codes = {entry.field: {code: text for text, code in entry.values.items()} for entry in mapping.fields}
    row = {
        entry.column: [codes[entry.field].get(unit.get(entry.field, ""), unit.get(entry.field))]
        for entry in mapping.fields
        if entry.column
    }

    result = cleaned(dataset, mapping, pl.DataFrame(row, schema=dict.fromkeys(row, pl.String)), reference)

    assert result.violations.rows() == []
    assert result.fixes.rows() == []
    assert result.frame["quota_assigned"].to_list() == [700]
