"""The turns a story takes in the live phase: one function a kind of change, each with the rows that result.

Called by ``sync.demo.script``. A kind that does not fit a person (no ministry row to change, no golden record to edit)
declines by returning no changes, and the next kind is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from sync.demo import error, person
from sync.demo.error import Row
from sync.demo.person import Record
from sync.demo.site import Site
from sync.demo.story import RETURN_TABLE, Change, Stage, Story, live_moment, register_row, row_of
from sync.demo.world import LIVE_DATE


@dataclass(frozen=True, slots=True)
class Scene:
    """A person about to change, with what the change is drawn from."""

    stage: Stage
    story: Story
    truth: Record
    rng: Random


Turn = Callable[[Scene], list[Change]]


def change(stage: Stage, story: Story, truth: Record, rng: Random) -> None:
    """Add the changes of person ``story``: a correction if a row is damaged, else the turn whose turn it is."""
    scene = Scene(stage, story, truth, rng)
    if story.error is not None:
        story.changes = correct(scene)
        story.live = "correct" if story.changes else None
        return
    first = story.index // stage.every
    for offset in range(len(TURNS)):
        name, turn = TURNS[(first + offset) % len(TURNS)]
        story.changes = turn(scene)
        if story.changes:
            story.live = name
            return


def arrive(story: Story) -> Story:
    """A new person: all rows are inserted; for half of them the register's row comes last."""
    register = Change("insert", None, story.register)
    rows = [Change("insert", None, row) for row in story.rows]
    changes = [*rows, register] if story.index % 2 else [register, *rows]
    return replace(story, register=None, rows=[], changes=changes, live="insert")


def correct(at: Scene) -> list[Change]:
    """The owner repairs the damaged row at the source (the centre never does); the register adds an unknown person."""
    damaged = next((row for row in at.story.rows if row.error), None)
    if damaged is None:
        return []
    if at.story.error == "not_in_register":
        return [Change("insert", None, register_row(at.stage, at.truth))]
    keys = at.stage.fields["civil_servant", damaged.site.table("civil_servant").mapping]
    sound: Record = {name: at.truth[name] for name in ("citizen_id", "full_name", "birth_date") if name in keys}
    if at.story.error in ("coefficient_not_in_table", "recruited_too_young"):
        sound["first_recruitment_date"] = at.truth["first_recruitment_date"]
        sound["salary_coefficient"] = _coefficient(at, damaged.clean)
    after = Row(
        damaged.site, damaged.table, damaged.key, {**damaged.clean, **sound, **live_moment(at.stage, at.story.index)}
    )
    return [Change("update", damaged, after)]


def _coefficient(at: Scene, record: Record) -> object:
    ranks = at.stage.world.ranks[record["personnel_type"]]
    rank = next(rank for rank in ranks if rank.code == record["rank_code"])
    return rank.coefficients[record["salary_step"] - 1]


def _own(at: Scene, authority: str) -> Row | None:
    return next((row for row in at.story.rows if row.site.authority == authority), None)


def _updated(at: Scene, row: Row, values: Record) -> list[Change]:
    merged = {**row.clean, **values, **live_moment(at.stage, at.story.index)}
    clean = {name: value for name, value in merged.items() if value is not None}
    return [Change("update", row, Row(row.site, row.table, row.key, clean))]


def new_phone(at: Scene) -> list[Change]:
    """A locality records a new phone number in its own software."""
    row = _own(at, "locality")
    return _updated(at, row, {"phone": person.phone(at.rng)}) if row else []


def raise_step(at: Scene) -> list[Change]:
    """The ministry records the next salary step."""
    row = _own(at, "ministry")
    if row is None:
        return []
    rank = next(rank for rank in at.stage.world.ranks[at.truth["personnel_type"]] if rank.code == at.truth["rank_code"])
    if row.clean["salary_step"] >= len(rank.coefficients):
        return []
    return _updated(at, row, person.salary(rank, row.clean["salary_step"] + 1, LIVE_DATE))


