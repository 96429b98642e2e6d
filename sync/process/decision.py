"""Data stewards' decisions as the processors see them: read whole, in the order in which they were made.

A decision is bound to a source row, to the stage at which its case was open, and to the facts that it was made on
(``facts``). It is an element of the set that a result is computed from, beside the contributions: it holds for every
later version of the row with the same facts, after a restart and after a replay. With other facts the case is open
again. An undo takes one decision back; what was decided before it then holds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, Protocol

from sync.errors import Refused, Unreadable
from sync.kafka.feed import Feed, Item
from sync.schema.avro import decode_one, split
from sync.schema.dataset import Dataset
from sync.schema.registry import RegistryClient

log = logging.getLogger(__name__)

Stage = Literal["validate", "reconcile", "transfer", "alias", "relation"]

ACCEPT, REJECT, SET, CHOOSE, MERGE, ASSIGN, UNDO = "accept", "reject", "set", "choose", "merge", "assign", "undo"
"""What a person can do. ``choose`` is ``set`` of the key to the number of a candidate of the register; ``merge`` says
of two numbers which one is their person's.
"""

ALIAS = "alias"
"""The stage of a case about two numbers; its row is both with ``|`` between (``sync.process.alias``)."""

RELATION = "relation"
"""The stage of a case about a golden record beside other datasets'; its row is its key (``sync.process.relation``)."""

DECIDED = "DECISION"
"""The rule that stands beside what a person decided: a field set, a record refused."""


class Case(NamedTuple):
    """What a decision is about."""

    dataset: str
    stage: str
    source: str
    row: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision; the fields are those of ``sync.schema.derived.decision_schema``."""

    id: str
    case: Case
    topic: str
    partition: int
    key: bytes
    entity: str | None
    facts: str
    action: str
    changes: Mapping[str, str]
    undoes: str | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What holds for a case: the decision in force, or None, and how many were made, undoings included."""

    decision: Decision | None
    revision: int


NO_RULING = Ruling(None, 0)


def facts(values: Mapping[str, Any]) -> str:
    """The digest of what a decision is made on; a change of it opens the case again."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def read(record: Mapping[str, Any]) -> Decision:
    """A decision from its topic's value. Raises Unreadable for a merge that does not say which number is right."""
    made = Decision(
        id=record["id"],
        case=Case(record["dataset"], record["stage"] or "", record["source"], record["row"]),
        topic=record["topic"],
        partition=record["partition"] or 0,
        key=record["key"] or b"",
        entity=record["entity"],
        facts=record["facts"] or "",
        action=record["action"],
        changes=json.loads(record["changes"] or "{}"),
        undoes=record["undoes"],
    )
    numbers = made.case.row.split("|")
    if made.action == MERGE and not (
        len(numbers) == 2 and [*made.changes.values()] in ([number] for number in numbers)
    ):
        raise Unreadable("A merge of two numbers names neither of them as the right one.")
    return made


def ruling(made: Sequence[Decision]) -> Ruling:
    """What holds after ``made``, all decisions about one case in their order."""
    standing = _standing(made)
    return Ruling(standing[-1] if standing else None, len(made))


def _standing(made: Sequence[Decision]) -> list[Decision]:
    """The decisions that were not undone."""
    undone = {decision.undoes for decision in made if decision.action == UNDO}
    return [decision for decision in made if decision.action != UNDO and decision.id not in undone]


def other_number(decision: Decision) -> tuple[str, str]:
    """The wrong number and the right one of a ``merge``."""
    (right,) = decision.changes.values()
    one, other = decision.case.row.split("|")
    return (other, right) if one == right else (one, right)


def successor(merges: Mapping[str, str], number: str) -> str | None:
    """The number whose person ``number`` stands for by ``merges``, wrong to right, however many steps away.

    None: for its own; nor is anybody merged where they lead round.
    """
    found, seen = merges.get(number), {number}
    while found is not None and found in merges:
        if found in seen:
            return None
        seen.add(found)
        found = merges[found]
    return None if found == number else found


