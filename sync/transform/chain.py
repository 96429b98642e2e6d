"""A connector's transforms in their order, each with its predicate: ``transforms``, ``transforms.<alias>.…``.

Made from typed configuration values by ``Chain.read``; ``Outgoing`` (sources) and ``Incoming`` (sinks) drive it. A
record that a step can't take is told with the step's alias, and its neighbours go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.errors import Unreadable
from sync.transform import predicates, transforms
from sync.transform.kinds import configured
from sync.transform.record import Origin, Predicate, Records, Schemas, Transform, grouped

_HEADER = 5


@dataclass(frozen=True, slots=True)
class Step:
    """A transform and for which records it is made: all without a predicate."""

    alias: str
    transform: Transform
    predicate: Predicate | None = None
    negate: bool = False

    def apply(self, records: Records) -> list[Records]:
        if self.predicate is None:
            return list(self.transform.apply(records))
        chosen = [found != self.negate for found in self.predicate.matches(records)]
        if all(chosen):
            return list(self.transform.apply(records))
        if not any(chosen):
            return [records]
        parts = dict(records.by(grouped(chosen)))
        return [*self.transform.apply(parts[True]), parts[False]]


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that a step can't take: its place in the input, and why, without any value of it.

    ``side`` is ``Key`` or ``Value`` where that could not even be read for the first step.
    """

    place: int
    reason: str
    side: str = ""


class Chain:
    """The steps. Called by one thread at a time."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Chain | None:
        """The chain of a connector's typed values; None where it has no transforms. Raises ConfigError."""
        steps = []
        for alias in values.get("transforms") or ():
            prefix = f"transforms.{alias}."
            name = values.get(f"{prefix}predicate")
            predicate = configured(predicates(), values, f"predicates.{name}.") if name else None
            transform = configured(transforms(), values, prefix)
            steps.append(Step(alias, transform, predicate, bool(values.get(f"{prefix}negate"))))
        return cls(steps) if steps else None

    def apply(
        self,
        schemas: Schemas,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        origin: Origin,
        headers: Sequence[Any] | None = None,
    ) -> tuple[list[Records], list[Bad]]:
        """What becomes of a topic's records, in groups, and those that could not be taken. Raises Unavailable."""
        found: list[Records] = []
        bad: list[Bad] = []
        heads = [(key and key[:_HEADER], value and value[:_HEADER]) for key, value in zip(keys, values, strict=True)]
        for (key_head, value_head), places in grouped(heads).items():
            side = "Key"
            try:
                key = schemas.column([keys[i] for i in places], key_head)
                side = "Value"
                value = schemas.column([values[i] for i in places], value_head)
            except Unreadable as error:
                bad += (Bad(place, str(error), side) for place in places)
                continue
            chosen = None if headers is None else [headers[i] for i in places]
            self._group(Records(topic, key, value, places, origin, chosen), found, bad)
        return found, sorted(bad, key=lambda one: one.place)

    def _group(self, records: Records, found: list[Records], bad: list[Bad]) -> None:
        try:
            found += self._all(records)
        except Unreadable as error:
            if len(records) == 1:
                bad.append(Bad(records.places[0], str(error)))
                return
            for index in range(len(records)):
                self._group(records.take([index]), found, bad)

    def _all(self, records: Records) -> list[Records]:
        groups: Iterable[Records] = [records]
        for step in self._steps:
            try:
                groups = [made for group in groups for made in step.apply(group)]
            except Unreadable as error:
                raise Unreadable(f"Transform {step.alias}: {error}") from error
        return [group for group in groups if len(group)]
