"""Organisation units of the demo: an agency and its units for every agency code that people refer to.

The ministry holds all of them, a locality its own. Sound rows without damages; the oracle merges them like people.
The administrative units are no invention: they are read from ``schemas/reference/administrative_units.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

from sync.demo import names, oracle, person
from sync.demo.error import Row
from sync.demo.oracle import Golden
from sync.demo.person import Record
from sync.demo.site import MINISTRY, Site
from sync.demo.story import Change, Stage, contribution
from sync.demo.world import World, rows
from sync.rule.model import Policy

ORGANIZATION, ADMINISTRATIVE = "organization_unit", "administrative_unit"


def codes(world: World) -> list[str]:
    """Codes of all units: agencies of the connected provinces with their units, then the ministries."""
    found = []
    for province in world.connected:
        for agency in world.agencies[province]:
            found.append(agency)
            found += [f"{agency}.{number:02d}" for number in range(1, person.UNITS + 1)]
    return [*found, *world.ministries]


def truth(world: World, code: str) -> Record:
    """The unit of this code before the live phase."""
    rng = Random(f"{world.seed}/{code}")
    province = world.province(code)
    agency, _, number = code.partition(".")
    place = world.provinces[province] if province else ""
    if not number:
        name = f"Ủy ban nhân dân {place}" if province else f"Cơ quan trung ương {code}"
    elif int(number) <= len(names.DEPARTMENT):
        name = f"{names.DEPARTMENT[int(number) - 1]} {place}"
    else:
        name = f"{rng.choice(names.SERVICE)} {number} {place}"
    service = bool(number) and int(number) > len(names.DEPARTMENT)
    founded = date(2025, 7, 1) - timedelta(days=rng.randrange(12_000))
    quota = rng.randrange(20, 400)
    record: Record = {
        "agency_code": code,
        "name": name,
        "short_name": f"ĐV {code}",
        "parent_code": agency if number else None,
        "level": "TINH" if province else "TW",
        "org_type": "SNCL" if service else "HC",
        "autonomy_group": rng.choice(("2", "3", "4")) if service else None,
        "founding_decision_no": f"{rng.randrange(1, 900)}/QĐ-UBND",
        "founding_decision_date": founded,
        "valid_from": founded + timedelta(days=30),
        "status": "HOAT_DONG",
        "commune_code": rng.choice(world.communes[province]) if province else None,
        "province_code": province,
        "quota_assigned": quota,
        "headcount_actual": quota - rng.randrange(0, 15),
        "source_updated_at": person.moment(world.today - timedelta(days=rng.randrange(3, 60)), rng.randrange(86_400)),
    }
    return {name: value for name, value in record.items() if value is not None}


def unit_rows(stage: Stage, code: str) -> list[Row]:
    """The rows of a unit: the ministry's, and its own locality's with another head count."""
    record = truth(stage.world, code)
    owner = stage.site(stage.world.province(code))
    found = [_row(stage, MINISTRY, {**record, "quota_assigned": record["quota_assigned"] + 1})]
    if owner is not None:
        later = record["source_updated_at"] + timedelta(hours=1)
        found.append(_row(stage, owner, {**record, "source_updated_at": later}))
    return found


def _row(stage: Stage, site: Site, record: Record) -> Row:
    table = site.table(ORGANIZATION)
    kept = stage.fields[table.dataset, table.mapping]
    return Row(site, table.name, record["agency_code"], {k: v for k, v in record.items() if k in kept})


def changes(stage: Stage) -> Iterator[Change]:
    """The live phase: one unit in each connected province reports a new head count."""
    for province in stage.world.connected:
        code = f"{stage.world.agencies[province][0]}.01"
        for row in unit_rows(stage, code):
            if row.site.locality:
                yield Change(
                    "update", row, Row(row.site, row.table, row.key, {**row.clean, **_counted(stage.world, row.clean)})
                )


def _counted(world: World, clean: Record) -> Record:
    updated = person.moment(world.today - timedelta(days=1), 0)
    return {"headcount_actual": clean["headcount_actual"] + 1, "source_updated_at": updated}


def expected(stage: Stage, code: str, policy: Policy) -> Golden:
    """The golden record of a unit after the live phase."""
    final = {row.identity: row for row in unit_rows(stage, code)}
    final.update({change.row.identity: change.row for change in changes(stage) if change.row.key == code})
    found = oracle.golden([contribution(row) for row in final.values()], policy, stage.world.province)
    assert found is not None
    return found


def administrative(root: Path, types: dict[str, str]) -> Iterator[Record]:
    """The real administrative units of both ages; ``types``: field → canonical type."""
    for row in rows(root, "administrative_units"):
        record: Record = {}
        for name, text in row.items():
            if text:
                record[name] = _typed(text, types[name])
        yield record


def _typed(text: str, kind: str) -> object:
    if kind == "date":
        return date.fromisoformat(text)
    if kind == "datetime":
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    return text


def administrative_row(record: Record) -> Row:
    """The ministry's row of an administrative unit."""
    table = MINISTRY.table(ADMINISTRATIVE)
    return Row(MINISTRY, table.name, f"{record['unit_code']},{record['vintage']}", record)
