"""The declarative files under ``schemas/``: complete, consistent with one another, in correct Unicode."""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter
from typing import Any

import polars as pl
import pytest

from sync.rule.model import Reference
from sync.schema.catalogue import children, databases, entries, registers
from sync.schema.dataset import Dataset, datasets, load
from sync.schema.location import schemas_root
from sync.schema.reference import agency_province, load_reference, localities

DERIVED_BY_CLEANING = {"birth_date_precision"}
REPORTED_SEPARATELY = {"citizen_id"}
"""A missing citizen id is NO_ID (a person decides), not VR29."""


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference()


@pytest.fixture(scope="module")
def units() -> pl.DataFrame:
    return load_reference(["administrative_units"]).table("administrative_units")


@pytest.fixture(params=datasets())
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return load(request.param)


def test_every_database_and_every_repeating_group_has_a_dataset() -> None:
    assert [entry.dataset for entry in entries()] == [entry.id for entry in entries()]
    assert sorted(entry.id for entry in entries()) == list(datasets())
    assert (len(databases()), len(registers()), len(children())) == (25, 1, 16)


def test_the_personnel_record_has_its_109_fields_in_six_groups() -> None:
    groups = Counter(field["dongbo.group"] for field in load("civil_servant").schema["fields"])

    assert list(groups.items()) == [
        ("identity", 34),
        ("position", 28),
        ("salary", 15),
        ("qualification", 15),
        ("political", 9),
        ("evaluation", 8),
    ]


def test_fields_shared_by_register_and_personnel_record_have_the_same_type() -> None:
    own = {field["name"]: field for field in load("civil_servant").schema["fields"]}
    register = {field["name"]: field for field in load("population").schema["fields"]}
    shared = own.keys() & register.keys()

    assert len(shared) == 20
    for name in shared:
        assert (own[name]["type"], own[name]["dongbo.type"]) == (register[name]["type"], register[name]["dongbo.type"])


def test_every_field_is_documented_in_both_languages(dataset: Dataset) -> None:
    for field in dataset.schema["fields"]:
        assert field["doc"] == f"{field['doc.vi']} — {field['doc.en']}"
        assert field["dongbo.class"] in ("basic", "sensitive", "none")
        assert field["dongbo.authority"]


def test_all_files_are_nfc_without_invisible_characters() -> None:
    for path in schemas_root().rglob("*"):
        if not path.is_file() or path.name in ("tcvn3_map.csv", "vni_map.csv"):
            continue
        text = path.read_text(encoding="utf-8")
        assert unicodedata.is_normalized("NFC", text), path
        assert not set(text) & set("\u00a0\u00ad\u200b\ufeff\u00d0\u00f0\r"), path


def test_every_field_outside_the_key_is_merged_by_exactly_one_group(dataset: Dataset) -> None:
    merged = [name for group in dataset.policy.groups for name in group.fields]

    assert Counter(merged) == Counter(field.name for field in dataset.fields if field.name not in dataset.key)


def test_required_fields_of_a_dataset_are_checked(dataset: Dataset) -> None:
    required = {field.name for field in dataset.fields if field.required}
    # Bound without fields, VR29 asks for all that the schema requires.
    checked = {name for rule in dataset.rules.rules if rule.id == "VR29" for name in rule.fields or required}
    reported = {name for rule in dataset.rules.rules if rule.id == "NO_ID" for name in rule.fields}

    assert checked | reported >= required


def test_at_least_twenty_of_the_ministrys_rules_are_bound_to_the_personnel_record() -> None:
    rules = {rule.id for rule in load("civil_servant").rules.rules}

    assert len({rule for rule in rules if rule.startswith("VR")}) >= 20
    assert {"NO_ID", "UNREADABLE"} <= rules


@pytest.mark.parametrize("mapping", ["ministry", "canonical"])
def test_the_ministry_and_the_return_tables_map_all_109_fields(mapping: str) -> None:
    dataset = load("civil_servant")

    assert [entry.field for entry in dataset.mapping(mapping).fields] == [field.name for field in dataset.fields]


@pytest.mark.parametrize("mapping", ["vn_short", "staff_message", "vn_title"])
def test_a_locality_maps_forty_to_sixty_columns_and_all_that_is_required(mapping: str) -> None:
    dataset = load("civil_servant")
    mapped = {entry.field for entry in dataset.mapping(mapping).fields}

    assert 40 <= len(mapped) <= 60
    assert mapped >= {field.name for field in dataset.fields if field.required} - DERIVED_BY_CLEANING


