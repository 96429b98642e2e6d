"""The entities that a batch touches, with what it brings to them: the reconcile step's working memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sync.kafka import Message
from sync.process.entity import Entity, Entry, EntryKey, refusal_key
from sync.process.ledger import Origin
from sync.process.reader import FRAME
from sync.process.told import Told
from sync.schema.dataset import Dataset

Contribution = tuple[int, EntryKey]
"""An entity's number and the source and row that contribute to it."""


@dataclass(slots=True)
class Arrived:
    """What a batch brings to one dataset. ``again``: entities to be looked at anew."""

    dataset: Dataset
    valid: list[Message] = field(default_factory=list)
    transfers: list[Message] = field(default_factory=list)
    register: list[Message] = field(default_factory=list)
    again: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Change:
    """One valid record of the batch that is counted: its entity's number, its entry and its origin."""

    entity: int
    key: EntryKey
    entry: Entry
    origin: Origin
    locality: str | None
    superseded: bool = False


@dataclass(slots=True)
class Touched:
    """The entities of one dataset that a batch touches, by number, with their keys and partitions.

    ``before``: each state as it was stored. ``live``: the row of each live contribution in the frame. ``anew``: those
    of which all is to be said once more (``sync.process.move``). ``renewed``: the entities of which the register says
    something new.
    """

    numbers: dict[bytes, int]
    keys: list[bytes]
    partitions: list[int]
    entities: list[Entity]
    before: list[bytes | None] = field(default_factory=list)
    live: dict[Contribution, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    anew: set[Contribution] = field(default_factory=set)
    renewed: set[int] = field(default_factory=set)

    def refusal(self, contribution: Contribution) -> Told | None:
        """What is told of a contribution's row where its newest version was refused (``sync.process.parked``)."""
        number, key = contribution
        refusals = self.entities[number].refusals
        held = refusals.get(refusal_key(key)) if refusals else None
        return None if held is None else Told.parse(held.value)

    def contributors(self) -> Iterator[Entry]:
        """The entries of the live contributions, in the order of ``live``."""
        return (self.entities[number].entries[key] for number, key in self.live)


def datum(message: Message) -> bytes:
    """An entity's identity: the key's datum without its frame."""
    return (message.key() or b"")[FRAME:]
