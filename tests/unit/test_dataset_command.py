"""``dongbo dataset``: every mistake with file, line and remedy; a new folder passes; versions stay readable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sync.cli import app
from sync.schema.dataset import datasets
from sync.schema.location import schemas_root
from sync.steward.evolution import breaks

NEW = [
    *("dataset", "new", "vehicle", "--key", "plate_no", "--name-vi", "Xe công", "--name-en", "Official cars"),
    *("--owner-vi", "Văn phòng Bộ", "--owner-en", "Office of the Ministry"),
]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_all_datasets_are_right() -> None:
    code, output = run("dataset", "check")

    assert (code, [line for line in output.splitlines() if not line.endswith(": right")]) == (0, [])


def test_each_mistake_is_told_with_file_line_and_remedy(schemas: Path) -> None:
    folder = schemas / "talent"
    spoil(folder / "rules.yaml", "publications >= 0 AND patents >= 0", "publication >= 0")
    spoil(folder / "rules.yaml", "valid_from <= valid_to", "valid_from <= 'tomorrow'")
    spoil(folder / "policy.yaml", "order: [ministry, locality]", "order: [boss]")
    spoil(folder / "mapping" / "canonical.yaml", "date_format: iso", "date_format: ymd")

    code, output = run("dataset", "check", "talent", "--json")

    assert code == 1
    found = json.loads(output)["talent"]
    lines = {one["file"]: (schemas / one["file"]).read_text(encoding="utf-8").splitlines() for one in found}
    told = {(one["file"], lines[one["file"]][one["line"] - 1].strip()) for one in found}
    assert told >= {
        ("talent/rules.yaml", 'expression: "publication >= 0"'),
        ("talent/rules.yaml", "expression: \"valid_from <= 'tomorrow'\""),
        ("talent/policy.yaml", "order: [boss]"),
    }
    assert all(one["remedy"] for one in found)


def test_an_example_that_hits_other_rules_is_a_mistake_and_so_is_a_rule_without_example(schemas: Path) -> None:
    spoil(schemas / "talent/examples/records.yaml", "rules: [TAL05]", "rules: [TAL06]")

    code, output = run("dataset", "check", "talent")

    assert code == 1
    assert "ended before it began: hits TAL05, not TAL06" in " ".join(output.split())
    assert "no example hits TAL05" in " ".join(output.split())


def test_one_of_several_bindings_of_a_rule_that_no_example_would_miss_is_a_mistake(schemas: Path) -> None:
    file = schemas / "family_members/examples/records.yaml"
    spoil(
        file,
        'with: {member_citizen_id: "003155000456"}\n    rules: [VR02]',
        'with: {birth_year: "1755"}\n    rules: [FAM02]',
    )

    code, output = run("dataset", "check", "family_members")

    assert code == 1
    assert "no example would miss the ERROR VR02 of member_citizen_id" in " ".join(output.split())


def test_a_file_that_cannot_be_read_hides_no_mistake_of_other_datasets(schemas: Path) -> None:
    (schemas / "award" / "rules.yaml").write_text("rules: 'open\n", encoding="utf-8")
    spoil(schemas / "talent" / "policy.yaml", "order: [ministry, locality]", "order: [boss]")

    code, output = run("dataset", "check", "award", "talent", "--json")

    found = json.loads(output)
    assert code == 1
    assert [(one["file"], one["line"]) for one in found["award"]] == [("award/rules.yaml", 2)]
    assert [one["file"] for one in found["talent"]] == ["talent/policy.yaml"]


def test_a_mistake_in_what_all_rules_use_is_told_once(schemas: Path) -> None:
    spoil(schemas / "reference" / "tables.yaml", "salary_grades:", "salary_grade:")

    code, output = run("dataset", "check", "civil_servant", "--json")

    found = [(one["file"], one["message"]) for one in json.loads(output)["civil_servant"]]
    assert code == 1
    assert "reference/tables.yaml" in {file for file, _ in found}
    assert len(found) == len(set(found))


def test_a_dataset_without_owner_is_a_mistake(schemas: Path) -> None:
    shutil.copytree(schemas / "talent", schemas / "genius")

    code, output = run("dataset", "check", "genius")

    assert code == 1
    assert "dataset genius has no entry" in " ".join(output.split())


def test_a_new_dataset_passes_and_is_listed_and_shown(schemas: Path) -> None:
    assert run(*NEW)[0] == 0
    assert run("dataset", "check", "vehicle") == (0, "vehicle: right\n")
    assert {one["id"]: one["owner"] for one in json.loads(run("dataset", "list", "--json")[1])}["vehicle"] == (
        "Office of the Ministry"
    )
    assert json.loads(run("dataset", "show", "vehicle", "--json")[1])["key"] == ["plate_no"]
    assert "vehicle" in datasets()
    assert (schemas / "vehicle" / "v1.avsc").is_file()


def test_a_folder_that_is_there_and_a_name_that_is_none_are_refused(schemas: Path) -> None:
    assert run(*NEW)[0] == 0
    before = (schemas / "catalogue.yaml").read_text(encoding="utf-8")

    assert run(*NEW)[0] == 1
    assert run("dataset", "new", "../x", *NEW[3:])[0] == 1
    assert (schemas / "catalogue.yaml").read_text(encoding="utf-8") == before


def test_an_unknown_dataset_ends_with_exit_code_1() -> None:
    assert run("dataset", "check", "pets")[0] == 1
    assert run("dataset", "show", "pets")[0] == 1


@pytest.mark.parametrize("name", datasets())
def test_every_version_reads_what_all_earlier_ones_wrote(name: str) -> None:
    assert breaks(schemas_root(), name) == []


@pytest.mark.parametrize(
    ("old", "new", "broken"),
    [
        ("", "", False),
        ('"name": "patents", "type": ["null", "int"]', '"name": "patents", "type": ["null", "long"]', False),
        ('"name": "patents", "type": ["null", "int"]', '"name": "patents", "type": ["null", "string"]', True),
        ('"name": "patents", "type": ["null", "int"], "default": null', '"name": "patent_no", "type": "int"', True),
    ],
)
def test_a_version_that_cannot_read_an_earlier_one_is_a_mistake(
    schemas: Path, old: str, new: str, broken: bool
) -> None:
    folder = schemas / "talent"
    for version in ("v2", "v3"):
        shutil.copy(folder / "v1.avsc", folder / f"{version}.avsc")
    if old:
        spoil(folder / "v3.avsc", old, new)

    found = breaks(schemas, "talent")

    # Against every earlier version, not the last alone.
    assert len(found) == (2 if broken else 0)
    for one in found:
        line = (schemas / one.file).read_text(encoding="utf-8").splitlines()[one.line - 1]
        assert "patent" in line


def test_pages_are_written(tmp_path: Path) -> None:
    assert run("dataset", "docs", "--folder", str(tmp_path))[0] == 0
    page = (tmp_path / "merit_beneficiary.md").read_text(encoding="utf-8")
    assert "MER01@1" in page
    assert len(list(tmp_path.iterdir())) == len(datasets()) + 1
