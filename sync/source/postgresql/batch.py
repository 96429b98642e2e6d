"""What one Kafka transaction of a source will hold.

Filled by ``capture``, ``snapshot`` and ``incremental``; committed by the task.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sync.record import Position
from sync.source.postgresql.route import Route

Record = tuple[bytes | None, bytes | None]
"""Key and value in wire form."""


@dataclass(slots=True)
class Gap:
    """A record that lacks the values of some columns.

    ``index`` is its place among the topic's records, ``parts`` its bytes in pieces (``route.Route.key`` tells how),
    ``places`` the columns' and ``row`` the texts of the key's columns.
    """

    route: Route
    index: int
    parts: list[bytes]
    places: tuple[int, ...]
    row: tuple[bytes, ...]


@dataclass(slots=True)
class Batch:
    """What one Kafka transaction will hold. Counts are by topic and op; ``changes`` counts both kinds.

    ``snapshot`` is true while rows are still to be read; ``extra`` is what the source offset holds besides. ``gaps``
    are records with placeholders, where they are to be filled.
    """

    outputs: defaultdict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    captured: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    suppressed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    changes: int = 0
    transactions: int = 0
    position: Position = field(default_factory=lambda: Position(0))
    committed_us: int = 0
    gaps: list[Gap] = field(default_factory=list)
    snapshot: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.changes > 0 or any(self.outputs.values())
