"""The entities that a batch touches, as the state has them, with what the register says of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from sync.process.entity import Entity, decode
from sync.process.means import Means
from sync.process.outbox import Subject
from sync.process.reader import FRAME
from sync.process.touched import Arrived, Touched, datum
from sync.process.transfer import entity_of
from sync.schema.dataset import Dataset


class Loading:
    """Loads the entities of one dataset."""

    def __init__(self, dataset: Dataset, means: Means) -> None:
        self._dataset = dataset
        self._means = means

    def load(self, arrived: Arrived) -> Touched:
        """Number the entities of the messages, and read their state and what the register says of them.

        A register's record about whom nobody has contributed anything touches no entity.
        """
        people = {datum(message): message for message in arrived.register}
        partitions = {datum(message): message.partition() or 0 for message in arrived.valid}
        partitions.update({entity_of(message): message.partition() or 0 for message in arrived.transfers})
        others = {datum(message): message.partition() or 0 for message in chain(arrived.register, arrived.again)}
        only = {key: partition for key, partition in others.items() if key not in partitions}
        states = self._states(self._means.subjects.contributions(self._dataset), {**partitions, **only})
        partitions.update((key, partition) for key, partition in only.items() if key in states)
        keys = list(partitions)
        touched = Touched({key: number for number, key in enumerate(keys)}, keys, list(partitions.values()), [])
        touched.renewed.update(touched.numbers[key] for key in people if key in touched.numbers)
        held = self._means.registers.get(self._dataset.id)
        known = {} if held is None else self._states(held, {k: p for k, p in partitions.items() if k not in people})
        for key in keys:
            value = states.get(key)
            entity = Entity() if value is None else decode(value, FRAME)
            entity.register = people[key].value() if key in people else known.get(key)
            touched.entities.append(entity)
            touched.before.append(value)
        return touched

    def _states(self, subject: Subject, partitions: Mapping[bytes, int]) -> dict[bytes, bytes]:
        """What the store holds of ``subject``'s topic by key, for keys with their partitions."""
        found: dict[bytes, bytes] = {}
        for partition in set(partitions.values()):
            keys = [key for key, other in partitions.items() if other == partition]
            values = self._means.get(subject.topic, partition, [subject.key_header + key for key in keys])
            found.update((key, value) for key, value in zip(keys, values, strict=True) if value is not None)
        return found