def leave(at: Scene) -> list[Change]:
    """A person leaves the service: every source deletes its row, and so must the centre and the locality."""
    return [Change("delete", row, None) for row in at.story.rows]


def forget(at: Scene) -> list[Change]:
    """A locality deletes its row while the ministry keeps one: the record lives on with what the ministry knows."""
    row = _own(at, "locality")
    return [Change("delete", row, None)] if row and len(at.story.rows) > 1 else []


def move_by_ministry(at: Scene) -> list[Change]:
    """The ministry moves a person to another province; the old locality's row stays behind."""
    row = _own(at, "ministry")
    target = _elsewhere(at)
    if row is None or target is None or _own(at, "locality") is None:
        return []
    return _updated(at, row, _placement(at, target))


def move_by_locality(at: Scene) -> list[Change]:
    """The new locality inserts the person, then the old one deletes its row."""
    row = _own(at, "locality")
    target = _elsewhere(at)
    held = {found.site.name for found in at.story.rows}
    if row is None or target is None or target.name in held:
        return []
    record = {**at.truth, **_placement(at, target), **live_moment(at.stage, at.story.index)}
    sound = {name: value for name, value in record.items() if value is not None}
    return [Change("insert", None, row_of(at.stage, target, at.story.index, sound)), Change("delete", row, None)]


def _elsewhere(at: Scene) -> Site | None:
    home = at.stage.world.province(at.truth["managing_agency_code"])
    others = [site for site in at.stage.sites if site.locality and site.locality != home]
    return at.rng.choice(others) if others else None


def _placement(at: Scene, site: Site) -> Record:
    place = person.agency(at.stage.world, at.rng, site.locality)
    return {**place, "current_unit_start_date": LIVE_DATE, "status_effective_date": LIVE_DATE}


def _returned(at: Scene, values: Record) -> list[Change]:
    """An edit in the locality's return table: the whole golden row, with ``values``, becomes its contribution."""
    found = at.stage.expected(at.story, live=False).golden
    site = at.stage.site(found.locality) if found else None
    if found is None or site is None:
        return []
    before = Row(site, RETURN_TABLE, at.story.citizen_id, found.record)
    after = Row(site, RETURN_TABLE, at.story.citizen_id, {**found.record, **values})
    return [Change("update", before, after)]


def edit_owned(at: Scene) -> list[Change]:
    """A locality edits its return table in a field that it owns: the edit flows to the centre."""
    return _returned(at, {"phone": person.phone(at.rng), **live_moment(at.stage, at.story.index)})


def edit_foreign(at: Scene) -> list[Change]:
    """A locality edits a field that the register owns: the row must be restored in its table."""
    return _returned(at, {"permanent_address": "Số 1, đường Không Có Thật"})


def break_row(at: Scene) -> list[Change]:
    """A sound row is damaged: the change is rejected and what was known before stays in force."""
    row = _own(at, "locality")
    if row is None:
        return []
    after = Row(row.site, row.table, row.key, {**row.clean, **live_moment(at.stage, at.story.index)})
    error.wrong_coefficient(error.Case(at.stage.world, at.rng, after))
    after.error = "broken"
    return [Change("update", row, after)]


def register_moves(at: Scene) -> list[Change]:
    """The register records a new permanent address: it reaches every golden record of the person."""
    if at.story.register is None:
        return []
    values = {"permanent_address": f"Số {at.rng.randrange(300, 600)}, đường Quang Trung"}
    row = at.story.register
    clean = {**row.clean, **values, "source_updated_at": row.clean["source_updated_at"] + timedelta(days=1)}
    return [Change("update", row, Row(row.site, row.table, row.key, clean, dict(row.raw)))]


TURNS: tuple[tuple[str, Turn], ...] = (
    ("phone", new_phone),
    ("salary", raise_step),
    ("move_by_ministry", move_by_ministry),
    ("edit_owned", edit_owned),
    ("delete", leave),
    ("move_by_locality", move_by_locality),
    ("edit_foreign", edit_foreign),
    ("register", register_moves),
    ("delete_locality", forget),
    ("broken", break_row),
)
