"""What the reconcile step reads of records: decoded is what it looks at, all else stays bytes that are copied.

One ``Outlines`` a process and dataset, since schemas are compiled. Where bytes can't be copied (a field of another type
in the register, a value that a transfer replaces) the records are decoded whole (``Contributions.whole``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from sync.process.outbox import Subject
from sync.process.reader import FRAME, Reader
from sync.rule.merge import deciding
from sync.schema.avro import split
from sync.schema.cells import Cells, Layout
from sync.schema.columns import Columns
from sync.schema.dataset import Dataset
from sync.schema.derived import VALID_META

_TOLD = 2
"""Fields of a golden record after the canonical ones: locality and lineage."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """Contributions in the order of their rows: a frame, the wire format of each, and the places of the fields.

    ``cells`` is None where ``frame`` has all canonical fields; else it has those that are looked at.
    """

    frame: pl.DataFrame
    values: list[bytes]
    cells: Cells | None

    def rows(self, numbers: Sequence[int]) -> Contributions:
        """These contributions, in this order."""
        cells = None if self.cells is None else self.cells.rows(numbers)
        return Contributions(self.frame[numbers], [self.values[number] for number in numbers], cells)

    def whole(self, reader: Reader) -> Contributions:
        """The same with all canonical fields in the frame."""
        if self.cells is None:
            return self
        frame = reader.read(self.values).with_columns(self.frame.get_columns())
        return replace(self, frame=frame, cells=None)


class Outlines:
    """Reads contributions to one dataset, and its register's records, as far as they are looked at."""

    def __init__(self, dataset: Dataset, golden: Subject, reader: Reader) -> None:
        fields = golden.value.schema["fields"]
        self._reader = reader
        self._names = _looked_at(dataset)
        self._target = Layout.of({**golden.value.schema, "fields": fields[:-_TOLD]})
        if self._target is not None and not set(self._target.needed) <= set(dataset.policy.entity):
            self._target = None
        self._known: dict[bytes, tuple[Layout, Columns] | None] = {}
        told = {"type": "record", "name": "Told", "fields": fields[-_TOLD:]}
        self.told = Columns(told)

    def read(self, values: list[bytes]) -> Contributions:
        """Contributions in wire format; at least one."""
        frames = {value[:FRAME] for value in values}
        found = self._compiled(frames.pop()) if len(frames) == 1 else None
        if found is None or self._target is None:
            return Contributions(self._reader.read(values), values, None)
        layout, columns = found
        names = self._target.names
        scan = layout.scan(values, FRAME)
        frame = columns.decode_joined(scan.projected(list(columns.dtypes), columns.separator), len(values))
        return Contributions(frame, values, scan.cells(names))

    def _compiled(self, head: bytes) -> tuple[Layout, Columns] | None:
        """Layout of a schema's datums and codec of what is looked at; None where the bytes can't be copied."""
        if head not in self._known:
            schema = self._reader.schema(split(head)[0])
            layout = Layout.of(schema)
            if layout is None or self._target is None or not layout.gives(self._target):
                self._known[head] = None
            else:
                kept = [field for field in schema["fields"] if field["name"] in self._names]
                self._known[head] = layout, Columns({**schema, "fields": kept})
        return self._known[head]


def _looked_at(dataset: Dataset) -> set[str]:
    """The fields that are decoded: those that decide anything, or are told."""
    policy = dataset.policy
    found = {*VALID_META, *dataset.key, *deciding(policy, dataset.fields)}
    if policy.match is not None:
        found |= {policy.match.name, policy.match.birth_date, policy.match.sex}
    if policy.activity is not None:
        activity = policy.activity
        found |= {activity.unit, activity.since, activity.status, activity.concurrent}
    return found
