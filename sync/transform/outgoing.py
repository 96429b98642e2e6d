"""A source's records through its chain, between capture and the Kafka transaction.

Called by every source kind with the topics' items of one batch. New schemas are registered, and new topics made,
before the items are returned. What became of each topic's changes is told, so that the ledger still balances
(invariant 1): a record that is dropped counts as suppressed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sync.errors import Refused
from sync.kafka.transaction import Item
from sync.metrics import TRANSFORM_DROPPED
from sync.transform.chain import Bad, Chain
from sync.transform.record import Heads, Origin, Records, Schemas
from sync.transform.schema import Schema

LOGGER = logging.getLogger(__name__)


class Registry(Protocol):
    """What is needed of ``RegistryClient``."""

    def register(self, subject: str, schema: Mapping[str, Any]) -> int:
        """The id of a schema under a subject."""

    def schema(self, schema_id: int) -> dict[str, Any]:
        """The schema of an id."""


@dataclass(slots=True)
class Fate:
    """What became of a batch's records that have a value: by the topic that they came for, then by the topic where
    they went; None is nowhere."""

    moved: dict[str, Counter[str | None]] = field(default_factory=dict)

    def counted(self, captured: Counter[str], suppressed: Counter[str]) -> tuple[Counter[str], Counter[str]]:
        """The counts by topic as the ledger has them, of those that the capture counted.

        A topic that lost records to another gives their counts away; what was dropped stays, and is suppressed.
        Topics of records that are no changes (heartbeats) are counted in neither.
        """
        whole, left_out = Counter(captured), Counter(suppressed)
        for topic, fates in self.moved.items():
            for end, count in fates.items() if topic in captured else ():
                if end is None:
                    left_out[topic] += count
                elif end != topic:
                    whole[topic] -= count
                    whole[end] += count
        return whole, left_out

    @property
    def dropped(self) -> Counter[str]:
        """How many records with a value went nowhere, by the topic that they came for."""
        return Counter({topic: fates[None] for topic, fates in self.moved.items() if fates[None]})


class Outgoing:
    """A connector's chain at work. Called by the thread that commits batches."""

    def __init__(
        self, chain: Chain, registry: Registry, ensure: Callable[[str], None], *, connector: str, tolerate: bool
    ) -> None:
        """``ensure`` makes a topic that isn't there. ``tolerate``: ``errors.tolerance`` is ``all``."""
        self._chain = chain
        self._ensure = ensure
        self._connector = connector
        self._tolerate = tolerate
        self._schemas = Schemas(registry.schema)
        self._known: set[str] = set()

        def register(topic: str, side: str, schema: Schema) -> int:
            return registry.register(f"{topic}-{side.lower()}", schema.text)

        self._heads = Heads(register)

    def apply(self, outputs: Mapping[str, Sequence[Item]]) -> tuple[dict[str, list[Item]], Fate]:
        """The items by the topics where they go. Raises Refused, Incompatible, Unavailable."""
        found: dict[str, list[Item]] = {}
        fate = Fate()
        for topic, items in outputs.items():
            if items:
                self._topic(topic, items, found, fate)
        for topic in found.keys() - self._known:
            self._ensure(topic)
            self._known.add(topic)
        for topic, count in fate.dropped.items():
            TRANSFORM_DROPPED.labels(self._connector, topic).inc(count)
        return found, fate

    def _topic(self, topic: str, items: Sequence[Item], found: dict[str, list[Item]], fate: Fate) -> None:
        keys, values = [item[0] for item in items], [item[1] for item in items]
        partitions = [item[2] if len(item) > 2 else None for item in items]
        groups, bad = self._chain.apply(self._schemas, topic, keys, values, Origin(partitions))
        if bad:
            self._bad(topic, bad)
        ends = fate.moved.setdefault(topic, Counter())
        placed: dict[str, list[tuple[int, Item]]] = {}
        headed = any(group.headers is not None for group in groups)
        for group in groups:
            items = self._items(group, headed=headed)
            placed.setdefault(group.topic, []).extend(zip(group.places, items, strict=True))
        counted = sum(value is not None for value in values)
        for end, pairs in placed.items():
            # Groups of one topic go back into the order in which their records came.
            pairs.sort(key=_place)
            found.setdefault(end, []).extend(item for _, item in pairs)
            if moved := sum(values[place] is not None for place, _ in pairs):
                ends[end] += moved
                counted -= moved
        if counted:
            ends[None] += counted

    def _items(self, group: Records, *, headed: bool) -> list[Item]:
        keys = group.key.wires(self._heads.of(group.topic, "Key", group.key))
        values = group.value.wires(self._heads.of(group.topic, "Value", group.value))
        partitions = group.origin.partitions
        chosen = [-1 if (number := partitions[place]) is None else number for place in group.places]
        if headed:
            return list(zip(keys, values, chosen, group.headers or [()] * len(group), strict=True))
        if any(number >= 0 for number in chosen):
            return list(zip(keys, values, chosen, strict=True))
        return list(zip(keys, values, strict=True))

    def _bad(self, topic: str, bad: Sequence[Bad]) -> None:
        if not self._tolerate:
            raise Refused(
                f"A record for topic {topic} can't be transformed: {bad[0].reason}",
                hint="correct the transform, choose its records by a predicate, or set errors.tolerance=all to leave "
                "such records out",
            )
        LOGGER.warning(
            "Connector %s leaves out %d records for topic %s that can't be transformed (%s).",
            self._connector,
            len(bad),
            topic,
            bad[0].reason,
        )


def _place(pair: tuple[int, Item]) -> int:
    return pair[0]
