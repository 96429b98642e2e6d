"""Fast look-ups of codes: a Polars Enum built once finds the row of a reference table for a whole column.

Called by the rule families. Casting a text column to an Enum that already exists costs some 70 ns a value; a join or
``replace`` would build its hash table anew for each batch. Assumes keys that are distinct and not null.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

import polars as pl

from sync.rule.model import Reference

T = TypeVar("T")

TONES = "\u0300\u0301\u0303\u0309\u0323"
_NOT_TONES = str.maketrans("", "", TONES)
_NOISE = str.maketrans("", "", " -'’‘`.,()_/")


class Index:
    """Rows of a reference table by code; ``get`` and ``has`` are expressions."""

    def __init__(self, keys: Sequence[str], values: Mapping[str, Sequence[Any]] | None = None) -> None:
        """Index ``keys`` (the first of equal keys wins) with parallel ``values``."""
        first: dict[str, int] = {}
        for row, key in enumerate(keys):
            first.setdefault(key, row)
        self.dtype = pl.Enum(list(first))
        self._rows: dict[str, pl.Expr] = {}
        rows = list(first.values())
        self._values = {
            name: pl.Series(name, [column[row] for row in rows], dtype=pl.String if not rows else None)
            for name, column in (values or {}).items()
        }

    def row(self, code: str | pl.Expr) -> pl.Expr:
        """Row number (UInt32) of each code of a column or expression, null for an unknown code."""
        if not isinstance(code, str):
            return code.cast(self.dtype, strict=False).to_physical().cast(pl.UInt32)
        # Handing thousands of categories to a new expression takes 0.3 ms: keep it.
        if code not in self._rows:
            self._rows[code] = pl.col(code).cast(self.dtype, strict=False).to_physical().cast(pl.UInt32)
        return self._rows[code]

    def has(self, field: str) -> pl.Expr:
        """True where the column ``field`` holds a known code; False for null."""
        return self.row(field).is_not_null()

    def get(self, code: str | pl.Expr, name: str) -> pl.Expr:
        """Value ``name`` of each code of a column or expression, null for an unknown code."""
        return self.at(self.row(code), name)

    def at(self, row: pl.Expr, name: str) -> pl.Expr:
        """Value ``name`` of each row number that ``row`` gave."""
        return pl.lit(self._values[name]).gather(row)


def cached(reference: Reference, name: str, build: Callable[[Reference], T]) -> T:
    """Return what ``build`` makes of the reference tables, built at the first use and kept with them."""
    cache = reference._cache
    if name not in cache:
        cache[name] = build(reference)
    return cast(T, cache[name])


@lru_cache(maxsize=4096)
def _syllable_key(syllable: str) -> str:
    """A syllable with its tone moved to its end, so that hòa equals hoà."""
    letters = unicodedata.normalize("NFD", syllable)
    tones = "".join(c for c in letters if c in TONES)
    return unicodedata.normalize("NFC", letters.translate(_NOT_TONES)) + tones


def name_key(text: str) -> str:
    """The comparison key of DOMAIN §7.2: case-folded, tones at the end of syllables, one space, plain apostrophes."""
    folded = unicodedata.normalize("NFC", text).casefold().replace("’", "'").replace("‘", "'")
    return " ".join(_syllable_key(syllable) for syllable in folded.replace("ð", "đ").split())


def label_key(text: str) -> str:
    """``name_key`` without blanks and punctuation: compares catalogue names (Ê-đê = Ê Đê = êđê)."""
    return name_key(text).translate(_NOISE)