class Decided(Protocol):
    """Where a step learns of decisions."""

    def follow(self, dataset: Dataset) -> None:
        """Read the decisions of this dataset too."""

    def of(self, case: Case) -> Ruling:
        """What holds for a case."""

    def standing(self, case: Case, bound: str) -> Decision | None:
        """The decision that was made last about a case with the facts ``bound``, and not undone."""

    def merges(self, dataset: str) -> Mapping[str, str]:
        """The numbers that were said to be wrong, each with its person's right one, in one step."""

    def empty(self) -> bool:
        """Whether nothing was ever decided: then no case has to be looked up."""

    def fresh(self) -> list[Decision]:
        """The decisions that arrived since the last call."""

    def all(self) -> list[Decision]:
        """All decisions that were ever made, undone ones included: one for each case and time."""


class Book:
    """Decisions by case, in memory: some hundred bytes each. By itself it reads none."""

    def __init__(self) -> None:
        self._made: dict[Case, list[Decision]] = {}
        self._rulings: dict[Case, Ruling] = {}
        self._pairs: dict[str, dict[Case, Decision | None]] = {}
        self._merges: dict[str, dict[str, str]] = {}

    def follow(self, dataset: Dataset) -> None:
        """Nothing to read: decisions are added."""
        del dataset

    def fresh(self) -> list[Decision]:
        """None arrive by themselves."""
        return []

    def of(self, case: Case) -> Ruling:
        """What holds for a case."""
        return self._rulings.get(case, NO_RULING)

    def standing(self, case: Case, bound: str) -> Decision | None:
        """The decision that was made last about a case with the facts ``bound``, and not undone."""
        if case not in self._rulings:
            return None
        return next((one for one in reversed(_standing(self._made[case])) if one.facts == bound), None)

    def merges(self, dataset: str) -> Mapping[str, str]:
        """The numbers that were said to be wrong, each with its person's right one, in one step."""
        return self._merges.get(dataset, {})

    def empty(self) -> bool:
        """Whether nothing was ever decided."""
        return not self._rulings

    def all(self) -> list[Decision]:
        """All decisions, those about one case in their order."""
        return [decision for made in self._made.values() for decision in made]

    def add(self, decisions: Iterable[Decision]) -> None:
        """Take decisions in; one that is known already changes nothing. Who is to decide is nothing decided."""
        for decision in decisions:
            made = self._made.setdefault(decision.case, [])
            if decision.action != ASSIGN and all(known.id != decision.id for known in made):
                made.append(decision)
                self._rulings[decision.case] = ruling(made)
                if decision.case.stage == ALIAS:
                    self._pair(decision.case)

    def _pair(self, case: Case) -> None:
        """Renew what ``merges`` tells; of a number that was merged into two others, the later case's word counts."""
        pairs = self._pairs.setdefault(case.dataset, {})
        pairs[case] = self._rulings[case].decision
        made = (one for one in pairs.values() if one is not None and one.action == MERGE)
        self._merges[case.dataset] = dict(map(other_number, made))


class Decisions(Book):
    """The decisions of the followed datasets, from their topics. Owned by one thread but for ``of``."""

    def __init__(self, bootstrap: str, registry: RegistryClient, subjects: Any) -> None:
        super().__init__()
        self._feed = Feed(bootstrap)
        self._arrived: list[Item] = []
        self._registry = registry
        self._subjects = subjects

    def follow(self, dataset: Dataset) -> None:
        """Read the decisions of this dataset too; its topic is made if it is missing."""
        self._feed.add(self._subjects.decision(dataset).topic)

    def fresh(self) -> list[Decision]:
        """The decisions that arrived since the last call. Raises Unavailable; then nothing is lost."""
        self._arrived += self._feed.poll()
        found = []
        while self._arrived:
            topic, offset, _, value = self._arrived[0]
            try:
                if value is not None:
                    schema_id, datum = split(value)
                    found.append(read(decode_one(self._registry.schema(schema_id), datum)))
            except (Unreadable, Refused) as error:
                log.warning("%s, offset %d, is no decision and is left out: %s", topic, offset, error)
            del self._arrived[0]
        self.add(found)
        return found

    def close(self) -> None:
        """Leave the broker."""
        self._feed.close()
