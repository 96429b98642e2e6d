"""Rules that ask for other datasets: what is understood, and what is a mistake when they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.errors import ConfigError
from sync.rule.model import RuleSpec
from sync.rule.relation import Relation, Target
from sync.schema.dataset import load, with_rules

RULE = """
define:
  known: citizen_id IN (SELECT citizen_id FROM golden.population)
  circle: known OR circular
  circular: circle AND known
rules:
  - id: ASKS
    severity: {severity}
    {more}expression: >-
      {expression}
    message: {{vi: x, en: x}}
"""
ASK = "EXISTS (SELECT 1 FROM golden.{})"
UNIT = Target("organization_unit", ("agency_code",))


def loaded(folder: Path, expression: str, severity: str = "WARN", more: str = "", *, circle: bool = False) -> RuleSpec:
    """The rule with this expression, of civil_servant."""
    text = RULE.format(expression=expression, severity=severity, more=more)
    lines = [line for line in text.splitlines() if circle or not line.startswith("  circ")]
    (folder / "rules.yaml").write_text("\n".join(lines), encoding="utf-8")
    return with_rules(load("civil_servant"), folder / "rules.yaml").rules.rules[0]


@pytest.mark.parametrize(
    ("expression", "relation"),
    [
        (
            ASK.format("organization_unit WHERE agency_code = employing_unit_code"),
            Relation(UNIT, ("employing_unit_code",)),
        ),
        (
            "employing_unit_code IN (SELECT agency_code FROM golden.organization_unit WHERE level IN ('XA', 'TW'))",
            Relation(
                Target("organization_unit", ("agency_code",), (("level", ("TW", "XA")),)), ("employing_unit_code",)
            ),
        ),
        (
            "(SELECT count(*) FROM golden.award_history WHERE citizen_id = record.citizen_id AND year = 2025) < 9",
            Relation(Target("award_history", ("citizen_id",), (("year", ("2025.000000",)),)), ("citizen_id",), True),
        ),
        ("NOT known OR gender IS NULL", Relation(Target("population", ("citizen_id",)), ("citizen_id",))),
    ],
)
def test_a_query_on_golden_records_becomes_a_relation(tmp_path: Path, expression: str, relation: Relation) -> None:
    rule = loaded(tmp_path, expression)

    assert rule.relations == (relation,)
    assert set(relation.fields) <= set(rule.fields)


@pytest.mark.parametrize(
    ("expression", "problem", "remedy"),
    [
        (ASK.format("organisation WHERE code = employing_unit_code"), "no dataset organisation", "organization_unit"),
        (ASK.format("organization_unit WHERE code = employing_unit_code"), "columns of its table", "agency_code"),
        (ASK.format("organization_unit WHERE agency_code = birth_date"), "compared with a partial date", "like types"),
        (ASK.format("organization_unit WHERE agency_code = 'H26'"), "compares no field", "WHERE"),
        (ASK.format("organization_unit WHERE agency_code = upper(gender)"), "more than a field", "Name a field"),
        (ASK.format("population WHERE citizen_id = citizen_id"), "a column of population", "record.citizen_id"),
        (
            ASK.format("organization_unit WHERE agency_code = employing_unit_code AND status = 'OPEM'"),
            "OPEM is no code of status",
            "HOAT_DONG",
        ),
        (
            ASK.format("organization_unit WHERE agency_code = employing_unit_code AND status IN ('OPEM')"),
            "OPEM is no code of status",
            "HOAT_DONG",
        ),
        ("EXISTS (SELECT 1 FROM silver.population WHERE citizen_id = gender)", "no silver.population", "golden"),
        ("(SELECT count(*) FROM ranks WHERE code = rank_code) < 2", "only golden records", "golden.dataset"),
        ("(SELECT max(year) FROM golden.award_history) < 2", "not supported", "count(*)"),
        ("circle", "in a circle", "without the others"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_remedy(
    tmp_path: Path, expression: str, problem: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, expression, circle=expression == "circle")

    told = str(raised.value)
    assert told.startswith("rules.yaml: line ")
    assert problem in told
    assert remedy in told


@pytest.mark.parametrize(
    ("severity", "more"), [("ERROR", ""), ("FIX", "set: {gender: \"'1'\"}\n    ")], ids=["error", "fix"]
)
def test_nothing_is_refused_or_repaired_by_what_others_have_now(tmp_path: Path, severity: str, more: str) -> None:
    with pytest.raises(ConfigError, match=r"line 6.*any order") as raised:
        loaded(tmp_path, "known", severity, more)

    assert "WARN" in raised.value.hint


def test_no_value_is_set_by_what_others_have_now(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set\.is_party_member.*other datasets"):
        loaded(tmp_path, "gender IS NULL", "FIX", "set: {is_party_member: known}\n    ")
