"""The catalogue of the ministry's databases (``schemas/catalogue.yaml``): who owns what, and which have a dataset.

Called by the console, the documentation test and whoever needs a database's name or owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from sync.errors import ConfigError
from sync.schema.dataset import datasets
from sync.schema.document import Node, read
from sync.schema.location import schemas_root

FILE = "catalogue.yaml"
SECTIONS = ("databases", "registers", "children", "additional")

Sensitivity = Literal["none", "basic", "sensitive"]
DatabaseClass = Literal["national", "specialised"]


@dataclass(frozen=True, slots=True)
class Text:
    """The same text in Vietnamese and English."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Database:
    """One database. ``inferred`` owners are not named by a published text; ``dataset`` is a folder of ``schemas``.

    ``parent``: the dataset that a child's rows belong to (docs/adr/0011).
    """

    id: str
    name: Text
    owner: Text
    inferred: bool
    entity: Text
    key: tuple[str, ...]
    cls: DatabaseClass
    sensitivity: Sensitivity
    dataset: str | None
    parent: str | None = None


def databases() -> tuple[Database, ...]:
    """The 25 databases in the order of the ministry's lists; ConfigError naming the place of a mistake."""
    return _section("databases")


def registers() -> tuple[Database, ...]:
    """The registers of other ministries that records are matched with."""
    return _section("registers")


def children() -> tuple[Database, ...]:
    """The repeating groups of other datasets' records, as datasets of their own."""
    return _section("children")


def entries() -> tuple[Database, ...]:
    """All entries of the catalogue, in its order; ConfigError where a dataset has two."""
    found = tuple(entry for name in SECTIONS for entry in _section(name))
    names = [entry.dataset for entry in found if entry.dataset]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError(
                f"{FILE}: dataset {name} stands in two entries.", field=name, hint="Take one of them out."
            )
    return found


def _section(name: str) -> tuple[Database, ...]:
    node = read(schemas_root(), FILE).mapping(allowed=SECTIONS, needed=("databases",))
    found = tuple(_database(item) for item in node.get(name).items())
    ids = [database.id for database in found]
    for index, identity in enumerate(ids):
        if identity in ids[:index]:
            node.get(name).items()[index].fail(f"id {identity} is given twice.", "Give each database its own id.")
    return found


def _database(node: Node) -> Database:
    keys = ("id", "name", "owner", "entity", "key", "class", "sensitivity")
    node.mapping(allowed=(*keys, "dataset", "parent"), needed=keys)
    owner = node.get("owner").mapping(allowed=("vi", "en", "inferred"), needed=("vi", "en"))
    dataset, parent = node.get("dataset"), node.get("parent")
    return Database(
        id=node.get("id").text(),
        name=_text(node.get("name").mapping(allowed=("vi", "en"))),
        owner=_text(owner),
        inferred=owner.get("inferred").flag(),
        entity=_text(node.get("entity").mapping(allowed=("vi", "en"))),
        key=node.get("key").texts(),
        cls=cast(DatabaseClass, node.get("class").choice(("national", "specialised"))),
        sensitivity=cast(Sensitivity, node.get("sensitivity").choice(("none", "basic", "sensitive"))),
        dataset=None if dataset.absent else dataset.choice(datasets()),
        parent=None if parent.absent else parent.choice(datasets()),
    )


def _text(node: Node) -> Text:
    node.mapping(needed=("vi", "en"))
    return Text(vi=node.get("vi").text(), en=node.get("en").text())
