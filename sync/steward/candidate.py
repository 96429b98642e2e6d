"""People of the register whom the records under review may be about: ``dongbo match candidates`` and ``dongbo match
train``.

The records come from ``<dataset>.contributions``, the people from the register's golden topic, which is read once in
columns and joined with all records together by block keys (``docs/adr/0012``). Nothing is written and nothing
decided: the list is for the steward who asked. Register numbers are masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from sync.errors import ConfigError
from sync.kafka.client import partitions
from sync.kafka.replay import replay
from sync.process.entity import CODE_SHIFT, REVIEW, decode, source_row
from sync.process.reader import FRAME, Reader
from sync.process.reason import CODES, REFERRED
from sync.rule import linkage
from sync.rule.linkage import FIELDS, Weights
from sync.schema.dataset import Dataset, load
from sync.schema.derived import topic
from sync.schema.linkage import weights
from sync.schema.location import schemas_root
from sync.schema.registry import RegistryClient

_PAIRS = 1_000_000
_CHUNK = 50_000
_SAMPLE = 200_000
"""Entities that are enough to learn weights from."""


def candidates(bootstrap: str, registry_url: str, dataset_id: str, limit: int) -> list[dict[str, Any]]:
    """For each record under review up to ``limit`` people, best first; records without any are listed too.

    ``{source, row, code, candidates: [{number (masked), score (bits), levels: {field: level}}]}``. Raises ConfigError
    for a dataset without a register, Refused (no such topic yet), Unavailable.
    """
    dataset = matched(dataset_id)
    known = weights(schemas_root(), str(dataset.policy.register))
    registry = RegistryClient(registry_url)
    try:
        reader = Reader(registry)
        cases, about = _records(bootstrap, reader, dataset, only_review=True)
        best: list[dict[str, tuple[float, dict[str, str]]]] = [{} for _ in about]
        for left, right, numbers, rows in pairs(cases, people(bootstrap, reader, str(dataset.policy.register))):
            found = linkage.levels(left, right)
            scores = linkage.scores(found, known)
            for place in np.flatnonzero(scores >= known.least):
                best[rows[int(place)]][numbers[int(place)]] = float(scores[place]), linkage.named(found, int(place))
    finally:
        registry.close()
    return [
        {
            **item,
            "candidates": [
                {"number": linkage.masked(number), "score": round(score, 1), "levels": levels}
                for number, (score, levels) in sorted(found.items(), key=lambda one: (-one[1][0], one[0]))[:limit]
            ],
        }
        for item, found in zip(about, best, strict=True)
    ]


def train(bootstrap: str, registry_url: str, dataset_id: str) -> Weights:
    """Weights learnt from all records of a dataset and the people in their blocks. Raises as ``candidates``."""
    dataset = matched(dataset_id)
    known = weights(schemas_root(), str(dataset.policy.register))
    registry = RegistryClient(registry_url)
    try:
        reader = Reader(registry)
        records, _ = _records(bootstrap, reader, dataset, only_review=False)
        everyone = people(bootstrap, reader, str(dataset.policy.register))
        found = [linkage.levels(left, right) for left, right, _, _ in pairs(records, everyone)]
    finally:
        registry.close()
    if not found:
        raise ConfigError(f"No record of {dataset_id} shares a block with the register.", hint="load both first")
    return linkage.trained(found, known)


def matched(dataset_id: str) -> Dataset:
    """The dataset; ConfigError where it is not matched with a register."""
    dataset = load(dataset_id)
    if dataset.policy.register is None:
        raise ConfigError(f"{dataset_id} is not matched with a register.", hint="choose a dataset whose policy has one")
    return dataset


def pairs(
    cases: pl.DataFrame, everyone: Iterator[pl.DataFrame]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, list[str], list[int]]]:
    """Pairs that share a block: fields of the record, of the person, the person's number, the record's place.

    A pair comes once, whatever the number of blocks it shares.
    """
    if not cases.height:
        return
    keys = linkage.blocks(cases).with_row_index("case")
    for chunk in everyone:
        chunk = chunk.with_row_index("person")
        others = linkage.blocks(chunk).with_columns(chunk["person"])
        shared = pl.concat(
            [
                keys.select("case", name)
                .drop_nulls()
                .join(others.select("person", name), on=name)
                .select("case", "person")
                for name in linkage.BLOCKS
            ]
        ).unique(maintain_order=True)
        for part in shared.iter_slices(_PAIRS):
            if part.height:
                right = chunk[part["person"]]
                yield cases[part["case"]], right, right["citizen_id"].to_list(), part["case"].to_list()


def people(bootstrap: str, reader: Reader, register: str) -> Iterator[pl.DataFrame]:
    """The register in chunks, in the order of its topic.

    Where the topic is not compacted yet a person may come again, or have been deleted since.
    """
    name = topic(register, "golden")
    for partition in partitions(bootstrap, name):
        values: list[bytes] = []
        for items, _ in replay(bootstrap, name, partition, 0):
            values += [value for _, value in items if value is not None]
            if len(values) >= _CHUNK:
                yield linkage.compared(reader.read(values), "citizen_id")
                values = []
        if values:
            yield linkage.compared(reader.read(values), "citizen_id")


def _records(
    bootstrap: str, reader: Reader, dataset: Dataset, *, only_review: bool
) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """The live records' compared fields, and what each is: source, row, match code."""
    name = topic(dataset.id, "contributions")
    held: dict[bytes, list[tuple[dict[str, str], bytes]]] = {}
    for partition in partitions(bootstrap, name):
        for items, _ in replay(bootstrap, name, partition, 0):
            for key, state in items:
                found = _waiting(state, only_review=only_review)
                if found and (only_review or len(held) < _SAMPLE):
                    held[key] = found
                else:
                    held.pop(key, None)
    records = [record for found in held.values() for record in found]
    empty = pl.DataFrame(schema=dict.fromkeys(FIELDS, pl.String))
    frame = linkage.compared(reader.read([value for _, value in records])) if records else empty
    return frame, [about for about, _ in records]


def _waiting(state: bytes | None, *, only_review: bool) -> list[tuple[dict[str, str], bytes]]:
    """The live records of an entity's state that are its person's by all that is known, or those under review."""
    if state is None:
        return []
    found = []
    for key, entry in decode(state[FRAME:]).entries.items():
        code = CODES[entry.flags >> CODE_SHIFT]
        if entry.value and (entry.flags & REVIEW or not (only_review or code == REFERRED)):
            source, row = source_row(key)
            about = {"source": source, "row": row, "code": code}
            found.append((about, entry.value))
    return found


def written(found: Weights) -> dict[str, Any]:
    """The content of ``match.yaml``."""
    return {
        "least": found.least,
        "same": found.same,
        "fields": {
            field: {
                level: {"m": found.m[field][place], "u": found.u[field][place]}
                for place, level in enumerate(linkage.LEVELS[field])
            }
            for field in FIELDS
        },
    }


def lines(items: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    """Rows of a table: source, row, why, candidate, score, levels."""
    for item in items:
        for one in item["candidates"] or [{"number": "none", "score": "", "levels": {}}]:
            levels = ", ".join(f"{field} {level}" for field, level in one["levels"].items())
            yield [item["source"], item["row"], item["code"], one["number"], str(one["score"]), levels]
