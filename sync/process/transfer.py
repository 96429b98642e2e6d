"""Transfers of merged units as the reconcile step sees them: elements of an entity's set, beside its contributions.

``<dataset>.transfer`` has a record for each entity and plan, in the entity's partition. The newest revision is kept in
the entity's state; an undone one is kept for its revision, without a value. What a plan can't decide waits as a case of
stage ``transfer``, and a data steward's decision about it is one more element of the set (ADR 13). Golden records are
computed from all of them by ``sync.rule.transfer``, so neither order nor repetition counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from sync.kafka import Message
from sync.process.decision import SET, Case, Decided, facts
from sync.process.entity import REVIEW, TRANSFER, Entry, EntryKey, entity_key, entry_key, texts
from sync.process.notice import SEPARATOR
from sync.process.outbox import Outbox, Subjects
from sync.process.reader import FRAME, Reader
from sync.process.touched import Touched
from sync.rule.transfer import Passage, carry
from sync.schema.dataset import Dataset
from sync.schema.derived import topic

STAGE = "transfer"

AMBIGUOUS, UNKNOWN = "UNIT_AMBIGUOUS", "UNIT_UNKNOWN"

_MESSAGES = {
    AMBIGUOUS: (
        "Đơn vị cũ được chia cho nhiều đơn vị mới: hãy chọn đơn vị kế thừa",
        "The old unit went to several new units: choose the successor",
    ),
    UNKNOWN: (
        "Chưa biết đơn vị kế thừa của đơn vị cũ: hãy chọn đơn vị mới",
        "The successor of the old unit is not known: give the new unit",
    ),
}


class Move(NamedTuple):
    """What a plan does to one field: ``old`` → ``new``.

    ``waits``: only once a data steward has decided the record's case; ``new`` is None where the plan has no successor,
    ``candidates`` are those that come into question.
    """

    field: str
    old: str
    new: str | None
    waits: bool
    candidates: tuple[str, ...] = ()


class Transfer(NamedTuple):
    """One entity's part of a plan."""

    plan: str
    sequence: str
    moves: tuple[Move, ...]

    @property
    def waiting(self) -> tuple[Move, ...]:
        """The moves that a data steward decides about."""
        return tuple(move for move in self.moves if move.waits)

    @property
    def facts(self) -> str:
        """What a decision about the waiting moves is bound to."""
        return facts({"waiting": self.waiting})


def moves_text(moves: Iterable[Move]) -> str:
    """The field ``moves`` of ``sync.schema.derived.transfer_schema``."""
    return json.dumps([move._asdict() for move in moves], ensure_ascii=False)


def read(record: Mapping[str, Any]) -> Transfer:
    """A transfer from its topic's value."""
    moves = [Move(**{**move, "candidates": tuple(move["candidates"])}) for move in json.loads(record["moves"])]
    return Transfer(record["plan"], record["sequence"], tuple(moves))


def case_of(dataset: str, entity: str, plan: str) -> Case:
    """The case of an entity's waiting moves; ``entity``: its key as text."""
    return Case(dataset, STAGE, TRANSFER, f"{plan}/{entity}")


class Resolved(NamedTuple):
    """``passages``: what is done to an entity's fields, in order. ``undecided``: transfers with moves that wait."""

    passages: list[Passage]
    undecided: list[Transfer]


def resolve(dataset: str, number: int, entity: str, transfers: Iterable[Transfer], by: Decided) -> Resolved:
    """What ``transfers`` and the decisions about them do to the entity with this ``number`` and key."""
    resolved = Resolved([], [])
    for transfer in sorted(transfers, key=lambda one: (one.sequence, one.plan)):
        given: Mapping[str, str] | None = None
        if transfer.waiting:
            decision = by.of(case_of(dataset, entity, transfer.plan)).decision
            if decision is None or decision.facts != transfer.facts:
                resolved.undecided.append(transfer)
            elif decision.action == SET:
                given = decision.changes
        for move in transfer.moves:
            new = move.new
            if move.waits:
                new = None if given is None else given.get(move.field, new)
            if new is not None:
                resolved.passages.append(Passage(number, move.field, move.old, new, transfer.plan))
    return resolved


def entity_of(message: Message) -> bytes:
    """The datum of the entity's key that a transfer's key begins with."""
    return entity_key(texts((message.key() or b"")[FRAME:])[:-1])


