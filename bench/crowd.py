"""Millions of invented people in columns: a register and the records about some of them, made in seconds from a seed.

Used by ``bench.matching``. A few thousand whole people (``sync.demo.person``) lend their fields; number, name and
birth date are drawn anew for each, so that names and dates are as frequent as among as many people. The first
``records`` people of the register are civil servants; of their records some have another name, another birth date, or
a number that the register does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sync.demo import names, person, world
from sync.schema.columns import Columns
from sync.schema.dataset import load
from sync.schema.location import schemas_root

CHUNK = 50_000
_TEMPLATES = 1_500
_FAMILY_KINDS = (names.MIDDLE_MALE, names.GIVEN_MALE), (names.MIDDLE_FEMALE, names.GIVEN_FEMALE)

SHARES = {"NOT_IN_REGISTER": 0.020, "NAME_DIFFERS": 0.020, "BIRTH_DATE_DIFFERS": 0.009}
"""Records that do not match: 4.9 %, as in 2025 (1,365,761 of 1,436,507 matched)."""


@dataclass(frozen=True)
class Crowd:
    """``people`` of the register, of whom the first ``records`` have a record."""

    people: int
    records: int
    templates: pl.DataFrame
    seed: int

    def register(self, codec: Columns) -> Iterator[tuple[list[str], list[bytes]]]:
        """Citizen ids and golden datums of the register, chunk by chunk."""
        for start in range(0, self.people, CHUNK):
            frame = self._people(start, min(start + CHUNK, self.people))
            yield frame["citizen_id"].to_list(), codec.encode(_filled(frame, codec))

    def valid(self, codec: Columns) -> Iterator[tuple[list[str], list[bytes]]]:
        """Citizen ids and valid datums of the records, chunk by chunk."""
        for start in range(0, self.records, CHUNK):
            end = min(start + CHUNK, self.records)
            frame = self._people(start, end)
            kinds = self.kinds(start, end)
            frame = frame.with_columns(
                citizen_id=pl.when(kinds == "NOT_IN_REGISTER")
                .then(pl.lit("9") + pl.col("citizen_id").str.slice(1))
                .otherwise("citizen_id"),
                full_name=pl.when(kinds == "NAME_DIFFERS")
                .then(pl.lit("Khác ") + pl.col("full_name"))
                .otherwise("full_name"),
                birth_date=pl.when(kinds == "BIRTH_DATE_DIFFERS").then(pl.lit("1899-01-01")).otherwise("birth_date"),
                _source=pl.lit("bench"),
                _row=pl.format("public.ho_so/{}", pl.col("citizen_id")),
                _topic=pl.lit("bench.public.ho_so"),
                _partition=pl.lit(0),
                _authority=pl.lit("ministry"),
                _version=pl.int_range(start, end),
                _changed_at=pl.lit(datetime(2026, 11, 1, tzinfo=UTC)),
                _op=pl.lit("u"),
            )
            yield frame["citizen_id"].to_list(), codec.encode(_filled(frame, codec))

    def kinds(self, start: int, end: int) -> pl.Series:
        """How each record of people ``start`` to ``end`` matches: a match code."""
        draw = np.random.default_rng((self.seed, 2, start)).random(end - start)
        edges = np.cumsum([0.0, *SHARES.values()])
        kinds = np.searchsorted(edges, draw, side="right") - 1
        return pl.Series([*SHARES, "MATCH"]).gather(kinds)

    def _people(self, start: int, end: int) -> pl.DataFrame:
        """Whole canonical fields of people ``start`` to ``end``, in the columns of the templates.

        The same of each person whatever ``end`` is: draws are for a whole chunk.
        """
        rng = np.random.default_rng((self.seed, 1, start))
        numbers = np.arange(start, end)
        frame = self.templates[numbers % self.templates.height]
        woman = (frame["gender"] == "2").to_numpy()
        tails = pl.Series(1 + numbers // self.templates.height).cast(pl.String).str.zfill(6)
        birth = pl.Series(rng.integers(0, 365, CHUNK))[: end - start]
        return frame.with_columns(
            citizen_id=frame["citizen_id"].str.slice(0, 6) + tails,
            full_name=_names(rng, woman),
            birth_date=pl.select(
                (
                    pl.date(frame["birth_date"].str.slice(0, 4).cast(pl.Int32), 1, 1) + pl.duration(days=birth)
                ).dt.to_string("iso:strict")
            ).to_series(),
        )


def _names(rng: np.random.Generator, woman: NDArray[np.bool_]) -> pl.Series:
    def drawn(items: Sequence[str]) -> pl.Series:
        return pl.Series(items).gather(rng.integers(0, len(items), CHUNK)[: len(woman)])

    mask = pl.Series(woman)
    middle, given = (drawn(female).zip_with(mask, drawn(male)) for male, female in zip(*_FAMILY_KINDS, strict=True))
    return drawn(names.FAMILY) + " " + middle + " " + given


def _filled(frame: pl.DataFrame, codec: Columns) -> pl.DataFrame:
    """The columns that a codec writes, null where the people lack one."""
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in codec.dtypes.items()
    )


def crowd(people: int, records: int, seed: int) -> Crowd:
    """The crowd; the templates differ in the first six digits of their numbers, so that all numbers differ."""
    there = world.load(schemas_root(), seed=seed, localities=3, today=date.today())
    found = {}
    index = 0
    while len(found) < _TEMPLATES:
        truth = person.truth(there, index)
        found.setdefault(truth["citizen_id"][:6], truth)
        index += 1
    schema = {field.name: field.dtype for field in load("civil_servant").fields}
    return Crowd(people, records, pl.DataFrame(list(found.values()), schema=schema, orient="row"), seed)
