"""What is still to be judged: records that changed, and those that ask for a value whose count changed.

A mark settles first: what changes back in time, or is followed by what it asks for, is never told. While a load comes
in everything waits for its end, within ``PATIENCE``. Marks are in memory alone, and bounded: where there are too many,
or they may be lost (a restart, an aborted batch), all records of the dataset are judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from sync.process.relation.index import Index, askers, ids, told
from sync.process.relation.layout import Kept

SETTLE = 1.0
"""Seconds that a mark waits at least, and twice that at most."""

LOAD = 1000
"""Records within a settling time from which on a load is on its way."""

PATIENCE = 600.0
"""Seconds that a load is waited for."""

MARKS = 50_000
"""Marks of a dataset that are kept; with more of them all its records are judged."""


@dataclass(slots=True)
class _Marks:
    """Of one dataset. ``values``: target and value; ``all``: everything is to be judged."""

    kept: Kept
    own: dict[bytes, None] = field(default_factory=dict)
    values: dict[tuple[int, bytes], None] = field(default_factory=dict)
    all: bool = False

    def bound(self) -> None:
        """Give way to judging everything where there are too many."""
        if self.all or len(self.own) + len(self.values) > MARKS:
            self.all = True
            self.own.clear()
            self.values.clear()

    def ids(self, index: Index) -> Iterator[bytes]:
        """The records that are to be judged, perhaps one more than once."""
        if self.all:
            yield from ids(index, self.kept.golden)
            # A record that is gone has no entry any more.
            yield from told(index, self.kept.findings)
            return
        yield from self.own
        for number, text in self.values:
            yield from askers(index, self.kept.golden, number, text)


_Stage = dict[str, _Marks]
"""Marks by dataset."""


class Backlog:
    """Marks on their way: collected, waiting, due. ``turn`` moves them on; ``take`` hands out what is due."""

    def __init__(self, index: Index, settle: float = SETTLE) -> None:
        self._index = index
        self._settle = settle
        self._collected: _Stage = {}
        self._waiting: _Stage = {}
        self._due: list[tuple[Kept, Iterator[bytes]]] = []
        self._turned = float("-inf")
        self._arrived = 0
        self._held: float | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._collected, self._waiting, self._due = {}, {}, []

    def mark(self, kept: Kept, records: Iterable[bytes]) -> None:
        """These records changed."""
        marks = self._of(kept)
        if not marks.all:
            marks.own.update(dict.fromkeys(records))
            marks.bound()

    def mark_value(self, kept: Kept, number: int, text: bytes) -> None:
        """The count of a value changed that records of the dataset ask for."""
        marks = self._of(kept)
        if not marks.all:
            marks.values[number, text] = None
            marks.bound()

    def mark_all(self, kept: Kept) -> None:
        """All records of the dataset are to be judged."""
        marks = self._of(kept)
        marks.all = True
        marks.bound()

    def hasten(self, kept: Kept, records: Iterable[bytes]) -> None:
        """These records are to be judged at once: a person waits for it."""
        self._due.append((kept, iter(list(records))))

    def arrived(self, records: int) -> None:
        """So many records came in."""
        self._arrived += records

    def turn(self, now: float) -> bool:
        """Move the marks on if it is time (seconds, of any clock that is steady); whether something is due."""
        if not self._due and now - self._turned >= self._settle and not self._loading(now):
            self._due = [(marks.kept, marks.ids(self._index)) for marks in self._waiting.values()]
            self._waiting, self._collected, self._turned = self._collected, {}, now
        return bool(self._due)

    def take(self, most: int) -> tuple[Kept, list[bytes]] | None:
        """Up to ``most`` records of one dataset that are due, each once; None where nothing is due any more."""
        while self._due:
            kept, left = self._due[0]
            found = list(dict.fromkeys(islice(left, most)))
            if found:
                return kept, found
            self._due.pop(0)
        return None

    def empty(self) -> bool:
        """Whether nothing is to be judged."""
        return not (self._collected or self._waiting or self._due)

    def _loading(self, now: float) -> bool:
        """Whether a load is on its way that is still waited for."""
        arrived, self._arrived = self._arrived, 0
        if arrived < LOAD:
            self._held = None
            return False
        self._held = now if self._held is None else self._held
        self._turned = now
        return now - self._held < PATIENCE

    def _of(self, kept: Kept) -> _Marks:
        return self._collected.setdefault(kept.dataset.id, _Marks(kept))
