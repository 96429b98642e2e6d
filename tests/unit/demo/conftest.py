"""A small stage of three provinces, read once: everything drawn from it is a pure function."""

from __future__ import annotations

from datetime import date

import pytest

from sync.demo import database, world
from sync.demo.database import Layouts
from sync.demo.site import sites
from sync.demo.story import Stage
from sync.demo.world import World
from sync.schema.location import schemas_root

TODAY = date(2026, 11, 20)


@pytest.fixture(scope="session")
def there() -> World:
    """The world of seed 7."""
    return world.load(schemas_root(), seed=7, localities=3, today=TODAY)


@pytest.fixture(scope="session")
def layouts(there: World) -> Layouts:
    """The layouts of all its tables."""
    return database.layouts(schemas_root(), sites(there))


@pytest.fixture(scope="session")
def stage(there: World, layouts: Layouts) -> Stage:
    """A thousand people and their arrivals."""
    return Stage(there, sites(there), layouts.fields, layouts.datasets["civil_servant"].policy, 1000)
