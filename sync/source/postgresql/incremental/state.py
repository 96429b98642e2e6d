"""What is left of incremental snapshots, as the source offset keeps it. Pure.

Each batch that holds a chunk's rows holds the state after the chunk, so that a restart goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = list[str]
"""A key's values in PostgreSQL's text form."""


@dataclass(slots=True)
class Collection:
    """One table to read: rows of ``condition``, by ``surrogate`` or its key, after ``last`` up to ``maximum``."""

    table: str
    signal: str
    condition: str | None = None
    surrogate: str | None = None
    last: Key | None = None
    maximum: Key | None = None

    def encode(self) -> dict[str, Any]:
        """Return the JSON object."""
        names = ("table", "signal", "condition", "surrogate", "last", "maximum")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(slots=True)
class State:
    """The tables to read in order; ``offset`` is the next one of the topic of signals."""

    queue: list[Collection] = field(default_factory=list)
    paused: bool = False
    offset: int | None = None

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
        return state

    @classmethod
    def decode(cls, stored: Mapping[str, Any]) -> State:
        """Read what ``encode`` wrote. TypeError where it isn't that."""
        queue = [Collection(**item) for item in stored.get("queue", ())]
        return cls(queue, bool(stored.get("paused", False)), stored.get("offset"))