def test_no_mapping_reads_a_column_twice(dataset: Dataset) -> None:
    for mapping in dataset.mappings.values():
        columns = [entry.column for entry in mapping.fields if entry.column]
        assert len(columns) == len(set(columns)), mapping.name


def test_mappings_recode_to_codes_of_the_schema(dataset: Dataset) -> None:
    codes = _codes(dataset)
    for mapping in dataset.mappings.values():
        for entry in mapping.fields:
            if entry.field in codes:
                assert set(entry.values.values()) <= codes[entry.field], (mapping.name, entry.field)


def test_all_35_rules_have_a_criterion_a_basis_and_both_messages() -> None:
    rules = load("civil_servant").rules.rules
    bound = {rule.id for rule in rules} | {rule.id for rule in load("organization_unit").rules.rules}

    assert bound >= {f"VR{number:02}" for number in range(1, 36)}
    assert [rule.id for rule in rules if not (rule.criterion and rule.basis)] == []


def test_enumerations_agree_with_the_codes_documented_in_the_schemas(reference: Reference) -> None:
    table = reference.table("enumerations", "dataset", "field", "code", "name", "name_en", "aliases")
    documented = {
        (dataset, field["name"], code, meaning)
        for dataset in ("civil_servant", "organization_unit", "administrative_unit")
        for field in load(dataset).schema["fields"]
        for code, meaning in field.get("dongbo.values", {}).items()
    }

    assert {(d, f, c, f"{name} — {en}") for d, f, c, name, en, _ in table.iter_rows()} == documented


def test_the_catalogue_lists_the_25_databases() -> None:
    found = databases()

    assert Counter(database.cls for database in found) == {"national": 11, "specialised": 14}
    assert len({database.id for database in found}) == 25


def test_the_16_repeating_groups_belong_to_the_personnel_record_and_lead_to_it() -> None:
    for child in children():
        assert child.parent == "civil_servant"
        assert child.key[:1] == load("civil_servant").key


def test_catalogue_and_datasets_agree_on_keys_and_on_the_class_of_personal_data(dataset: Dataset) -> None:
    (entry,) = (entry for entry in entries() if entry.dataset == dataset.id)
    classes = {field.cls for field in dataset.fields}

    assert entry.key == dataset.key
    assert entry.sensitivity == next(cls for cls in ("sensitive", "basic", "none") if cls in classes)


@pytest.mark.parametrize(
    ("name", "sensitive"),
    [
        ("martyr_dna", {"sample_id", "profile_ref", "relative_citizen_id", "match_status"}),
        ("worker", {"ethnic_code"}),
        ("merit_beneficiary", {"injury_pct", "category"}),
        ("social_security", {"disability_level", "poverty_status", "bank_account_ref"}),
        ("occupational_accident", {"victim_citizen_ids"}),
        ("discipline_history", {"form", "reason"}),
        ("family_members", {"political_background"}),
    ],
)
def test_health_genes_origin_and_the_like_are_sensitive(name: str, sensitive: set[str]) -> None:
    assert {field.name for field in load(name).fields if field.cls == "sensitive"} >= sensitive


def test_genetic_data_reach_no_province() -> None:
    assert load("martyr_dna").policy.distribution == "centre"


def test_merit_categories_are_the_twelve_points_and_the_relatives(reference: Reference) -> None:
    codes = reference.table("merit_categories", "code", "name", "least_injury_pct")["code"].to_list()

    assert codes == ["a", "b", "c", "d", "đ", "e", "g", "h", "i", "k", "l", "m", "kh.2"]


def test_reference_tables_have_the_published_sizes(reference: Reference) -> None:
    sizes = {name: reference.table(name).height for name in reference.tables}

    assert (sizes["provinces"], sizes["provinces_old"], sizes["communes"]) == (34, 63, 3321)
    assert (sizes["commune_resolution"], sizes["districts_old"], sizes["agencies"]) == (10054, 696, 91)
    assert (sizes["ranks"], sizes["salary_grades"], sizes["ethnic_groups"]) == (238, 95, 56)


