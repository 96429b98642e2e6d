"""Blocks of messages through a sink's transforms, before the reduction.

Called by a sink's reading thread. A transformed block keeps where its messages came from, so that offsets advance and
dead letters are what arrived; a message that can't be transformed comes back as it was, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sync.metrics import TRANSFORM_DROPPED
from sync.sink.reduction import Bad, Block, Stage
from sync.transform.chain import Chain
from sync.transform.incoming import Arrived, Incoming

_STAGES = {"": Stage.TRANSFORMATION, "Key": Stage.KEY_CONVERTER, "Value": Stage.VALUE_CONVERTER}


class Transformation:
    """One task's transforms."""

    def __init__(self, chain: Chain, lookup: Callable[[int], dict[str, Any]], connector: str) -> None:
        """``lookup`` gives the registry's schemas by id."""
        self._incoming = Incoming(chain, lookup)
        self._connector = connector
        self.schema = self._incoming.schema
        """A schema by id: the registry's, or one that the transforms made."""

    def apply(self, blocks: Sequence[Block]) -> tuple[list[Block], list[dict[int, Bad]]]:
        """What the transforms make of blocks (with details), by topic; and in each the bad ones by index."""
        made: dict[str, Block] = {}
        bad: list[tuple[Block, dict[int, Bad]]] = []
        for block in blocks:
            details = block.details
            found, refused = self._incoming.apply(
                Arrived(
                    block.topic,
                    block.keys,
                    block.values,
                    block.partitions,
                    block.offsets,
                    [one.timestamp for one in details],
                    [one.headers for one in details],
                )
            )
            left = len(block.keys) - len(refused)
            for topic, messages in found.items():
                target = made.setdefault(topic, Block(topic))
                left -= len(messages)
                for place, key, value in messages:
                    _append(target, block, place, key, value)
            if left:
                TRANSFORM_DROPPED.labels(self._connector, block.topic).inc(left)
            if refused:
                aside = Block(block.topic)
                for one in refused:
                    _append(aside, block, one.place, block.keys[one.place], block.values[one.place])
                bad.append((aside, {i: Bad(i, one.reason, _STAGES[one.side]) for i, one in enumerate(refused)}))
        return [*made.values(), *(block for block, _ in bad)], [*({} for _ in made), *(reasons for _, reasons in bad)]


def _append(target: Block, block: Block, place: int, key: bytes | None, value: bytes | None) -> None:
    target.partitions.append(block.partitions[place])
    target.offsets.append(block.offsets[place])
    target.keys.append(key)
    target.values.append(value)
    target.details.append(block.details[place])
