"""Expressions in rules.yaml: a mistake is told with file, line, column and remedy when the dataset is loaded."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from sync.errors import ConfigError
from sync.rule.cleaning import clean
from sync.rule.model import Cleaned
from sync.schema.dataset import load
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
        ("basis: a test", "set: {quota_assigned: headcount_actual}", "set", "without an expression or severity FIX"),
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

    with pytest.raises(
        ConfigError, match=r"reference/tables\.yaml: line 1, column \d+: ranks: the table has no column rank"
    ):
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


FIXING = RULE.replace("severity: WARN", "severity: FIX").replace("basis: a test", "set: {sets}")


@pytest.mark.parametrize(
    ("sets", "word", "problem"),
    [
        ("{quota_asigned: headcount_actual}", "", "no field quota_asigned"),
        ("{quota_assigned: headcounts}", "headcounts}", "no field headcounts"),
        ("{quota_assigned: name}", "", "quota_assigned is a whole number, the value text"),
        ("{quota_assigned: 3}", "", "found int, not text"),
        ("""{status: "'HOAT_DOMG'"}""", "", "status has no such code"),
        ("[quota_assigned]", "", "found list"),
    ],
)
def test_a_mistake_in_what_a_rule_sets_is_told(schemas: Path, sets: str, word: str, problem: str) -> None:
    add(schemas, FIXING.replace("{sets}", sets.replace("{", "{{").replace("}", "}}")).format(expression="level = 'TW'"))

    with pytest.raises(ConfigError) as caught:
        load("organization_unit")

    assert str(caught.value).startswith(f"{FILE}: " + (f"{place_of(schemas, word)}: " if word else ""))
    assert problem in str(caught.value)
    assert caught.value.hint


def repaired(root: Path, expression: str, sets: str, **values: str | int | None) -> tuple[Cleaned, Cleaned]:
    """A record cleaned by a rule that sets something, and what that gives cleaned once more."""
    add(root, FIXING.replace("{sets}", sets.replace("{", "{{").replace("}", "}}")).format(expression=expression))
    dataset = load("organization_unit")
    frame = pl.DataFrame({name: [value] for name, value in values.items()}, schema=dict.fromkeys(values, pl.String))

    def cleaned(found: pl.DataFrame) -> Cleaned:
        return clean(found, dataset.fields, dataset.rules, load_reference(), date(2026, 11, 22))

    once = cleaned(frame)
    return once, cleaned(once.frame)


def told(found: pl.DataFrame) -> list[tuple[object, ...]]:
    return [row[1:] for row in found.rows() if "ORG1" in row]


def test_a_rule_sets_what_it_says_and_tells_it_as_a_fix_once(schemas: Path) -> None:
    once, again = repaired(
        schemas,
        "headcount_actual <= quota_assigned",
        "{headcount_actual: quota_assigned}",
        headcount_actual="4",
        quota_assigned="3",
    )

    assert once.frame["headcount_actual"].to_list() == [3]
    assert told(once.fixes) == [("headcount_actual", "ORG1", "4", "3")]
    assert told(once.violations) == told(again.fixes) == told(again.violations) == []


def test_a_field_that_the_source_left_empty_is_set_and_judged_by_the_other_rules(schemas: Path) -> None:
    once, _ = repaired(
        schemas, "status IS NOT NULL OR valid_to IS NOT NULL", """{status: "'HOAT_DONG'"}""", name="Sở A", status=None
    )

    assert once.frame["status"].to_list() == ["HOAT_DONG"]
    assert told(once.fixes) == [("status", "ORG1", None, "HOAT_DONG")]
    assert ("status", "VR29") not in [row[1:3] for row in once.violations.rows()]


@pytest.mark.parametrize(
    ("expression", "sets"),
    [
        ("headcount_actual <= 3", "{headcount_actual: quota_assigned}"),
        ("headcount_actual <= 3", "{headcount_actual: headcount_actual - 1}"),
    ],
    ids=["the new value is not known", "the record would be as wrong as before"],
)
def test_what_a_rule_cannot_repair_stays_and_is_a_warning(schemas: Path, expression: str, sets: str) -> None:
    once, _ = repaired(schemas, expression, sets, headcount_actual="5", quota_assigned=None)

    assert once.frame["headcount_actual"].to_list() == [5]
    assert told(once.fixes) == []
    assert told(once.violations) == [("headcount_actual", "ORG1", "WARN")]


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("step: enum", "step: enums", "clean[4].step", "no cleaning step enums"),
        ("id: VR29", "id: VR99", "rules", "no check VR99"),
        ('check: ""', "check: VR99", "rules[0].check", "no check VR99"),
    ],
)
def test_a_step_or_check_that_does_not_exist_is_told_at_load(
    schemas: Path, old: str, new: str, place: str, problem: str
) -> None:
    path = schemas / FILE
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load("organization_unit")

    assert problem in str(caught.value)
    assert place in str(caught.value)
    assert caught.value.hint
