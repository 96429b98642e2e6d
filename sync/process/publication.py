"""The reconcile step's last part: golden records, the localities' copies and the state go out where they changed."""

from __future__ import annotations

from hashlib import blake2b

import polars as pl

from sync.process.bridge import Output
from sync.process.distribution import Distribution
from sync.process.entity import encode
from sync.process.outbox import Subjects
from sync.process.touched import Touched
from sync.schema.dataset import Dataset

_SIZE = pl.col("_lineage").str.len_bytes()
_TAIL = 2 + _SIZE + (_SIZE > 63) + (_SIZE > 8191) + (_SIZE > 1048575)
"""Bytes that the lineage, the last field, takes in a golden datum: the union's branch, the length, the text."""


class Publication:
    """Puts what changed of one dataset into a batch's output."""

    def __init__(self, dataset: Dataset, subjects: Subjects, output: Output) -> None:
        self._dataset = dataset
        self._output = output
        self._golden = subjects.golden(dataset)
        self._state = subjects.contributions(dataset)
        self._distribution = Distribution(dataset, subjects, output)

    def emit(self, touched: Touched, golden: pl.DataFrame, datums: list[bytes | None]) -> set[int]:
        """Golden records, the localities' copies and the state; returns the numbers of the changed entities."""
        contributors: dict[int, set[str]] = {}
        for change in touched.changes:
            if change.locality is not None:
                contributors.setdefault(change.entity, set()).add(change.locality)
        changed: set[int] = set()
        owned = self._dataset.policy.distribution == "owner"
        key_header, value_header = self._golden.key_header, self._golden.value_header
        state_key, state_value = self._state.key_header, self._state.value_header
        records = self._output.records.setdefault(self._golden.topic, [])
        states: list[tuple[bytes, bytes | None, int]] = []
        tails = golden.select(_TAIL).to_series().to_list()
        rows = zip(
            touched.keys,
            touched.partitions,
            touched.entities,
            touched.before,
            golden["_locality"].to_list(),
            datums,
            tails,
            strict=True,
        )
        for number, (key, partition, entity, before, locality, datum, tail) in enumerate(rows):
            if datum is None:
                locality, framed, values, whole = None, None, b"", b""
            else:
                framed = value_header + datum
                digest = blake2b(datum[:-tail], digest_size=16)
                values = digest.digest()
                digest.update(datum[-tail:])
                whole = digest.digest()
            different = values != entity.values
            if different:
                changed.add(number)
            wire_key = key_header + key
            if whole != entity.whole:
                records.append((wire_key, framed, partition))
            if owned:
                self._distribution.tell(entity, locality, different, contributors.get(number, ()), wire_key, framed)
            entity.locality, entity.values, entity.whole = locality, values, whole
            state = encode(entity, state_value)
            # A change without effect leaves the state as it is, and what is not written need not be restored.
            if state != before:
                states.append((state_key + key, state, partition))
        self._output.keep(self._state.topic, states)
        return changed
