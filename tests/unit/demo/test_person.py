"""The invented people: reproducible, distinct, and within the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random

from sync.demo import person
from sync.demo.world import IDS, World
from sync.schema.dataset import load


def test_the_same_seed_and_number_give_the_same_person(there: World) -> None:
    assert [person.truth(there, index) for index in range(50)] == [person.truth(there, index) for index in range(50)]


def test_another_seed_gives_other_people(there: World) -> None:
    other = replace(there, seed=8)
    assert person.truth(there, 3)["full_name"] != person.truth(other, 3)["full_name"] or (
        person.truth(there, 3)["citizen_id"] != person.truth(other, 3)["citizen_id"]
    )


def test_an_id_leads_back_to_its_number(there: World) -> None:
    for index in Random(1).sample(range(IDS), 500):
        tail = there.tail(index)
        assert 1 <= tail <= IDS
        assert there.index(tail) == index


def test_ids_do_not_repeat(there: World) -> None:
    assert len({there.tail(index) for index in range(20_000)}) == 20_000


def test_only_fields_of_the_dataset_are_invented_and_all_required_ones(there: World) -> None:
    dataset = load("civil_servant")
    fields = {field.name for field in dataset.fields}
    required = {field.name for field in dataset.fields if field.required}
    for index in range(200):
        record = person.truth(there, index)
        assert record.keys() <= fields
        assert required <= record.keys()
        assert None not in record.values()


def test_an_id_agrees_with_birth_year_and_sex(there: World) -> None:
    for index in range(300):
        record = person.truth(there, index)
        century, years = int(record["citizen_id"][3]), record["citizen_id"][4:6]
        assert record["birth_date"][:4] == f"{19 + century // 2}{years}"
        assert record["gender"] == ("2" if century % 2 else "1")


def test_dates_follow_each_other(there: World) -> None:
    for index in range(300):
        record = person.truth(there, index)
        born = date.fromisoformat(record["birth_date"])
        assert born < record["first_recruitment_date"] <= record["current_unit_start_date"]
        assert record["current_unit_start_date"] <= record["status_effective_date"] <= there.today
        assert (record["first_recruitment_date"] - born).days >= 18 * 365.25


def test_the_coefficient_is_that_of_group_and_step(there: World) -> None:
    for index in range(300):
        record = person.truth(there, index)
        rank = next(found for found in there.ranks[record["personnel_type"]] if found.code == record["rank_code"])
        assert record["salary_coefficient"] == rank.coefficients[record["salary_step"] - 1]
