"""How a story is drawn: who holds a row of a person, what each source knows, which row is damaged, what changes.

``story(stage, index)`` is a pure function of seed and number, called when databases are filled, when live changes are
made and when everything is verified; nothing is remembered between the three, so memory stays bounded.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from sync.demo import person, turn
from sync.demo.error import Case, Row, class_of
from sync.demo.person import Record
from sync.demo.site import MINISTRY
from sync.demo.story import Stage, Story, register_row, row_of
from sync.demo.world import AS_OF, World


def story(stage: Stage, index: int) -> Story:
    """The story of person ``index`` (0 ≤ index < people + arrivals)."""
    rng = person.generator(stage.world, index, 2)
    truth = person.truth(stage.world, index)
    found = Story(index, truth["citizen_id"], register_row(stage, truth), _rows(stage, index, truth, rng))
    if index >= stage.people:
        return turn.arrive(found)
    _damage(stage, found, rng)
    if found.error is None and rng.random() < 0.02:
        _forgotten(stage, found, truth, rng)
    if stage.changes(index):
        turn.change(stage, found, truth, rng)
    return found


def _rows(stage: Stage, index: int, truth: Record, rng: Random) -> list[Row]:
    home = stage.world.province(truth["managing_agency_code"])
    site = stage.site(home)
    rows = []
    if site is not None and rng.random() < 0.95:
        rows.append(row_of(stage, site, index, _seen_by_locality(stage.world, truth, rng)))
    if not rows or rng.random() < 0.5:
        rows.append(row_of(stage, MINISTRY, index, _seen_by_ministry(truth, rng)))
    return rows


FORGETFUL = (
    *("old_id_card_no", "other_name", "email", "social_insurance_no", "tax_code", "major", "training_institution"),
    *("graduation_year", "political_theory_level", "state_management_level", "it_level", "strength", "main_task"),
    *("previous_occupation", "highest_honour", "highest_award", "sector_start_date", "recruitment_decision_no"),
    *(
        "current_address",
        "rating_year",
        "retirement_month",
        "height_cm",
        "weight_kg",
        "health_status",
        "party_position",
    ),
)
"""Optional fields that a source may not know; each stands alone, so no rule breaks without it."""


def _forget(record: Record, rng: Random, share: float) -> Record:
    gone = {name for name in FORGETFUL if rng.random() < share}
    return {name: value for name, value in record.items() if name not in gone}


def _seen_by_locality(world: World, truth: Record, rng: Random) -> Record:
    record = _forget(truth, rng, 0.12)
    if rng.random() < 0.1 and record["salary_step"] > 1:
        record = _step_behind(world, record)
    if rng.random() < 0.03:
        # Moved inside the province; the ministry has not heard of it yet.
        record["employing_unit_code"] = f"{record['managing_agency_code']}.{rng.randrange(1, person.UNITS + 1):02d}"
        record.pop("department_code", None)
        record["current_unit_start_date"] = record["status_effective_date"] = AS_OF - timedelta(days=rng.randrange(30))
    return record


def _step_behind(world: World, record: Record) -> Record:
    rank = next(rank for rank in world.ranks[record["personnel_type"]] if rank.code == record["rank_code"])
    since = max(record["rank_appointed_date"], record["step_effective_date"] - timedelta(days=1095))
    behind = {**record, **person.salary(rank, record["salary_step"] - 1, since)}
    return {name: value for name, value in behind.items() if name not in ("overgrade_pct", "overgrade_date")}


def _seen_by_ministry(truth: Record, rng: Random) -> Record:
    record = _forget(truth, rng, 0.2)
    if rng.random() < 0.2:
        record["phone"] = person.phone(rng)
    record["source_updated_at"] = truth["source_updated_at"] - timedelta(
        days=rng.randrange(0, 20), seconds=rng.randrange(1, 3600)
    )
    return record


def _damage(stage: Stage, story: Story, rng: Random) -> None:
    kind = class_of(stage.world, story.index)
    if kind is None:
        return
    rows = [row for row in story.rows if not kind.text_only or row.site.authority == "locality"]
    if not rows:
        return
    row = rng.choice(rows)
    if not kind.inject(Case(stage.world, rng, row)):
        return
    row.error = story.error = kind.name
    if kind.name == "not_in_register":
        story.register = None
        for row in story.rows:
            row.error = kind.name


def _forgotten(stage: Stage, story: Story, truth: Record, rng: Random) -> None:
    """The locality of an earlier post never closed its row: a duplicate with an older placement."""
    home = stage.world.province(truth["managing_agency_code"])
    others = [site for site in stage.sites if site.locality and site.locality != home]
    if not others:
        return
    site = rng.choice(others)
    earlier = {**truth, **person.agency(stage.world, rng, site.locality)}
    earlier["current_unit_start_date"] = earlier["status_effective_date"] = truth["first_recruitment_date"]
    earlier["source_updated_at"] = truth["source_updated_at"] - timedelta(days=30)
    if truth["current_unit_start_date"] == truth["first_recruitment_date"]:
        return
    story.rows.append(row_of(stage, site, story.index, {k: v for k, v in earlier.items() if v is not None}))
