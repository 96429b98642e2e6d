"""What is left of incremental snapshots, as the source offset keeps it. Pure.

Each batch that holds a chunk's rows holds the state after the chunk, so that a restart goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sync.errors import PositionLost

Key = list[str]
"""A key's values in PostgreSQL's text form."""


@dataclass(slots=True)
class Collection:
    """One table to read: rows of ``condition``, by ``surrogate`` or its key, after ``last`` up to ``maximum``.

    ``rows`` were read.
    """

    table: str
    signal: str
    condition: str | None = None
    surrogate: str | None = None
    last: Key | None = None
    maximum: Key | None = None
    rows: int = 0

    def encode(self) -> dict[str, Any]:
        """Return the JSON object."""
        names = ("table", "signal", "condition", "surrogate", "last", "maximum", "rows")
        return {name: value for name in names if (value := getattr(self, name)) not in (None, 0)}


@dataclass(frozen=True, slots=True)
class Blocking:
    """A snapshot to read while nothing streams: of ``tables``, of some by a statement of the signal's own."""

    signal: str
    tables: list[str]
    statements: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """The tables to read in order; ``offset`` is the next one of the topic of signals. ``blocking`` goes first."""

    queue: list[Collection] = field(default_factory=list)
    paused: bool = False
    offset: int | None = None
    blocking: list[Blocking] = field(default_factory=list)

    @property
    def tables(self) -> list[str]:
        """The names of the tables that wait or are being read."""
        return [collection.table for collection in self.queue]

    def add(self, collection: Collection) -> None:
        """Put a table to the end of the queue."""
        self.queue.append(collection)

    def remove(self, tables: Names[str] | None) -> None:
        """Take tables out of the queue; None: all."""
        self.queue = [] if tables is None else [item for item in self.queue if item.table not in tables]

    def encode(self) -> dict[str, Any]:
        """Return the JSON object for the source offset; empty where there is nothing to keep."""
        state: dict[str, Any] = {}
        if self.queue:
            state["queue"] = [collection.encode() for collection in self.queue]
        if self.paused:
            state["paused"] = True
        if self.offset is not None:
            state["offset"] = self.offset
        if self.blocking:
            state["blocking"] = [asdict(request) for request in self.blocking]
        return state

    @classmethod
    def decode(cls, stored: Mapping[str, Any]) -> State:
        """Read what ``encode`` wrote. PositionLost where it isn't that."""
        try:
            queue = [Collection(**item) for item in stored.get("queue", ())]
            blocking = [Blocking(**item) for item in stored.get("blocking", ())]
            return cls(queue, bool(stored.get("paused", False)), stored.get("offset"), blocking)
        except (TypeError, AttributeError) as error:
            raise PositionLost(
                "The state of incremental snapshots in the connector's stored offset can't be read.",
                hint="take 'incremental' out of the connector's offset; running incremental snapshots are then lost",
            ) from error


def of_offset(extra: Mapping[str, Any]) -> State:
    """Return the state in what a source offset holds besides its position (``offset.EXTRA``). PositionLost."""
    return State.decode(extra.get("incremental") or {})


def without(extra: Mapping[str, Any], request: Blocking) -> dict[str, Any]:
    """Return what the source offset holds once a blocking snapshot is done."""
    state = of_offset(extra)
    state.blocking = [item for item in state.blocking if item != request]
    rest = {name: value for name, value in extra.items() if name != "incremental"}
    return rest | ({"incremental": state.encode()} if state.encode() else {})
