"""The whole of cleaning: laws that hold for every input, and the golden file of hard cases.

``DONGBO_GOLDEN=write pytest tests/unit/rule/test_rule_cleaning.py`` rewrites the golden file; read the difference.
"""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sync.errors import ConfigError
from sync.rule.batch import checks, steps
from sync.rule.cleaning import clean
from sync.rule.model import CleanSpec, Reference, RuleSet, RuleSpec
from sync.schema.dataset import Dataset
from tests.unit.rule.conftest import GOOD, TODAY, Clean

GOLDEN = Path(__file__).parents[2] / "golden" / "civil_servant_cleaning.json"

PIECES = [
    *"aăâeêioôơuưyđ ĐÐð¨©«®µ\u00ad\u200b\u00a0\u0300\u0301\u0323.-'/:,0123456789½ÔÊÕ",
    *[
        "Nguyễn",
        "NguyÔn",
        "V¨n",
        "Vaên",
        "Ông ",
        "TS. ",
        "Hoà",
        "Hoaøng",
        "null",
        "không rõ",
        "01/02/1990",
        "1990",
        "26299",
    ],
    *["000.00.00.H26", "H26", "00004", "00007", "74", "79", "Hà Nội", "234", "2,34", "+84", "Nam", "x", "true", "á»…"],
    *[
        "&#7877;",
        "&amp;",
        "Ｎ",
        "０",
        "Sigurðsson",
        "Kðăm",
        "Ã\u00a0",
        "Ã©",
        "ÃƒÂ",
        "Á»",
        "V?n",
        "\ufffd",
        "Taù",
        "Höng",
        "NGUYễN",
    ],
    *[
        "Ông Cao Thắng",
        "K'Brơi",
        "17-MAY-85",
        "00/00/1985",
        "1985-00-00",
        "0000-05-17",
        " - ",
        "Phường 1",
        "Quận 3",
        "/ 0912345678",
    ],
]
texts = st.one_of(
    st.none(), st.sampled_from(PIECES), st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.text(max_size=12)
)
OTHERS = (
    "old_id_card_no phone birth_place_province birth_place_commune current_address blood_group contract_end_date "
    "overgrade_pct height_cm permanent_address other_name"
)
FIELDS = [*GOOD, *OTHERS.split()]
records = st.dictionaries(st.sampled_from(FIELDS), texts, max_size=8).map(lambda changes: GOOD | changes)
laws = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Records as text columns, a column for each field that any of them has."""
    return pl.DataFrame(rows, schema=dict.fromkeys(FIELDS, pl.String))


@laws
@given(st.lists(records, min_size=1, max_size=6))
@example([GOOD | {"nationality_code": "ñC0A"}])
@example([GOOD | {"full_name": "BS.0"}])
@example([GOOD | {"full_name": "AÁ"}])
@example([GOOD | {"full_name": "TS. Ã©9 "}])
@example([GOOD | {"rank_code": "n /a", "citizen_id": "0."}])
def test_cleaning_what_was_cleaned_changes_nothing(cleaned: Clean, rows: list[dict[str, Any]]) -> None:
    first = cleaned(as_frame(rows))
    second = cleaned(first.frame)
    assert_frame_equal(second.frame, first.frame)
    assert second.fixes.is_empty()


@laws
@given(st.lists(records, min_size=2, max_size=5))
def test_what_becomes_of_a_record_does_not_depend_on_its_neighbours(cleaned: Clean, rows: list[dict[str, Any]]) -> None:
    together = cleaned(as_frame(rows))
    for number, row in enumerate(rows):
        alone = cleaned(as_frame([row]))
        assert_frame_equal(alone.frame, together.frame.slice(number, 1))
        for name in ("fixes", "violations", "proposals"):
            found, both = getattr(alone, name), getattr(together, name)
            assert set(found.drop("row").rows()) == set(both.filter(pl.col("row") == number).drop("row").rows())


def test_a_large_batch_gives_each_record_what_it_gets_alone(cleaned: Clean) -> None:
    spoilt = [(field, piece) for field in FIELDS for piece in ("null", " x", "Ð1", "V¨n", "74", "01/02/1990", "2,34")]
    rows = [GOOD | dict([spoilt[number]]) for number in range(0, len(spoilt), 2)]
    together = cleaned(as_frame(rows))
    for number, row in enumerate(rows):
        alone = cleaned(as_frame([row]))
        assert_frame_equal(alone.frame, together.frame.slice(number, 1))
        for name in ("fixes", "violations", "proposals"):
            found, both = getattr(alone, name), getattr(together, name)
            assert found.drop("row").rows() == both.filter(pl.col("row") == number).drop("row").rows()


def test_the_checks_of_a_day_are_not_kept_for_the_next(dataset: Dataset, reference: Reference) -> None:
    def found(today: date) -> set[str]:
        cleaned = clean(as_frame([GOOD]), dataset.fields, dataset.rules, reference, today)
        return set(cleaned.violations["rule"])

    assert "VR30" not in found(TODAY)
    assert "VR30" in found(date(2027, 3, 1))
    assert "VR30" not in found(TODAY)


def test_what_is_wrong_with_a_record_is_told_in_the_order_of_the_rules(cleaned: Clean, dataset: Dataset) -> None:
    bad = {"citizen_id": "999985012345", "full_name": "An", "permanent_commune": "99999", "rank_code": "99.999"}
    order = [rule.id for rule in dataset.rules.rules]
    places = [order.index(rule) for rule in cleaned(as_frame([GOOD | bad])).violations["rule"]]
    assert len(set(places)) >= 4
    assert places == sorted(places)


@laws
@given(st.lists(records, max_size=4))
def test_the_result_has_all_fields_in_order_typed_and_row_by_row(
    cleaned: Clean, dataset: Dataset, rows: list[dict[str, Any]]
) -> None:
    found = cleaned(as_frame(rows))
    assert found.frame.schema == {field.name: field.dtype for field in dataset.fields}
    assert found.frame.height == len(rows)
    where = {"row": pl.UInt32, "field": pl.String, "rule": pl.String}
    assert found.fixes.schema == where | {"old": pl.String, "new": pl.String}
    assert found.violations.schema == where | {"severity": pl.String}
    assert found.proposals.schema == where | {"old": pl.String, "value": pl.String}
    for frame in (found.fixes, found.violations, found.proposals):
        assert frame["row"].is_sorted()
        assert frame.is_unique().all()


def test_a_source_of_other_types_gives_the_same_as_text(cleaned: Clean) -> None:
    native = {
        **GOOD,
        "gender": 1,
        "salary_step": 3,
        "salary_coefficient": 3.0,
        "is_party_member": True,
        "first_recruitment_date": date(2010, 2, 1),
        "birth_date": date(1985, 5, 17),
    }
    assert_frame_equal(cleaned(pl.DataFrame([native])).frame, cleaned(pl.DataFrame([GOOD])).frame)


def test_columns_of_nulls_and_strange_columns_do_no_harm(cleaned: Clean) -> None:
    frame = pl.DataFrame({"full_name": [None, None], "_row": ["a", "b"], "birth_date": [None, None]})
    assert cleaned(frame).frame.height == 2


def test_other_columns_are_ignored_and_no_rows_are_no_problem(cleaned: Clean) -> None:
    assert cleaned(pl.DataFrame({"full_name": []}, schema={"full_name": pl.String})).frame.height == 0


@pytest.mark.parametrize(
    "rules",
    [
        RuleSet(clean=(CleanSpec("no_such_step", "VR10"),)),
        RuleSet(rules=(RuleSpec("VR99", "ERROR", "", ""),)),
    ],
)
def test_an_unknown_step_or_check_is_a_config_error(dataset: Dataset, reference: Reference, rules: RuleSet) -> None:
    with pytest.raises(ConfigError, match="There is no"):
        clean(pl.DataFrame([GOOD]), dataset.fields, rules, reference, TODAY)


def test_a_missing_reference_table_is_a_config_error_naming_it(dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="tcvn3_map"):
        clean(pl.DataFrame([GOOD]), dataset.fields, dataset.rules, Reference({}), TODAY)


def test_types_are_right_without_any_step(dataset: Dataset, reference: Reference) -> None:
    found = clean(pl.DataFrame([GOOD]), dataset.fields, RuleSet(), reference, TODAY)
    assert found.frame.schema == {field.name: field.dtype for field in dataset.fields}


def test_the_checks_and_steps_of_all_families_are_found() -> None:
    assert {"VR01", "VR13", "VR24", "VR27", "VR29"} <= set(checks())
    assert {"text", "date", "number", "identifier", "place"} <= set(steps())


def test_the_hard_cases_come_out_as_in_the_golden_file(cleaned: Clean) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    wrong = []
    for case in golden:
        record = GOOD | case["given"]
        found = cleaned(pl.DataFrame([record], schema=dict.fromkeys(record)))
        plain = cleaned(pl.DataFrame([GOOD])).frame.row(0, named=True)
        values = found.frame.row(0, named=True)
        became = {
            "values": {
                n: str(v) if v is not None else None for n, v in values.items() if n in case["given"] or v != plain[n]
            },
            "fixes": sorted(f"{field} {rule}" for _, field, rule, *_ in found.fixes.rows()),
            "violations": sorted(f"{field} {rule} {severity}" for _, field, rule, severity in found.violations.rows()),
            "proposals": [f"{field} {rule}: {old} → {value}" for _, field, rule, old, value in found.proposals.rows()],
        }
        if became != {key: case.get(key) for key in became}:
            wrong.append(case["case"])
            case.update(became)
    if os.environ.get("DONGBO_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    else:
        assert wrong == []