class Transfers:
    """The transfers of one dataset in one batch."""

    def __init__(
        self, dataset: Dataset, subjects: Subjects, by: Decided, reader: Reader, outbox: Outbox, at: int
    ) -> None:
        """``at``: the time at which cases are opened, microseconds since 1970."""
        self._dataset = dataset
        self._subjects = subjects
        self._by = by
        self._reader = reader
        self._outbox = outbox
        self._at = at

    def take(self, messages: Sequence[Message], touched: Touched) -> None:
        """Put the transfers that arrived into their entities; the greatest revision of a plan holds."""
        there = [(message, value) for message in messages if (value := message.value()) is not None]
        if not there:
            return
        told = self._reader.read([value for _, value in there]).select("plan", "revision", "action")
        for (message, value), (plan, revision, action) in zip(there, told.iter_rows(), strict=True):
            transfers = touched.entities[touched.numbers[entity_of(message)]].transfers
            key = entry_key(TRANSFER, plan)
            entry = transfers.setdefault(key, Entry(0, 0, b""))
            if revision > entry.version:
                entry.version, entry.value = revision, value if action == "apply" else b""

    def carry(self, touched: Touched, frame: pl.DataFrame | None) -> pl.DataFrame | None:
        """The contributions with old codes read as new ones; opens and closes the cases of what waits."""
        if not any(entity.transfers for entity in touched.entities):
            return frame
        transfers = self._live(touched)
        passages: list[Passage] = []
        undecided: dict[tuple[int, EntryKey], Transfer] = {}
        for number, held in transfers.items():
            found = resolve(self._dataset.id, number, self._text(touched, number), held, self._by)
            passages += found.passages
            undecided.update(((number, entry_key(TRANSFER, one.plan)), one) for one in found.undecided)
        if frame is not None and passages:
            frame = carry(frame, passages)
        wanted = _still_held(undecided, frame)
        for number, entity in enumerate(touched.entities):
            for key, entry in entity.transfers.items():
                self._tell(touched, number, key, entry, undecided[number, key] if (number, key) in wanted else None)
        return frame

    def _live(self, touched: Touched) -> dict[int, list[Transfer]]:
        """The transfers in force, by entity."""
        places = [
            (number, entry.value)
            for number, entity in enumerate(touched.entities)
            for entry in entity.transfers.values()
            if entry.value
        ]
        found: dict[int, list[Transfer]] = {}
        if places:
            records = self._reader.read([value for _, value in places]).select("plan", "sequence", "moves")
            for (number, _), record in zip(places, records.iter_rows(named=True), strict=True):
                found.setdefault(number, []).append(read(record))
        return found

    def _text(self, touched: Touched, number: int) -> str:
        return SEPARATOR.join(texts(touched.keys[number]))

    def _tell(self, touched: Touched, number: int, key: EntryKey, entry: Entry, waiting: Transfer | None) -> None:
        """Open the case of a transfer that waits, or close it."""
        if bool(entry.flags & REVIEW) == (waiting is not None):
            return
        entity = self._text(touched, number)
        plan = texts(key)[1] if waiting is None else waiting.plan
        case = case_of(self._dataset.id, entity, plan)
        identity = {"source": case.source, "row": case.row}
        entry.flags ^= REVIEW
        if waiting is None:
            self._outbox.add(self._subjects.review(self._dataset), identity, None)
            return
        code = AMBIGUOUS if any(len(move.candidates) > 1 for move in waiting.waiting) else UNKNOWN
        about = {
            "dataset": self._dataset.id,
            **identity,
            "topic": topic(self._dataset.id, STAGE),
            "partition": touched.partitions[number],
            "entity": entity,
            "locality": touched.entities[number].locality,
            "stage": STAGE,
            "code": code,
            "message_vi": _MESSAGES[code][0],
            "message_en": _MESSAGES[code][1],
            "proposals": _proposals(waiting),
            "opened_at": self._at,
            "status": "open",
            "facts": waiting.facts,
        }
        self._outbox.add(self._subjects.review(self._dataset), identity, about)


def _proposals(transfer: Transfer) -> str:
    """The candidates of each waiting move; no value where none is known."""
    told = [
        {"field": move.field, "rule": f"TRANSFER {transfer.plan}", "old": move.old, "value": value}
        for move in transfer.waiting
        for value in ((move.new,) if move.new is not None else move.candidates or (None,))
    ]
    return json.dumps(told, ensure_ascii=False)


def _still_held(
    undecided: Mapping[tuple[int, EntryKey], Transfer], frame: pl.DataFrame | None
) -> set[tuple[int, EntryKey]]:
    """Those of ``undecided`` whose old units a contribution still names: with all others live changes are newer."""
    if not undecided or frame is None:
        return set()
    fields = {move.field for transfer in undecided.values() for move in transfer.waiting}
    there = [field for field in sorted(fields) if field in frame.columns]
    numbers = {number for number, _ in undecided}
    rows = frame.filter(pl.col("_e").is_in(list(numbers))).select("_e", *there)
    held = {(row["_e"], field, row[field]) for row in rows.iter_rows(named=True) for field in there}
    return {
        (number, key)
        for (number, key), transfer in undecided.items()
        if any((number, move.field, move.old) in held for move in transfer.waiting)
    }
