"""Rules across datasets: in whatever order records arrive, go and are read again, the end is what a recount tells."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.metrics import RELATION_JUDGED
from sync.process.decision import read
from sync.process.relation import step
from sync.process.relation.backlog import LOAD, PATIENCE, SETTLE
from sync.process.relation.layout import Layout
from sync.rule.model import RuleSet
from sync.schema.dataset import load, with_rules
from tests.relating import Stand

DATASETS = ("civil_servant", "organization_unit", "award_history")
PEOPLE = [f"00109000000{number}" for number in range(4)]
UNITS = ["H26.1", "H49.1"]
AT = st.fixed_dictionaries({"source": st.sampled_from(["hn", "bo"]), "locality": st.sampled_from(["01", "31", None])})

persons = st.fixed_dictionaries(
    {
        "citizen_id": st.sampled_from(PEOPLE),
        "managing_agency_code": st.sampled_from(["H26.1", "H49.1"]),
        "employing_unit_code": st.sampled_from([*UNITS, "H26.1", None]),
        "employment_status": st.sampled_from(["DANG_LAM_VIEC", "DANG_LAM_VIEC", "NGHI_HUU", None]),
        "payroll_quota_type": st.sampled_from(["BC_CC", "HD"]),
    }
)
units = st.fixed_dictionaries(
    {
        "agency_code": st.sampled_from(UNITS),
        "status": st.sampled_from(["HOAT_DONG", "GIAI_THE"]),
        "quota_assigned": st.sampled_from([0, 1, None]),
        "headcount_actual": st.sampled_from([0, 1, 2, None]),
    }
)
awards = st.fixed_dictionaries(
    {"citizen_id": st.sampled_from(PEOPLE), "decision_no": st.sampled_from(["1", "2"]), "year": st.just(2025)}
)
changes = st.one_of(
    st.tuples(st.just(name), records, st.one_of(AT, AT, st.none()))
    for name, records in (("civil_servant", persons), ("organization_unit", units), ("award_history", awards))
)
happenings = st.one_of(
    st.tuples(st.sampled_from(["send", "settled", "settled", "lost"]), st.lists(changes, min_size=1, max_size=5)),
    st.tuples(st.sampled_from(["time", "restart", "wipe", "replay"]), st.none()),
)

State = dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]]
"""Dataset and row → the golden record, and who told it."""


def row_of(dataset: str, record: dict[str, Any]) -> str:
    return "|".join(str(record[name]) for name in load(dataset).key)


def recounted(state: State) -> dict[tuple[str, str], list[str]]:
    """The rules that each record breaks, by plain words."""

    def all_of(dataset: str) -> list[dict[str, Any]]:
        return [record for (name, _), (record, _) in state.items() if name == dataset]

    people, bodies = all_of("civil_servant"), all_of("organization_unit")
    known = {person["citizen_id"] for person in people}
    active = {body["agency_code"] for body in bodies if body["status"] == "HOAT_DONG"}
    working = [person for person in people if person["employment_status"] == "DANG_LAM_VIEC"]
    found: dict[tuple[str, str], list[str]] = {}
    for (dataset, row), (record, _) in state.items():
        rules = []
        if dataset == "award_history" and record["citizen_id"] not in known:
            rules.append("PARENT@1")
        if dataset == "civil_servant" and record in working:
            unit = record["employing_unit_code"]
            rules += ["ORG01@1"] if unit is not None and unit not in active else []
        if dataset == "organization_unit":
            mine = [one for one in working if one["employing_unit_code"] == record["agency_code"]]
            paid = [one for one in mine if one["payroll_quota_type"] == "BC_CC"]
            headcount, quota = record["headcount_actual"], record["quota_assigned"]
            rules += ["ORG02@1"] if headcount is not None and headcount != len(mine) else []
            rules += ["ORG03@1"] if quota is not None and quota < len(paid) else []
        if rules:
            found[dataset, row] = rules
    return found


def check(stand: Stand, state: State) -> None:
    """All that is told is what a recount of the final records tells, to whom it tells it."""
    found = recounted(state)
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for (dataset, row), rules in found.items():
        record, told = state[dataset, row]
        agency = record.get("managing_agency_code") or record.get("agency_code")
        body = agency.partition(".")[0] if agency else told["locality"] or ""
        counts.update((dataset, told["source"], body, rule) for rule in rules)
    assert stand.counts() == counts
    for dataset in DATASETS:
        mine = {row: rules[0] for (name, row), rules in found.items() if name == dataset}
        assert {row: one["rule"] for row, one in stand.last(dataset, "verdict").items()} == mine
        assert len(stand.topics.get(f"{dataset}.relations", {})) == len(mine)
        for locality in ("01", "31"):
            theirs = {row: rule for row, rule in mine.items() if state[dataset, row][1]["locality"] == locality}
            assert {row: one["rule"] for row, one in stand.last(dataset, "verdict", locality).items()} == theirs


@given(st.lists(happenings, min_size=3, max_size=15))
@settings(deadline=None, max_examples=60)
def test_whatever_happens_the_end_is_what_a_recount_of_the_final_records_tells(story: list[tuple[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stand, state = Stand([load(name) for name in DATASETS], patch), {}
        for what, arrived in story:
            if arrived is not None:
                for dataset, record, told in arrived:
                    key = dataset, row_of(dataset, record)
                    state.pop(key, None)
                    if told is not None:
                        state[key] = record, told
                messages = [stand.message(dataset, record, told) for dataset, record, told in arrived]
                stand.send(messages, lost=what == "lost")
                if what == "settled":
                    stand.settle()
                for _ in range(3 if what == "lost" else 0):
                    stand.pass_time(lost=True)
            elif what == "time":
                stand.pass_time()
            elif what == "replay":
                # The last batches are read again, as after a crash.
                stand.send(stand.log[-4:])
            else:
                stand.wipe() if what == "wipe" else stand.restart()
        stand.settle()
        check(stand, state)
        told = stand.told
        stand.wipe()
        stand.settle()
        assert stand.told == told, "nothing is told twice"


PERSON = {
    "citizen_id": PEOPLE[0],
    "managing_agency_code": "H26.1",
    "employing_unit_code": "H26.1",
    "employment_status": "DANG_LAM_VIEC",
    "payroll_quota_type": "BC_CC",
}
UNIT = {"agency_code": "H26.1", "status": "HOAT_DONG", "quota_assigned": 10_000, "headcount_actual": 2}
AWARD = {"citizen_id": PEOPLE[0], "decision_no": "1", "year": 2025}
TOLD = {"source": "hn", "locality": "01"}


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    return Stand([load(name) for name in DATASETS], monkeypatch)


def people(stand: Stand, numbers: range, **changes: Any) -> list[Any]:
    """As many persons of one unit."""
    records = [{**PERSON, **changes, "citizen_id": f"0010900{number:05d}"} for number in numbers]
    return [stand.message("civil_servant", record, TOLD) for record in records]


def test_a_unit_is_judged_by_each_change_of_its_number_of_people_and_nobody_else_is(stand: Stand) -> None:
    stand.send([stand.message("organization_unit", {**UNIT, "headcount_actual": 20}, TOLD), *people(stand, range(20))])
    stand.settle()
    assert stand.last("organization_unit", "verdict") == {}
    judged = RELATION_JUDGED.labels("civil_servant")._value.get()

    stand.send(people(stand, range(20, 600)))
    stand.settle()
    assert stand.last("organization_unit", "verdict")["H26.1"]["rule"] == "ORG02@1"
    assert RELATION_JUDGED.labels("civil_servant")._value.get() == judged + 580

    stand.send(people(stand, range(20, 600), employment_status="NGHI_HUU"))
    stand.settle()
    assert stand.last("organization_unit", "verdict") == {}


def test_all_who_refer_to_a_unit_are_told_that_it_is_gone_and_that_it_is_back_in_bounded_batches(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "_ROUND", 250)
    stand.send([stand.message("organization_unit", UNIT, TOLD), *people(stand, range(600))])
    stand.settle()

    for told, number in ((None, 600), (TOLD, 0)):
        stand.send([stand.message("organization_unit", UNIT, told)])
        before, most = len(stand.last("civil_servant", "verdict")), 0
        for _ in range(12):
            stand.pass_time()
            now = len(stand.last("civil_servant", "verdict"))
            before, most = now, max(most, abs(now - before))
        assert (before, most) == (number, 250)


def test_what_is_judged_in_a_batch_that_is_aborted_is_judged_again(stand: Stand) -> None:
    stand.send([stand.message("award_history", AWARD, TOLD)])
    for _ in range(5):
        stand.pass_time(lost=True)
    stand.settle()
    assert list(stand.last("award_history", "verdict")) == [f"{PEOPLE[0]}|1"]


def test_a_parent_that_comes_within_the_settling_time_was_never_missed(stand: Stand) -> None:
    stand.settle()
    stand.send([stand.message("award_history", AWARD, TOLD)])
    stand.pass_time(SETTLE * 0.9)
    stand.send([stand.message("civil_servant", {**PERSON, "employing_unit_code": None}, TOLD)])
    stand.settle()
    assert stand.told == 0


def test_nothing_is_judged_before_all_topics_were_read_to_their_ends(stand: Stand) -> None:
    last = max(stand.assigned)
    stand.step._ended.remove(last)
    stand.send([stand.message("award_history", AWARD, TOLD)])
    for _ in range(5):
        stand.pass_time()
    assert stand.told == 0

    stand.step.ended(*last)
    stand.settle()
    assert list(stand.last("award_history", "verdict")) == [f"{PEOPLE[0]}|1"]


def test_nothing_is_judged_before_a_topic_that_came_into_use_is_assigned(stand: Stand) -> None:
    known = stand.assigned
    stand.assigned = {(name, partition) for name, partition in known if name != "civil_servant.golden"}
    stand.send([stand.message("award_history", AWARD, TOLD)])
    for _ in range(5):
        stand.pass_time()
    assert stand.told == 0

    stand.assigned = known
    for name, partition in known:
        stand.step.ended(name, partition)
    stand.settle()
    assert list(stand.last("award_history", "verdict")) == [f"{PEOPLE[0]}|1"]


def test_a_load_is_waited_for_though_not_for_ever(stand: Stand) -> None:
    stand.settle()
    awards = [{**AWARD, "decision_no": str(number)} for number in range(LOAD)]
    load = [stand.message("award_history", award, TOLD) for award in awards]
    for _ in range(5):
        stand.send(load)
        stand.pass_time()
    assert stand.told == 0

    stand.send(load)
    stand.pass_time(PATIENCE)
    for _ in range(3):
        stand.send(load)
        stand.pass_time()
    assert len(stand.last("award_history", "verdict")) == LOAD


def test_a_rule_is_judged_only_where_what_it_asks_for_is_in_use(stand: Stand) -> None:
    stand.used = [stand.datasets["award_history"]]
    stand.restart()
    assert list(stand.step.topics()) == []

    stand.used = [stand.datasets["award_history"], stand.datasets["civil_servant"]]
    stand.restart()
    assert set(stand.step.topics()) == {"award_history.golden", "civil_servant.golden"}
    stand.send([stand.message("award_history", AWARD, TOLD), stand.message("civil_servant", PERSON, TOLD)])
    stand.settle()
    # No units are in use: nobody is told that theirs is missing.
    assert stand.told == 0


ASKING = """
rules:
  - id: WHOSE
    severity: REVIEW
    expression: citizen_id IN (SELECT citizen_id FROM golden.civil_servant)
    message: {vi: "Của ai?", en: "Whose is it?"}
  - id: MANY
    severity: WARN
    fields: [decision_no]
    expression: (SELECT count(*) FROM golden.award_history WHERE citizen_id = record.citizen_id AND year = 2025) < 3
    message: {vi: "Nhiều.", en: "Many in a year."}
