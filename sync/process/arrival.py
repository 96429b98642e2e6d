"""The reconcile step's first half: the records of a batch become the newest versions of their contributions."""

from __future__ import annotations

from typing import Any

import polars as pl

from sync.kafka import Message
from sync.process.breach import Breaches
from sync.process.bridge import Output
from sync.process.entity import CODE_SHIFT, Entry, entry_key
from sync.process.ledger import Origin
from sync.process.move import MOVE, WORD, Moves
from sync.process.notice import Notices
from sync.process.outline import Contributions, Outlines
from sync.process.parked import PARK, park, unpark
from sync.process.person import REFER
from sync.process.reason import CODES
from sync.process.touched import Change, Contribution, Touched, datum
from sync.schema.dataset import Dataset

LIVE = ("u", REFER)
"""Operations of valid records that contribute."""


class Arrival:
    """Takes the valid records of one dataset and batch in."""

    def __init__(
        self, dataset: Dataset, outlines: Outlines, moves: Moves, notices: Notices, breaches: Breaches, output: Output
    ) -> None:
        self._dataset = dataset
        self._outlines = outlines
        self._moves = moves
        self._notices = notices
        self._breaches = breaches
        self._output = output

    def take(self, valid: list[Message], touched: Touched) -> Contributions | None:
        """Put the batch's records into the entities and return all live contributions, in the order of ``live``.

        The newest version of a source row wins, whatever the order of arrival. Known and new records are decoded
        together.
        """
        values: list[bytes] = []
        for number, entity in enumerate(touched.entities):
            for key, entry in entity.entries.items():
                if entry.value:
                    touched.live[number, key] = len(values)
                    values.append(entry.value)
        known = len(values)
        before = [CODES[entry.flags >> CODE_SHIFT] for entry in touched.contributors()]
        values += [message.value() or b"" for message in valid]
        if not values:
            return None
        found = self._outlines.read(values)
        frame = found.frame
        self._breaches.count(frame, enumerate(before), -1)
        last: dict[Contribution, Change] = {}
        afters = self._moves.after(frame[known:], map(datum, valid))
        for row, (message, origin, source, name, locality, version, op) in enumerate(
            zip(valid, *self._told(frame[known:]), strict=True), known
        ):
            contribution = touched.numbers[datum(message)], entry_key(source, name)
            if op == PARK:
                if park(touched, contribution, version, frame["_refusal"][row]):
                    self._moves.note(contribution, row)
                continue
            if op == WORD:
                self._moves.note(contribution, row)
                continue
            value = values[row] if op in LIVE else b""
            change = self._newest(touched, contribution, origin, locality, version, value, afters[row - known])
            if not change.superseded:
                if op == MOVE:
                    self._moves.note(contribution, row)
                if op in LIVE:
                    touched.live[contribution] = row
                if op == REFER:
                    touched.anew.add(contribution)
                if contribution in last:
                    last[contribution].superseded = True
                last[contribution] = change
            # A closing by an upsert elsewhere ("x"), or by a decision that was undone ("r"), is no change of its own;
            # nor is what was counted where it came in ("f").
            if op in ("u", "d"):
                touched.changes.append(change)
        self._moves.settle(touched, frame, self._notices, self._output)
        rows = list(touched.live.values())
        if not rows:
            return None
        return found if rows == list(range(len(frame))) else found.rows(rows)

    def _told(self, meta: pl.DataFrame) -> tuple[list[Any], ...]:
        """What valid records say of themselves, by column: origin, source, row, locality, version, operation."""
        names = ("_source", "_topic", "_partition", "_row", "_locality", "_version", "_op")
        sources, topics, partitions, *others = (meta[name].to_list() for name in names)
        known: dict[tuple[str, str, int], Origin] = {}
        origins = []
        for came in zip(sources, topics, partitions, strict=True):
            origin = known.get(came)
            if origin is None:
                origin = known[came] = Origin(*came, self._dataset.id)
            origins.append(origin)
        return origins, sources, *others

    def _newest(
        self,
        touched: Touched,
        contribution: Contribution,
        origin: Origin,
        locality: str | None,
        version: int,
        value: bytes,
        after: bytes,
    ) -> Change:
        """Let a version take its contribution's place, unless a newer one is there already: then it is superseded."""
        number, key = contribution
        entries = touched.entities[number].entries
        entry = entries.get(key)
        if entry is None:
            entry = entries[key] = Entry(version, 0, value, after)
            return Change(number, key, entry, origin, locality)
        change = Change(number, key, entry, origin, locality, version <= entry.version)
        if not change.superseded:
            entry.version, entry.value, entry.after = version, value, after
            parked = unpark(touched, contribution, version)
            if not value:
                touched.live.pop(contribution, None)
                self._notices.withdraw(change.entry, change.key, change.origin, locality, whole=parked)
            elif parked:
                touched.anew.add(contribution)
        return change
