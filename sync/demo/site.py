"""The databases of the demo: population register, ministry, localities and the centre, with their layouts.

A site is one database and one source connector (its name is the ``topic.prefix``). Localities take turns in
three habits of naming columns and writing values. Used by all of ``sync.demo``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.demo.world import World

CENTRE = "trungtam"
RETURN_SCHEMA = "dongbo"
HABITS = ("vn_short", "staff_message", "vn_title")
"""Mappings of the localities, in turn; each is a file in ``schemas/<dataset>/mapping``."""

RETURNED = ("civil_servant", "organization_unit", "administrative_unit")
"""Datasets written back to every locality, into tables of the schema ``dongbo``."""


@dataclass(frozen=True, slots=True)
class Table:
    """One captured table and how it maps: ``schema.table``, dataset, mapping name."""

    name: str
    dataset: str
    mapping: str


@dataclass(frozen=True, slots=True)
class Site:
    """One database. ``name`` is the database's name, the source's name and the topic prefix at once."""

    name: str
    authority: str
    locality: str | None
    tables: tuple[Table, ...]

    def table(self, dataset: str) -> Table:
        """The site's own table for ``dataset`` (not the return table)."""
        return next(table for table in self.tables if table.dataset == dataset and not returned(table.name))

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that its source connector writes."""
        return tuple(f"{self.name}.{table.name}" for table in self.tables)


def returned(table: str) -> bool:
    """Whether ``table`` is one that our sinks write."""
    return table.startswith(f"{RETURN_SCHEMA}.")


REGISTER = Site("dancu", "register", None, (Table("public.cong_dan", "population", "npdb"),))

MINISTRY = Site(
    "bonoivu",
    "ministry",
    None,
    (
        Table("public.ho_so", "civil_servant", "ministry"),
        Table("public.don_vi", "organization_unit", "ministry"),
        Table("public.don_vi_hanh_chinh", "administrative_unit", "ministry"),
    ),
)


def locality(world: World, province: str) -> Site:
    """The database of ``province``: its habit follows from its place among the connected ones."""
    habit = HABITS[world.connected.index(province) % len(HABITS)]
    tables = (
        Table("public.can_bo", "civil_servant", habit),
        Table("public.don_vi", "organization_unit", habit),
        Table(f"{RETURN_SCHEMA}.civil_servant", "civil_servant", "canonical"),
    )
    return Site(f"tinh_{province}", "locality", province, tables)


def sites(world: World) -> tuple[Site, ...]:
    """Register, ministry, then the localities."""
    return (REGISTER, MINISTRY, *(locality(world, province) for province in world.connected))