"""


def test_a_rule_of_severity_review_opens_a_case_until_somebody_accepts_it_or_it_is_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "rules.yaml").write_text(ASKING, encoding="utf-8")
    asking = with_rules(load("award_history"), tmp_path / "rules.yaml")
    stand = Stand([load("civil_servant"), asking], monkeypatch)
    awards = [{**AWARD, "decision_no": str(number)} for number in range(3)]
    stand.send([stand.message("award_history", award, TOLD) for award in awards])
    stand.settle()
    row = f"{PEOPLE[0]}|0"
    case, verdict = stand.last("award_history", "review")[row], stand.last("award_history", "verdict", "01")[row]
    assert (case["stage"], case["rule"], case["message_en"]) == ("relation", "WHOSE@1", "Whose is it?")
    assert (verdict["outcome"], verdict["message_en"]) == ("REVIEW", "Whose is it? Many in a year.")
    assert stand.counts()["award_history", "hn", "01", "WHOSE@1"] == 3

    made = {**case, "id": "1", "action": "accept", "changes": None, "undoes": None}
    stand.decide(read(made))
    assert row not in stand.last("award_history", "review")
    assert stand.last("award_history", "verdict")[row]["rule"] == "MANY@1"
    assert stand.counts()["award_history", "hn", "01", "WHOSE@1"] == 2

    stand.decide(read({**made, "id": "2", "action": "undo", "undoes": "1"}))
    assert len(stand.last("award_history", "review")) == 3
    # The year counts too: constants are compared in their type.
    stand.send(
        [
            stand.message("award_history", {**awards[0], "year": 2024}, TOLD),
            stand.message("civil_servant", {**PERSON, "employing_unit_code": None}, TOLD),
        ]
    )
    stand.settle()
    assert (stand.last("award_history", "review"), stand.last("award_history", "verdict")) == ({}, {})
    assert stand.counts() == {}


def test_a_finding_is_counted_for_the_source_that_gave_the_blamed_field(stand: Stand) -> None:
    given = stand.message("organization_unit", {**UNIT, "headcount_actual": 7}, TOLD)
    fields = [field.name for field in load("organization_unit").fields]
    marks = "".join("1" if name == "headcount_actual" else "0" for name in fields)
    sources = [{"source": source, "row": f"{source}.t/1", "changed_at": None} for source in ("bo", "hn")]
    stand.send([stand.lineage(given, {"fields": marks, "sources": sources})])
    stand.settle()
    assert stand.counts() == {("organization_unit", "hn", "H26", "ORG02@1"): 1}
    assert stand.last("organization_unit", "verdict")["H26.1"]["topic"] == "hn.hn.t"


def test_what_a_rule_said_that_is_no_more_is_taken_back(stand: Stand) -> None:
    stand.send([stand.message("award_history", AWARD, TOLD), stand.message("civil_servant", PERSON, TOLD)])
    stand.send([stand.message("award_history", {**AWARD, "citizen_id": PEOPLE[1]}, TOLD)])
    stand.settle()
    assert set(stand.counts()) == {
        ("award_history", "hn", "01", "PARENT@1"),
        ("civil_servant", "hn", "H26", "ORG01@1"),
    }

    stand.install(*(replace(load(name), rules=RuleSet()) for name in DATASETS))
    stand.settle()
    assert stand.counts() == {}
    for dataset in ("award_history", "civil_servant"):
        assert stand.last(dataset, "verdict") == stand.last(dataset, "verdict", "01") == {}
        assert stand.topics[f"{dataset}.relations"] == {}


def test_an_index_is_of_another_layout_where_its_entries_are_made_otherwise(tmp_path: Path) -> None:
    def digest(text: str, told: tuple[str, ...] = ()) -> str:
        (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
        return Layout([with_rules(load("award_history"), tmp_path / "rules.yaml"), load("civil_servant")], told).digest

    text = ASKING.replace("< 3", "< 3 AND level IS NOT NULL") + "define: {x: year > 2000}"
    named = text.replace("level IS NOT NULL", "x")
    # A definition that reads another field, with the same text of the rule.
    found = [digest(text), digest(named), digest(named.replace("year > 2000", "award_code IS NULL"))]
    assert len({*found, Layout([load("award_history"), load("civil_servant")]).digest}) == 4
    assert digest(text, ("award_history", "population")) == found[0]
