"""What of a snapshot is finished, as the source offset keeps it, and which changes it already holds.

A table with one indexed integer key is finished range by range; any other table as a whole. Each finished part is of
one *view*: number 0 is the slot's exported snapshot, with which the log continues exactly; a later one was taken by a
restart, and holds changes that the log, read from the slot's position, will repeat. ``holds`` tells those. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_XIDS = 1 << 32


@dataclass(frozen=True, slots=True)
class View:
    """One snapshot of the database, by ``pg_current_snapshot()``; ``end`` is a log position after all it holds."""

    xmin: int
    xmax: int
    running: frozenset[int]
    end: int

    @classmethod
    def parse(cls, text: str, end: int) -> View:
        """Read ``xmin:xmax:xid,xid``. ValueError."""
        xmin, xmax, running = text.split(":")
        return cls(int(xmin), int(xmax), frozenset(int(xid) for xid in running.split(",") if xid), end)

    def text(self) -> str:
        """Return PostgreSQL's form."""
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.running)))}"

    def holds(self, xid: int) -> bool:
        """Tell whether a committed transaction is part of the view. ``xid``: the log's 32 bits of it."""
        # Half of the numbers are before, half after: as PostgreSQL compares them.
        whole = self.xmax + (xid - self.xmax + _XIDS // 2) % _XIDS - _XIDS // 2
        return whole < self.xmax and whole not in self.running


@dataclass(frozen=True, slots=True)
class Range:
    """Keys above ``low`` up to ``high``; None is no bound."""

    low: int | None
    high: int | None

    def __contains__(self, key: int) -> bool:
        return (self.low is None or key > self.low) and (self.high is None or key <= self.high)


@dataclass(slots=True)
class TableProgress:
    """What of a table is finished: ``parts`` by view in the order of keys, or ``whole``, the view of all of it.

    ``key`` is the column of the ranges. ``begun`` is true once a record was written.
    """

    key: str | None = None
    parts: list[tuple[Range, int]] = field(default_factory=list)
    whole: int | None = None
    begun: bool = False

    @property
    def finished(self) -> bool:
        """True when nothing is left."""
        return self.whole is not None or not self.left()

    def add(self, done: Range, view: int) -> None:
        """Note a range, which must not overlap with another."""
        parts = sorted([*self.parts, (done, view)], key=lambda part: (part[0].low is not None, part[0].low or 0))
        joined = [parts[0]]
        for following, of in parts[1:]:
            last, before = joined[-1]
            if of == before and last.high == following.low and last.high is not None:
                joined[-1] = (Range(last.low, following.high), of)
            else:
                joined.append((following, of))
        self.parts = joined

    def left(self) -> list[Range]:
        """Return the ranges that are not finished, in order."""
        left, low = [], None
        for part, _ in self.parts:
            if part.low != low:
                left.append(Range(low, part.low))
            if part.high is None:
                return left
            low = part.high
        return [*left, Range(low, None)]

    def view(self, key: int | None) -> int:
        """Return the view in which a row was read; 0 where it is not known."""
        if self.whole is not None:
            return self.whole
        if key is not None:
            for part, view in self.parts:
                if key in part:
                    return view
        return 0


class Progress:
    """The progress of one snapshot by table name, and its views after the first."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self.tables: dict[str, TableProgress] = {}

    def table(self, name: str) -> TableProgress:
        """Return a table's progress, a new one at first."""
        return self.tables.setdefault(name, TableProgress())

    def resume(self, view: View) -> int:
        """Add the view of a restart; return its number."""
        self.views.append(view)
        return len(self.views)

    def keep(self, names: Iterable[str]) -> None:
        """Forget the tables that are not captured any more."""
        kept = set(names)
        self.tables = {name: table for name, table in self.tables.items() if name in kept}

    @property
    def end(self) -> int:
        """The log position from which on no change is held by a view."""
        return max((view.end for view in self.views), default=0)

    def held(self) -> Progress:
        """Return the part that the stream needs: what was read in later views."""
        needed = Progress()
        needed.views = self.views
        for name, table in self.tables.items():
            parts = [(part, view) for part, view in table.parts if view]
            if parts or table.whole:
                needed.tables[name] = TableProgress(table.key, parts, table.whole, table.begun)
        return needed

    def holds(self, name: str, key: int | None, xid: int) -> bool:
        """Tell whether a row's change by ``xid`` is in what was read of the row's table."""
        table = self.tables.get(name)
        if table is None:
            return False
        view = table.view(key)
        return view > 0 and self.views[view - 1].holds(xid)

    def touches(self, name: str, xid: int) -> bool:
        """Tell whether ``xid`` is in any later view in which rows of the table were read."""
        table = self.tables.get(name)
        if table is None:
            return False
        views = {view for _, view in table.parts} | {table.whole or 0}
        return any(view > 0 and self.views[view - 1].holds(xid) for view in views)

    def encode(self) -> dict[str, Any]:
        """Return the JSON object for the source offset."""
        tables: dict[str, Any] = {}
        for name, table in self.tables.items():
            state: dict[str, Any] = {"whole": table.whole} if table.whole is not None else {}
            if table.parts:
                state["parts"] = [[part.low, part.high, view] for part, view in table.parts]
                state["key"] = table.key
            if table.begun and table.whole is None:
                state["begun"] = True
            if state:
                tables[name] = state
        return {"views": [[view.text(), view.end] for view in self.views], "tables": tables}

    @classmethod
    def decode(cls, stored: Mapping[str, Any]) -> Progress:
        """Read what ``encode`` wrote. ValueError, KeyError or TypeError where it isn't that."""
        progress = cls()
        progress.views = [View.parse(text, int(end)) for text, end in stored["views"]]
        for name, state in stored["tables"].items():
            parts = [(Range(low, high), int(view)) for low, high, view in state.get("parts", ())]
            progress.tables[name] = TableProgress(
                state.get("key"), parts, state.get("whole"), bool(state.get("begun", False))
            )
        return progress
