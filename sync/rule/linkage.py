"""Who of the register a record may be about, where its number does not tell: Fellegi–Sunter scores (JASA 64, 1969).

Called by ``sync.process.candidate`` and ``sync.steward.candidate``. A candidate shares a block with the record; how
well each field of the pair agrees is a level, and the levels' weights log2(m / u) add up to the score: m is the share
of true pairs at that level, u of chance pairs. A score only ranks candidates for a person, it never decides (DOMAIN
§7.2, §7.7). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from sync.rule.index import name_key

CLOSE = 0.92
"""Jaro–Winkler similarity of two names without diacritics from which they count as close."""

LEVELS: Mapping[str, tuple[str, ...]] = {
    "full_name": ("equal", "without_diacritics", "close", "differs"),
    "birth_date": ("equal", "partial", "transposed", "same_year", "differs"),
    "gender": ("equal", "differs"),
    "native_place_province": ("equal", "differs"),
    "old_id_card_no": ("equal", "differs"),
}
"""The levels of each compared field, best first. A value missing on either side is ``missing``: it weighs nothing."""

MISSING = "missing"
FIELDS = tuple(LEVELS)
BLOCKS = ("b0", "b1", "b2", "b3")


@dataclass(frozen=True)
class Weights:
    """``m`` and ``u`` of each level, by field and in the order of ``LEVELS``.

    ``least``: the score of a candidate. ``same``: that of two records of one person.
    """

    m: Mapping[str, tuple[float, ...]]
    u: Mapping[str, tuple[float, ...]]
    least: float
    same: float

    def bits(self, field: str) -> NDArray[np.float64]:
        """log2(m / u) of each level of a field, and 0 for a missing value last."""
        found: NDArray[np.float64] = np.log2(np.array(self.m[field]) / np.array(self.u[field]))
        return np.append(found, 0.0)


def plain(name: str) -> pl.Expr:
    """A name in small letters without diacritics, blanks collapsed: Nguyễn Thị Hòa → nguyen thi hoa."""
    return (
        pl.col(name)
        .str.to_lowercase()
        .str.normalize("NFD")
        .str.replace_all(r"\p{M}", "")
        .str.replace_all("đ", "d", literal=True)
        .str.replace_all(r"\s+", " ")
        .str.strip_chars(" ")
    )


def blocks(frame: pl.DataFrame) -> pl.DataFrame:
    """The block keys of each row, columns ``BLOCKS``: null where a value is missing.

    Birth date and given name; whole name and native province; old card number; whole name and year of birth, which a
    birth date of less precision, or with day and month changed about, has too. A pair is compared if any is equal.
    """
    name = plain("full_name")
    given = name.str.extract(r"(\S+)$", 1)
    return frame.select(
        b0=pl.col("birth_date") + "|" + given,
        b1=name + "|" + pl.col("native_place_province"),
        b2=pl.col("old_id_card_no"),
        b3=name + "|" + pl.col("birth_date").str.slice(0, 4),
    )


def compared(frame: pl.DataFrame, *more: str) -> pl.DataFrame:
    """The columns ``more`` and ``FIELDS`` of a frame; null where it has no such column."""
    nothing = pl.lit(None, dtype=pl.String)
    return frame.select(*more, *(name if name in frame.columns else nothing.alias(name) for name in FIELDS))


def described(frame: pl.DataFrame) -> list[str]:
    """The compared fields of each row as a JSON object: what a candidate is looked for by."""
    found: list[str] = compared(frame).select(pl.struct(FIELDS).struct.json_encode()).to_series().to_list()
    return found


def levels(left: pl.DataFrame, right: pl.DataFrame) -> dict[str, NDArray[np.uint8]]:
    """The level of each field for each pair of rows: its place in ``LEVELS``, or their number where one is missing.

    Both frames have the columns ``FIELDS`` (String) and as many rows.
    """
    return {field: _LEVEL[field](left[field], right[field]) for field in FIELDS}


def scores(found: Mapping[str, NDArray[np.uint8]], weights: Weights) -> NDArray[np.float64]:
    """The score of each pair, in bits."""
    total = np.zeros(len(next(iter(found.values()))))
    for field, places in found.items():
        total += weights.bits(field)[places]
    return total


def named(found: Mapping[str, NDArray[np.uint8]], row: int) -> dict[str, str]:
    """The levels of one pair by name."""
    return {field: (*LEVELS[field], MISSING)[int(places[row])] for field, places in found.items()}


def masked(number: str) -> str:
    """A register number as far as a steward has to tell people apart: its first three and last three digits."""
    return number[:3] + "*" * max(0, len(number) - 6) + number[-3:] if len(number) > 6 else "*" * len(number)


def _names(left: pl.Series, right: pl.Series) -> NDArray[np.uint8]:
    pairs = pl.DataFrame([left.alias("l"), right.alias("r")])
    flat = pairs.select(l=plain("l"), r=plain("r"))
    same = flat.select((pl.col("l") == pl.col("r")).fill_null(False)).to_series().to_numpy()
    # Only names of the same letters can be equal; the comparison key is made for these.
    keyed = [i for i in np.flatnonzero(same) if name_key(left[int(i)]) == name_key(right[int(i)])]
    close = process.cpdist(
        flat["l"].fill_null("").to_list(), flat["r"].fill_null("").to_list(), scorer=JaroWinkler.normalized_similarity
    )
    places = np.where(same, 1, np.where(close >= CLOSE, 2, 3)).astype(np.uint8)
    places[keyed] = 0
    return _or_missing(places, left, right, 4)


_DATE = (
    pl.when(pl.col("l") == pl.col("r"))
    .then(0)
    .when(pl.col("l").str.starts_with(pl.col("r")) | pl.col("r").str.starts_with(pl.col("l")))
    .then(1)
    .when(
        (pl.col("l").str.len_bytes() == 10)
        & (pl.col("l").str.slice(0, 4) == pl.col("r").str.slice(0, 4))
        & (pl.col("l").str.slice(5, 2) == pl.col("r").str.slice(8, 2))
        & (pl.col("l").str.slice(8, 2) == pl.col("r").str.slice(5, 2))
    )
    .then(2)
    .when(pl.col("l").str.slice(0, 4) == pl.col("r").str.slice(0, 4))
    .then(3)
    .otherwise(4)
    .cast(pl.UInt8)
)


def _dates(left: pl.Series, right: pl.Series) -> NDArray[np.uint8]:
    places = pl.DataFrame([left.alias("l"), right.alias("r")]).select(_DATE).to_series().to_numpy()
    return _or_missing(places, left, right, 5)


def _same(left: pl.Series, right: pl.Series) -> NDArray[np.uint8]:
    equal = (left == right).fill_null(False).to_numpy()
    return _or_missing(np.where(equal, 0, 1).astype(np.uint8), left, right, 2)


def _or_missing(places: NDArray[np.uint8], left: pl.Series, right: pl.Series, missing: int) -> NDArray[np.uint8]:
    there = (left.is_not_null() & right.is_not_null()).to_numpy()
    return np.where(there, places, missing).astype(np.uint8)


_LEVEL = {
    "full_name": _names,
    "birth_date": _dates,
    "gender": _same,
    "native_place_province": _same,
    "old_id_card_no": _same,
}


def trained(found: Sequence[Mapping[str, NDArray[np.uint8]]], chance: Weights, rounds: int = 50) -> Weights:
    """Weights whose m is learnt from pairs of the same blocks by expectation and maximisation; u is ``chance``'s.

    The classes are true and chance pairs, the fields independent within a class. ``found``: levels of batches of pairs.
    """
    pairs = {field: np.concatenate([part[field] for part in found]) for field in FIELDS}
    size = len(pairs[FIELDS[0]])
    m = {field: np.array(chance.m[field]) for field in FIELDS}
    share = 0.1
    for _ in range(rounds):
        bits = scores(
            pairs, Weights({field: tuple(values) for field, values in m.items()}, chance.u, chance.least, chance.same)
        )
        odds = share / (1 - share) * np.exp2(np.clip(bits, -200, 200))
        true = odds / (1 + odds)
        share = float(np.clip(true.sum() / size, 1e-9, 1 - 1e-9))
        for field in FIELDS:
            counts = np.bincount(pairs[field], weights=true, minlength=len(LEVELS[field]) + 1)[:-1]
            # A level that no pair has keeps a little: nothing is impossible.
            m[field] = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return Weights(
        {field: tuple(map(float, values)) for field, values in m.items()}, chance.u, chance.least, chance.same
    )
