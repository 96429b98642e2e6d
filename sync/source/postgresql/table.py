"""What a captured table looks like: columns with their resolved types, key and replica identity.

Built by ``catalog`` from the server's catalogs, used by the schemas and the transcoder. Pure data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from sync.record import TableId
from sync.source.postgresql.treatment import Treatment


@dataclass(frozen=True, slots=True)
class PgType:
    """A type after domains were resolved to their base (``domain`` tells that there was one).

    ``name`` is pg_type's (``int4``, ``numeric``; ``_text`` has ``element`` instead; ``record`` for a composite type);
    ``modifier`` is the raw typmod (-1: none), of money the fraction digits; ``labels`` are an enum's values in order.
    """

    name: str
    modifier: int = -1
    labels: tuple[str, ...] = ()
    element: PgType | None = None
    domain: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``optional`` is false where the table declares NOT NULL.

    ``default`` is the expression of its default as the server prints it, None for none and for generated columns. The
    rest is the configuration's (``shape``): whether it is ``captured``, what becomes of its values, and further
    parameters of its schema.
    """

    name: str
    type: PgType
    optional: bool = True
    default: str | None = None
    captured: bool = True
    treatment: Treatment | None = None
    parameters: tuple[tuple[str, str], ...] = ()


class Identity(Enum):
    """Replica identity: what an update or delete says of the old row (pg_class.relreplident)."""

    DEFAULT = "d"
    FULL = "f"
    INDEX = "i"
    NOTHING = "n"


@dataclass(frozen=True, slots=True)
class Table:
    """A captured table. ``key`` names the columns that identify a row, in key order; empty: none.

    ``filter`` is the publication's row filter (SQL), which a snapshot must apply too.
    """

    id: TableId
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    identity: Identity = Identity.DEFAULT
    filter: str | None = field(default=None, compare=False)

    def indexes(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Return the places of the named columns."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        return tuple(places[name] for name in names)
