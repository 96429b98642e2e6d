"""A sink's messages through its chain, between consumption and the target.

Called with a topic's messages of one batch. Schemas that transforms make are not registered: they get ids that no
registry gives, and ``schema`` knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sync.transform.chain import Bad, Chain
from sync.transform.record import Header, Heads, Origin, Schemas
from sync.transform.schema import Schema

_FIRST = 0x7FFF_FFFF
"""Ids count down from here; a registry's count up from 1."""

Message = tuple[int, bytes | None, bytes | None]
"""``(its place in the input, key, value)``."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A topic's messages, all lists of the same length. ``headers`` is None where nothing asks for them."""

    topic: str
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    partitions: Sequence[int]
    offsets: Sequence[int]
    timestamps: Sequence[int | None] | None = None
    headers: Sequence[tuple[Header, ...]] | None = None


class Incoming:
    """A connector's chain at work; called by one thread, but for ``schema``."""

    def __init__(self, chain: Chain, lookup: Callable[[int], dict[str, Any]]) -> None:
        """``lookup`` gives the registry's schemas by id."""
        self._chain = chain
        self._lookup = lookup
        self._made: dict[int, dict[str, Any]] = {}
        self._schemas = Schemas(lookup)
        self._heads = Heads(self._register)

    def schema(self, schema_id: int) -> dict[str, Any]:
        """A schema by id: one that a transform made, or the registry's. Raises as the registry does."""
        return self._made.get(schema_id) or self._lookup(schema_id)

    def _register(self, _topic: str, _side: str, schema: Schema) -> int:
        number = _FIRST - len(self._made)
        self._made[number] = dict(schema.text)
        return number

    def apply(self, arrived: Arrived) -> tuple[dict[str, list[Message]], list[Bad]]:
        """By the topic under which they are to be seen, the messages in their order; and those that can't be taken.

        Raises Unavailable where the registry doesn't answer.
        """
        origin = Origin(arrived.partitions, arrived.offsets, arrived.timestamps)
        groups, bad = self._chain.apply(
            self._schemas, arrived.topic, arrived.keys, arrived.values, origin, arrived.headers
        )
        found: dict[str, list[Message]] = {}
        for group in groups:
            sides = [column.wires(self._head(column)) for column in (group.key, group.value)]
            found.setdefault(group.topic, []).extend(zip(group.places, *sides, strict=True))
        return {topic: sorted(messages, key=_place) for topic, messages in found.items()}, bad

    def _head(self, column: Any) -> bytes:
        # One id for a schema, whatever the topic.
        return self._heads.of("", "", column)


def _place(message: Message) -> int:
    return message[0]
