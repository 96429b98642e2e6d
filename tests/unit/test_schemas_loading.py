"""Mistakes in the declarative files: each is a ConfigError that names file, place and remedy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sync.errors import ConfigError
from sync.schema.catalogue import databases
from sync.schema.dataset import load
from sync.schema.location import ENVIRONMENT, schemas_root
from sync.schema.reference import load_reference


def spoil(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


POLICY = "civil_servant/policy.yaml"
RULES = "civil_servant/rules.yaml"
SHORT = "civil_servant/mapping/vn_short.yaml"
AVSC = "civil_servant/v1.avsc"


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "problem"),
    [
        (POLICY, "phone, ", "", "groups", "phone stands in no group"),
        (POLICY, "phone, ", "phone, major, ", "groups", "major stands in contact and qualification"),
        (POLICY, "phone, ", "phone, citizen_id, ", "groups", "key field citizen_id stands in group contact"),
        (POLICY, "phone, ", "telephone, ", "groups[2]", "no field telephone"),
        (POLICY, "[manager, locality, ministry]", "[boss]", "groups[2].order[0]", "boss is not known"),
        (POLICY, "latest: current_unit_start_date", "latest: phone", "groups[4].latest", "phone is not in the group"),
        (POLICY, "max: true", "max: false", "groups[11]", "needs either an order or max"),
        (POLICY, "register: population", "register: people", "register", "people is not known"),
        (POLICY, "register: population", "register: null", "", "register and match go together"),
        (POLICY, "via: agency_province", "via: guess", "locality.via", "guess is not known"),
        (POLICY, "distribution: owner", "distribution: [owner]", "distribution", "found list, not text"),
        (POLICY, "atomic: true", "atomic: maybe", "groups[1].atomic", "not true or false"),
        (POLICY, "entity: citizen_id", "entity: citizen_id\nentity: phone", "line 4", "given twice"),
        (RULES, "severity: ERROR", "severity: FATAL", "rules[0].severity", "FATAL is not known"),
        (RULES, "step: person_name", "stop: person_name", "clean[1]", "unknown key stop"),
        (RULES, "{lengths: [10, 12, 13]}", "{lengths: ten}", "clean[5].params.lengths", "found str, not a list"),
        (RULES, "{lengths: [10, 12, 13]}", "{lengths: [ten]}", "clean[5].params.lengths[0]", "is no number"),
        (RULES, "{of: birth_date}", "{of: birthdate}", "clean[10].params.of", "no field birthdate"),
        (RULES, "birth: true}", "birth: yes please}", "clean[8].params.birth", "not true or false"),
        (RULES, "{id: citizen_id,", "{id: citizenid,", "clean[16].params.id", "no field citizenid"),
        (RULES, "[[permanent_province,", "[[permanent,", "clean[17].params.current[0]", "no field permanent"),
        (RULES, "[[permanent_province,", "[[", "clean[17].params.current[0]", "is no pair"),
        (POLICY, "active: [DANG_LAM_VIEC]", "active: [DANG_LAM]", "activity.active", "no code of employment_status"),
        (SHORT, '"Nam": "1"', '"Nam": "9"', "fields.gender.values.Nam", "9 is no code of gender"),
        (RULES, "{refuse: CONTACT}", "{refused: CONTACT}", "clean[3].params", "unknown key refused"),
        (RULES, "{refuse: CONTACT}", "{refuse: CONTACTS}", "clean[3].params.refuse", "no rule CONTACTS"),
        (RULES, "step: text, rule: VR10", "step: text, rule: VR100", "clean[0].rule", "no rule VR100"),
        (RULES, "step: email,", "step: email, params: {a: 1},", "clean[4].params", "email has no parameters"),
        (RULES, "clean:\n", "[a, b]: c\nclean:\n", "line 4", "a key that is no text"),
        (RULES, "clean:\n", "clean:\n# \x07\n", "line 5", "a control character"),
        (POLICY, "entity: citizen_id", "entity: []", "entity", "names no field"),
        (POLICY, "name: contact", "name: identity", "groups[2]", "two groups identity"),
        (POLICY, "[manager, locality, ministry]", "[manager, manager]", "groups[2].order[0]", "manager stands twice"),
        (AVSC, '"dongbo.required": true', '"dongbo.required": "no"', "fields[0].dongbo.required", "not true or false"),
        (AVSC, '"name": "full_name"', '"name": "citizen_id"', "fields[5]", "citizen_id stands here a second time"),
        (RULES, "fields: [phone]", "fields: [fax]", "clean[3]", "no field fax"),
        (RULES, "en: The value cannot", "de: The value cannot", "rules[0].message", "unknown key de"),
        (SHORT, "citizen_id: so_cccd", "employee: so_cccd", "fields", "no field employee"),
        (SHORT, "  citizen_id: so_cccd\n", "", "fields", "key field citizen_id is not mapped"),
        (SHORT, '"Nam": "1"', '"Nam": 1', "fields.gender.values.Nam", "found int, not text"),
        (SHORT, '"Nam": "1"', '1: "1"', "fields.gender.values", "key 1 is not text"),
        (SHORT, "    column: gioi_tinh\n", "", "fields.gender", "neither or both"),
        (SHORT, "date_format: dmy", "date_format: ymd", "date_format", "ymd is not known"),
        (AVSC, '"dongbo.type": "char(12)"', '"dongbo.type": "id"', "fields[0].dongbo.type", "id is not known"),
        (AVSC, '"dongbo.catalogue": "ranks"', '"dongbo.catalogue": "rank"', "fields[62]", "rank of rank_code"),
        (AVSC, '"type": "string"', '"type": "long"', "fields[0]", "does not fit dongbo.type"),
        (AVSC, '"type": "string"', '"type": ["null", "string"], "default": null', "fields[0]", "is not a plain string"),
        (AVSC, '["null", "string"], "default": null', '["null", "string"]', "fields[1]", "without default null"),
        (AVSC, '["null", "string"], "default": null', '"string"', "fields[1]", "is not nullable"),
        (AVSC, '"name": "citizen_id"', '"name": "_id"', "fields[0]", "field name _id"),
        (AVSC, '"type": "string"', '"type": "text"', "", "is no Avro schema"),
        (AVSC, '"fields": [', '"fields": [,', "line 6", "Expecting value"),
    ],
)
def test_a_mistake_is_reported_with_file_line_place_and_remedy(
    schemas: Path, file: str, old: str, new: str, place: str, problem: str
) -> None:
    spoil(schemas, file, old, new)

    with pytest.raises(ConfigError) as caught:
        load("civil_servant")

    message = str(caught.value)
    told = place if place.startswith("line ") else rf"line \d+, column \d+: {re.escape(place)}"
    assert re.match(f"{re.escape(file)}: {told}", message)
    assert problem in message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        (RULES, "severity: ERROR", "severity: FATAL", "FATAL"),
        (POLICY, "via: agency_province", "via: guess", "guess"),
        (POLICY, "max: true", "max: maybe", "maybe"),
        (SHORT, '"Nam": "1"', '"Nam": 1', '"Nam"'),
        (AVSC, '"dongbo.class": "basic"', '"dongbo.class": "secret"', '"dongbo.class": "secret"'),
    ],
)
def test_a_mistake_is_reported_with_the_line_on_which_it_is(
    schemas: Path, file: str, old: str, new: str, word: str
) -> None:
    spoil(schemas, file, old, new)
    text = (schemas / file).read_text(encoding="utf-8")
    line = text.count("\n", 0, text.index(word)) + 1

    with pytest.raises(ConfigError, match=rf"^{re.escape(file)}: line {line}, column \d+: "):
        load("civil_servant")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("- id: VR34", "- id: VR34\n    valid_from: 2026-02-30", "2026-02-30 is no date"),
        (
            "- id: VR34",
            "- id: VR34\n    valid_from: 2026-02-03\n    valid_to: 2026-01-03",
            "valid_to: VR34 ends before it begins",
        ),
        (
            "criterion: timeliness\n    fields: [retirement_month]",
            "criterion: accuracy\n    fields: [retirement_month]",
            "criterion: VR14 has criterion timeliness before",
        ),
    ],
)
def test_a_mistake_in_what_a_rule_says_of_itself_is_reported(schemas: Path, old: str, new: str, problem: str) -> None:
    spoil(schemas, RULES, old, new)

    with pytest.raises(ConfigError) as told:
        load("civil_servant")

    assert re.match(rf"{re.escape(RULES)}: line \d+.*{re.escape(problem)}.* Remedy: .+", str(told.value))


def test_a_missing_file_is_named(schemas: Path) -> None:
    (schemas / POLICY).unlink()

    with pytest.raises(ConfigError, match=r"civil_servant/policy\.yaml: cannot be read\. Remedy: Add the file"):
        load("civil_servant")


def test_the_newest_version_of_a_schema_counts(schemas: Path) -> None:
    shutil.copy(schemas / "civil_servant/v1.avsc", schemas / "civil_servant/v10.avsc")
    shutil.copy(schemas / "civil_servant/v1.avsc", schemas / "civil_servant/v2.avsc")

    assert load("civil_servant").version == 10


def test_an_unknown_dataset_mapping_or_field_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="Use one of abroad_history, administrative_report"):
        load("pets")
    with pytest.raises(ConfigError, match="Use one of canonical, ministry, staff_message, vn_short, vn_title"):
        load("civil_servant").mapping("sap")
    with pytest.raises(ConfigError, match="no field shoe_size"):
        load("civil_servant").field("shoe_size")


def test_a_missing_or_broken_reference_table_is_named(schemas: Path) -> None:
    (schemas / "reference/ranks.csv").unlink()
    (schemas / "reference/communes.csv").write_bytes(b"code,name\n1,\xff\xfe\n")

    with pytest.raises(ConfigError, match=r"reference/ranks\.csv: there is no such table"):
        load_reference(["ranks"])
    with pytest.raises(ConfigError, match=r"reference/communes\.csv: is not a UTF-8 CSV table"):
        load_reference(["communes"])


def test_a_mistake_in_the_catalogue_is_named(schemas: Path) -> None:
    spoil(schemas, "catalogue.yaml", "class: national\n", "class: federal\n")

    with pytest.raises(
        ConfigError, match=r"catalogue\.yaml: line \d+, column \d+: databases\[0\]\.class: federal is not known"
    ):
        databases()


def test_a_database_listed_twice_is_named(schemas: Path) -> None:
    spoil(schemas, "catalogue.yaml", "id: worker", "id: talent")

    with pytest.raises(ConfigError, match="id talent is given twice"):
        databases()


def test_a_folder_without_schemas_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))

    with pytest.raises(ConfigError, match="Set DONGBO_SCHEMAS"):
        schemas_root()
