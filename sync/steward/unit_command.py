"""``dongbo unit``: what a code or name of an administrative unit means, and what became of the unit.

Thin: ``sync.rule.unit`` knows, this prints. Needs nothing but the reference tables.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import typer

from sync.connect.telling import print_json, tell, told
from sync.errors import ConfigError
from sync.rule.unit import Resolution, Unit, units
from sync.schema.reference import load_reference

unit = typer.Typer(no_args_is_help=True, help="Administrative units of both lists: before and from 2025-07-01.")

TABLES = ("provinces", "provinces_old", "communes", "districts_old", "commune_resolution")


@unit.callback()
def group() -> None:
    """Administrative units of both lists."""


@unit.command()
def resolve(
    text: Annotated[
        str, typer.Argument(help="A code (2, 3 or 5 digits), or a name and what it lies in: 'P.1, Q.3, TP.HCM'.")
    ],
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day on which it was said; without, both lists answer."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Tell what a code or a name of a province, district or commune means, and which unit it is today."""
    with told():
        found = resolutions(text, on.date() if on else None)
        if as_json:
            print_json([_described(each) for each in found])
            return
        for each in found:
            tell(in_words(each))


def resolutions(text: str, on: date | None) -> tuple[Resolution, ...]:
    """What ``text`` can mean; ConfigError that names it where no list has it."""
    known = units(load_reference(TABLES))
    code = text.strip()
    resolve = known.resolve if code.isdecimal() else known.find
    found = resolve(code, on=on)
    if not found and on is not None and resolve(code, on=None):
        raise ConfigError(
            f"{text} is no administrative unit on {on}, but it is one on another day.",
            hint="Leave --on out to see when, and what became of it.",
        )
    if not found:
        when = f" on {on}" if on else ""
        raise ConfigError(
            f"{text} is no code or name of an administrative unit{when}.",
            hint="Give 2 digits for a province, 3 for a district, 5 for a commune, with their zeros; or a name, an old "
            "commune with its district.",
        )
    return found


_MEANING = {
    "UNIQUE": "is now",
    "UNIQUE_BY_POPULATION": "was split by area, all its people belong to",
    "AMBIGUOUS": "was split, its owner chooses among",
    "NO_MAPPING": "is not in the official table of conversion",
}


def in_words(resolution: Resolution) -> str:
    """A resolution in words, one line for each unit it leads to."""
    unit = resolution.unit
    line = f"{unit.code}  {unit.name}  ({unit.level}, {unit.vintage}, province {unit.province}"
    line += f", district {unit.district})" if unit.district and unit.level == "commune" else ")"
    if resolution.status == "CURRENT":
        return line
    line += f"  {resolution.status}: {_MEANING[resolution.status]}"
    if resolution.current is not None:
        return f"{line} {resolution.current.code} {resolution.current.name}"
    parts = [f"    {part.unit.code}  {part.unit.name}  ({part.relation})" for part in resolution.successors]
    return "\n".join((line, *parts))


def _described(resolution: Resolution) -> dict[str, Any]:
    return {
        **_unit(resolution.unit),
        "status": resolution.status,
        "current": _unit(resolution.current) if resolution.current else None,
        "successors": [{**_unit(part.unit), "relation": part.relation} for part in resolution.successors],
    }


def _unit(unit: Unit) -> dict[str, str | None]:
    return {
        "code": unit.code,
        "name": unit.name,
        "level": unit.level,
        "vintage": unit.vintage,
        "province": unit.province,
        "district": unit.district,
    }
