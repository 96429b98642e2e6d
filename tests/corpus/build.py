"""Draws a corpus: sound people, and among them damaged ones of every class, from a seed and a mixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from random import Random

import polars as pl

from sync.demo import person, world
from sync.demo.layout import layout
from sync.rule.model import Field
from sync.schema.dataset import Dataset
from sync.schema.location import schemas_root
from tests.corpus import double, identity, moment, place, text
from tests.corpus.case import CLASSES, Case, Label, Tables

FAMILIES = (text, identity, moment, place, double)
"""The modules of error classes; importing them registers the classes."""

SOUND = "sound"
TODAY = date(2026, 11, 20)


@dataclass(frozen=True)
class Corpus:
    """``given``: the source's texts by canonical name. ``truth``: what must come out. ``labels``: of each row."""

    given: pl.DataFrame
    truth: pl.DataFrame
    classes: list[str]
    labels: list[Label]


def build(
    dataset: Dataset, *, rows: int, seed: int, damaged: float, weights: Mapping[str, int] | None = None
) -> Corpus:
    """A corpus of ``rows`` records, a share ``damaged`` of them; classes are drawn by ``weights`` (default: equal)."""
    root = schemas_root()
    tables = Tables(world.load(root, seed=seed, localities=34, today=TODAY), root)
    rng = Random(seed)
    names = list(CLASSES)
    chances = [(weights or {}).get(name, 1) for name in names]
    written = {column.field.name: column for column in layout(dataset, "canonical", {}).columns}
    given: list[dict[str, str | None]] = []
    truth: list[person.Record] = []
    classes, labels = [], []
    for index in range(rows):
        sound = person.truth(tables.world, index)
        # Stale steps would be warned about, and what a source does not say is not this corpus's matter.
        found = None
        if rng.random() < damaged:
            name = rng.choices(names, chances)[0]
            case = Case(tables, rng, dict(sound))
            found = CLASSES[name](case)
        if found is None:
            case, name, found = Case(tables, rng, sound), SOUND, Label("untouched")
        texts = {field: column.text(case.truth.get(field)) for field, column in written.items()}
        given.append(texts | case.raw)
        truth.append(case.truth)
        classes.append(name)
        labels.append(found)
    return Corpus(
        pl.DataFrame(given, schema=dict.fromkeys(written, pl.String)), _typed(dataset.fields, truth), classes, labels
    )


def _typed(fields: tuple[Field, ...], records: list[person.Record]) -> pl.DataFrame:
    columns = []
    for field in fields:
        values = [record.get(field.name) for record in records]
        columns.append(pl.Series(field.name, values, dtype=field.dtype))
    return pl.DataFrame(columns)