def test_code_lists_refer_to_codes_that_exist(reference: Reference) -> None:
    provinces = set(localities(reference))
    communes = reference.table("communes")
    resolution = reference.table("commune_resolution")
    groups = set(reference.table("salary_grades")["group"].to_list())

    assert set(communes["province_code"].to_list()) == provinces
    assert set(reference.table("provinces_old")["new_province_code"].to_list()) == provinces
    assert set(resolution["new_province_code"].to_list()) <= provinces
    assert set(resolution["resolved_new_code"].drop_nulls().to_list()) <= set(communes["code"].to_list())
    assert set(reference.table("ranks")["salary_group"].drop_nulls().to_list()) <= groups


def test_a_commune_resolves_inside_its_new_province(reference: Reference) -> None:
    communes = reference.table("communes").select("code", "province_code")
    resolved = reference.table("commune_resolution").join(communes, left_on="resolved_new_code", right_on="code")

    assert resolved.height == 9595 + 58
    assert (resolved["province_code"] == resolved["new_province_code"]).all()


def test_every_old_province_agency_belongs_to_a_province_and_no_ministry_does(reference: Reference) -> None:
    relation = agency_province(reference)

    assert len(relation) == 63
    assert all(code.startswith("H") for code in relation)
    assert set(relation.values()) == set(localities(reference))
    assert (relation["H26"], relation["H49"], "G09" in relation) == ("01", "22", False)


def test_administrative_units_hold_both_ages(units: pl.DataFrame) -> None:
    sizes = {(row[0], row[1]): row[2] for row in units.group_by("vintage", "level").len().iter_rows()}

    assert sizes == {
        ("QD19_2025", "province"): 34,
        ("QD19_2025", "commune"): 3321,
        ("GSO2004", "province"): 63,
        ("GSO2004", "district"): 696,
        ("GSO2004", "commune"): 10054,
    }
    assert units.select("unit_code", "vintage").is_duplicated().sum() == 0
    assert units.columns == [field.name for field in load("administrative_unit").fields]


def test_administrative_units_of_2026_count_697_wards_and_seven_cities(units: pl.DataFrame) -> None:
    new = units.filter(pl.col("vintage") == "QD19_2025")
    types = Counter(new["unit_type"].to_list())

    assert types == {"XA": 2611, "PHUONG": 697, "DAC_KHU": 13, "TINH": 27, "THANH_PHO": 7}


def test_predecessors_and_successors_exist_and_mirror_each_other(units: pl.DataFrame) -> None:
    codes = {vintage: set(group["unit_code"].to_list()) for (vintage,), group in units.group_by("vintage")}
    forward = _pairs(units, "GSO2004", "successor_codes")
    backward = {(old, new) for new, old in _pairs(units, "QD19_2025", "predecessor_codes")}
    districts = set(units.filter(pl.col("level") == "district")["unit_code"].to_list())

    assert {new for _, new in forward} <= codes["QD19_2025"]
    assert {old for old, _ in backward} <= codes["GSO2004"]
    assert {pair for pair in forward if pair[0] not in districts} == {
        pair for pair in backward if pair[0] not in districts
    }
    assert {pair for pair in backward if pair[0] in districts} <= forward


def test_parents_exist_in_the_same_list(units: pl.DataFrame) -> None:
    parents = units.select(pl.col("unit_code").alias("parent_code"), "vintage")
    orphans = units.filter(pl.col("parent_code").is_not_null()).join(parents, on=["parent_code", "vintage"], how="anti")

    assert orphans.height == 0
    assert units.filter(pl.col("parent_code").is_null())["level"].unique().to_list() == ["province"]


def test_legacy_encoding_tables_keep_the_soft_hyphen() -> None:
    with (schemas_root() / "reference" / "tcvn3_map.csv").open(encoding="utf-8", newline="") as handle:
        letters = {row["latin1_char"]: row["unicode"] for row in csv.DictReader(handle)}

    assert len(letters) == 74
    assert letters["\u00ad"] == "ư"


def _codes(dataset: Dataset) -> dict[str, set[str]]:
    fields: list[dict[str, Any]] = dataset.schema["fields"]
    return {field["name"]: set(field["dongbo.values"]) for field in fields if "dongbo.values" in field}


def _pairs(units: pl.DataFrame, vintage: str, column: str) -> set[tuple[str, str]]:
    rows = units.filter(pl.col("vintage") == vintage).select("unit_code", column).drop_nulls().iter_rows()
    return {(code, other) for code, others in rows for other in others.split(";")}
