"""The commands ``rule …``: what they tell, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sync.cli import app
from sync.schema.location import schemas_root
from tests.unit.rule.conftest import GOOD


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["rule", *arguments], env={"COLUMNS": "250"})


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A good record and one with two faults."""
    file = tmp_path / "records.jsonl"
    lines = [GOOD, GOOD | {"salary_coefficient": "3.33", "source_updated_at": "2026-01-01", "is_party_member": True}]
    file.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return file


def test_list_tells_every_rule_with_its_version_and_condition() -> None:
    told = run("list", "civil_servant", "--json")

    rows = json.loads(told.stdout)
    assert {"VR01@1", "VR07@1", "VR31@1", "VR35@1"} <= {row["rule"] for row in rows}
    found = [row for row in rows if row["rule"] == "VR20@1"]
    assert [row["expression"] for row in found] == ["personnel_type <> 'HD111' OR payroll_quota_type = 'HD'"]
    assert "VR20@1" in run("list", "civil_servant").stdout


def test_show_tells_all_bindings_of_a_rule() -> None:
    assert [row["fields"][0] for row in json.loads(run("show", "civil_servant", "VR16@1", "--json").stdout)] == [
        "salary_group",
        "salary_step",
        "salary_coefficient",
    ]
    assert "NĐ 204/2004" in run("show", "civil_servant", "VR16").stdout


def test_an_unknown_rule_names_the_known_ones() -> None:
    told = run("show", "civil_servant", "VR99")

    assert told.exit_code == 1
    assert "use one of UNREADABLE" in told.stderr


def test_check_finds_no_mistake_in_the_shipped_rules() -> None:
    told = run("check")

    assert (told.exit_code, told.stdout.strip().splitlines()[-1].endswith("rules without a mistake.")) == (0, True)


def test_check_tells_a_mistake_in_a_file_that_is_not_installed(tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    text = (schemas_root() / "civil_servant/rules.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("old_id_card_no ~", "old_id_card_number ~"), encoding="utf-8")

    told = run("check", "civil_servant", "--rules", str(file))

    assert told.exit_code == 1
    assert "new.yaml: line " in told.stdout
    assert "no field old_id_card_number. Remedy: Did you mean old_id_card_no" in told.stdout


def test_records_of_a_file_are_judged(records: Path) -> None:
    told = run("test", "civil_servant", str(records), "--on", "2026-11-22", "--json")

    assert told.exit_code == 1
    assert {(row["record"], row["rule"], row["kind"], row["field"]) for row in json.loads(told.stdout)} == {
        (2, "VR16@1", "ERROR", "salary_coefficient"),
        (2, "VR30@1", "WARN", "source_updated_at"),
    }


def test_a_record_with_another_field_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    file.write_text('[{"citizen": "1"}]', encoding="utf-8")

    told = run("test", "civil_servant", str(file))

    assert told.exit_code == 1
    assert "record 1 has no field citizen" in told.stderr


def test_functions_are_listed() -> None:
    assert "tax_code_valid(code)" in run("functions").stdout


def test_rules_that_are_not_installed_can_only_be_tried() -> None:
    told = CliRunner().invoke(app, ["replay", "civil_servant", "--rules", "new.yaml"])

    assert told.exit_code == 1
    assert "add --dry-run" in told.stderr
