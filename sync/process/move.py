"""Who has the word about a source row that moved from one entity to another, as when a personal number is corrected.

Verdict and review of a row have one key, whatever entity the row contributes to; but entities are in partitions of
their own, which are read apart. So the former entity, far behind, may speak after the present one did. Therefore a
closing by a move withdraws nothing. It passes the word on: a record ``w`` to the entity that the row went to, in the
transaction of the last that the former one says. Whoever gets the word says all of it anew, and that there is nothing
to say too; from whom the row has moved on meanwhile, it goes on to the next. In the next one's partition the row
itself always comes before the word, so the word goes by growing versions, ends where the row is, and is the last.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sync.process.bridge import Output
from sync.process.entity import MOVED, RETRACTED, texts
from sync.process.notice import Notices
from sync.process.outbox import Subject, encode, partition_of
from sync.process.touched import Contribution, Touched
from sync.schema.dataset import Dataset
from sync.schema.derived import VALID_META

MOVE, RETRACT, WORD = "x", "r", "w"
"""Operations of valid records: a closing by a move, one by an undone decision, the word passed on."""


class Moves:
    """Passes the word on among the entities of one dataset in one batch."""

    def __init__(self, dataset: Dataset, valid: Subject, partitions: int) -> None:
        """``valid``: the dataset's topic; ``partitions``: how many it has."""
        self._dataset = dataset
        self._valid = valid
        self._partitions = partitions
        self._due: dict[Contribution, int] = {}

    def after(self, frame: pl.DataFrame, entities: Iterable[bytes]) -> list[bytes]:
        """What comes after each record of ``frame`` if it closes a contribution (``Entry.after``).

        ``entities``: the key data under which the records came. A move that names the entity that it leaves, as earlier
        versions wrote it, is a mere closing.
        """
        found = [RETRACTED if op == RETRACT else b"" for op in frame["_op"].to_list()]
        rows = (frame["_op"] == MOVE).arg_true().to_list()
        if rows:
            came = list(entities)
            keys = self._valid.key.encode(frame[rows].select(self._dataset.key))
            for row, key in zip(rows, keys, strict=True):
                found[row] = MOVED + key if key != came[row] else b""
        return found

    def note(self, contribution: Contribution, row: int) -> None:
        """The word about a contribution is to be passed on, or has come; ``row``: where the frame tells of it."""
        self._due[contribution] = row

    def settle(self, touched: Touched, frame: pl.DataFrame, notices: Notices, output: Output) -> None:
        """Take the word, pass it on, or say that nothing stands, as the contributions are at the batch's end."""
        passed: list[tuple[int, bytes]] = []
        for (number, key), row in self._due.items():
            entry = touched.entities[number].entries.get(key)
            refusal = touched.refusal((number, key))
            if refusal is not None and (entry is None or not entry.value):
                notices.refuse(refusal)
                continue
            if entry is None or entry.after == RETRACTED:
                continue
            if entry.value:
                touched.anew.add((number, key))
            elif entry.after:
                passed.append((row, entry.after[len(MOVED) :]))
            else:
                notices.silence(key, frame["_locality"][row])
        if passed:
            self._pass(frame, passed, output)

    def _pass(self, frame: pl.DataFrame, passed: list[tuple[int, bytes]], output: Output) -> None:
        # Records of an earlier version of the schema may lack one.
        names = [name for name in VALID_META if name in frame.columns]
        told = frame[[row for row, _ in passed]].select(names).to_dicts()
        words = [
            {**meta, **dict(zip(self._dataset.key, texts(entity), strict=True)), "_op": WORD, "_refusal": None}
            for meta, (_, entity) in zip(told, passed, strict=True)
        ]
        values = encode(self._valid.value, words, self._valid.value_header)
        output.records.setdefault(self._valid.topic, []).extend(
            (self._valid.key_header + entity, value, partition_of(entity, self._partitions))
            for value, (_, entity) in zip(values, passed, strict=True)
        )
