"""Expressions in rules.yaml: a mistake is told with file, line, column and remedy when the dataset is loaded."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from sync.errors import ConfigError
from sync.rule.cleaning import clean
from sync.schema.dataset import load
from sync.schema.location import ENVIRONMENT, schemas_root
from sync.schema.reference import load_reference

FILE = "organization_unit/rules.yaml"
RULE = """
  - id: ORG1
    version: 3
    severity: WARN
    criterion: consistency
    expression: {expression}
    basis: a test
    message: {{vi: "Vượt", en: "Exceeded"}}
"""


@pytest.fixture
def schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the schemas that a test may change."""
    copy = tmp_path / "schemas"
    shutil.copytree(schemas_root(), copy)
    monkeypatch.setenv(ENVIRONMENT, str(copy))
    return copy


def add(root: Path, text: str, *, define: str = "") -> None:
    path = root / FILE
    path.write_text(define + path.read_text(encoding="utf-8") + text, encoding="utf-8")


def place_of(root: Path, word: str) -> str:
    """Line and column of the only place of a word."""
    text = (root / FILE).read_text(encoding="utf-8")
    assert text.count(word) == 1
    index = text.index(word)
    return f"line {text.count(chr(10), 0, index) + 1}, column {index - text.rfind(chr(10), 0, index)}"


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("headcount_actual <= quota_asigned", "quota_asigned"),
        ('"headcount_actual <= quota_asigned"', "quota_asigned"),
        ("'level <> ''TW'' OR headcount_actual <= quota_asigned'", "quota_asigned"),
        ("headcount_actual\n      <= quota_asigned", "quota_asigned"),
        ("|\n      headcount_actual\n      <= quota_asigned", "quota_asigned"),
        (">\n      headcount_actual\n      <= quota_asigned", "quota_asigned"),
        ("valid_from <= '2025-07-01'", "valid_from <="),
        ("status = 'HOAT_DOMG'", "'HOAT_DOMG'"),
        ("level NOT IN ('TW', 'TINHH')", "'TINHH'"),
        ("parent_code IN (SELECT code FROM agency)", "agency)"),
    ],
)
def test_a_mistake_in_an_expression_is_told_with_line_and_column(schemas: Path, expression: str, word: str) -> None:
    add(schemas, RULE.format(expression=expression))

    with pytest.raises(ConfigError) as caught:
        load("organization_unit")

    assert str(caught.value).startswith(f"{FILE}: {place_of(schemas, word)}: rules[")
    assert caught.value.hint


def test_definitions_that_go_in_a_circle_are_told(schemas: Path) -> None:
    define = "define:\n  small: quota_assigned < 10 AND fine\n  fine: NOT small\n"
    add(schemas, RULE.format(expression="small"), define=define)

    with pytest.raises(ConfigError, match=r"line 3, column 9: define\.fine: .* small → fine → small\. Remedy: "):
        load("organization_unit")


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("version: 3", "version: x", "version", "no version"),
        ("criterion: consistency", "criterion: beauty", "criterion", "beauty is not known"),
        ("basis: a test", "as_of: name", "as_of", "name is no date field"),
        ("basis: a test", "valid_from: soon", "valid_from", "no date"),
        ("basis: a test", "check: VR13", "", "both an expression and a check"),
        ("severity: WARN", "severity: FIX", "severity", "fixes nothing"),
        ("id: ORG1", "id: VR13", "", "VR13 has two versions"),
    ],
)
def test_a_mistake_around_an_expression_is_told(schemas: Path, old: str, new: str, place: str, problem: str) -> None:
    add(schemas, RULE.format(expression="headcount_actual <= quota_assigned").replace(old, new))

    with pytest.raises(ConfigError) as caught:
        load("organization_unit")

    assert problem in str(caught.value)
    assert (caught.value.field or "").endswith(place)
    assert caught.value.hint


def test_a_wrong_key_or_type_of_a_reference_table_is_told(schemas: Path) -> None:
    (schemas / "reference/tables.yaml").write_text("ranks: {key: [rank]}\n", encoding="utf-8")
    add(schemas, RULE.format(expression="lookup('ranks', 'name', name) IS NULL"))

    with pytest.raises(ConfigError, match=r"reference/tables\.yaml: ranks: the table has no column rank"):
        load("organization_unit")


def violations(root: Path, rule: str, **values: str | int) -> list[tuple[str, str]]:
    add(root, rule)
    dataset = load("organization_unit")
    frame = pl.DataFrame({name: [str(value)] for name, value in values.items()})
    found = clean(frame, dataset.fields, dataset.rules, load_reference(), date(2026, 11, 22)).violations
    return [(field, name) for _, field, name, _ in found.rows() if name == "ORG1"]


def test_a_broken_condition_is_reported_at_its_first_field(schemas: Path) -> None:
    rule = RULE.format(expression="headcount_actual <= quota_assigned")

    assert violations(schemas, rule, quota_assigned=3, headcount_actual=4) == [("quota_assigned", "ORG1")]


def test_a_condition_that_is_unknown_is_kept(schemas: Path) -> None:
    rule = RULE.format(expression="headcount_actual <= quota_assigned")

    assert violations(schemas, rule, headcount_actual=4) == []


@pytest.mark.parametrize(("since", "found"), [("2026-11-22", 1), ("2026-11-23", 0)])
def test_a_rule_is_in_force_from_its_day(schemas: Path, since: str, found: int) -> None:
    rule = RULE.format(expression="headcount_actual <= quota_assigned").replace("basis: a test", f"valid_from: {since}")

    assert len(violations(schemas, rule, quota_assigned=3, headcount_actual=4)) == found


@pytest.mark.parametrize(("day", "found"), [("2025-06-30", 1), ("2025-07-01", 0), (None, 0)])
def test_a_rule_is_judged_by_the_records_date(schemas: Path, day: str | None, found: int) -> None:
    rule = RULE.format(expression="headcount_actual <= quota_assigned").replace(
        "basis: a test", "valid_to: 2025-06-30\n    as_of: founding_decision_date"
    )
    values: dict[str, str | int] = {"quota_assigned": 3, "headcount_actual": 4}

    found_at = violations(schemas, rule, **values, **({"founding_decision_date": day} if day else {}))

    assert len(found_at) == found


def test_a_definition_is_computed_once_and_used_by_name(schemas: Path) -> None:
    define = "define:\n  spare: quota_assigned - headcount_actual\n  enough: spare >= 0\n"
    path = schemas / FILE
    path.write_text(define + path.read_text(encoding="utf-8"), encoding="utf-8")

    assert violations(schemas, RULE.format(expression="enough"), quota_assigned=3, headcount_actual=4) == [
        ("quota_assigned", "ORG1")
    ]
