"""Comparison of cleaned records with the population register (DOMAIN §7.7).

Called by ``sync.process.reconcile`` with each record beside the register's row of its citizen id. A name without
diacritics never matches: Hoa, Hòa, Hóa and Họa are different names.
"""

from __future__ import annotations

import re

import polars as pl

from sync.rule.index import name_key
from sync.rule.model import Match

MATCH, MATCH_WITH_FIX, REVIEW = "MATCH", "MATCH_WITH_FIX", "REVIEW"
NOT_IN_REGISTER, NAME_DIFFERS = "NOT_IN_REGISTER", "NAME_DIFFERS"
BIRTH_DATE_DIFFERS, SEX_DIFFERS = "BIRTH_DATE_DIFFERS", "SEX_DIFFERS"

_FIELDS = Match(name="full_name", birth_date="birth_date", sex="gender")
# i or y as the last letter of a syllable after a single consonant or alone: Lý/Lí, Mỹ/Mĩ, Quý/Quí, Vy/Vi, Y/I.
_FINAL_Y = re.compile(r"(?<![aăâeêioôơuưy])y(?=[\u0300\u0301\u0303\u0309\u0323]?(?:\s|$))|(?<=qu)y(?=[\u0300\u0301\u0303\u0309\u0323]?(?:\s|$))")  # fmt: skip  # noqa: E501


def spelling_key(text: str) -> str:
    """``name_key`` with the two spellings of final i/y made one: for a match that the owner is asked to accept."""
    return _FINAL_Y.sub("i", name_key(text))


def _names(frame: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Whether the names ``a`` and ``b`` are equal by the comparison key, and whether they are so but for i/y."""
    same = (frame["a"].str.to_lowercase() == frame["b"].str.to_lowercase()).fill_null(False)
    near = same
    rows = (~same & frame["a"].is_not_null() & frame["b"].is_not_null()).arg_true()
    if len(rows):
        pairs = list(zip(frame["a"].gather(rows).to_list(), frame["b"].gather(rows).to_list(), strict=True))
        equal = [name_key(a) == name_key(b) for a, b in pairs]
        close = [spelling_key(a) == spelling_key(b) for a, b in pairs]
        same = same.clone().scatter(rows, pl.Series(equal, dtype=pl.Boolean))
        near = near.clone().scatter(rows, pl.Series(close, dtype=pl.Boolean))
    return same, near | same


def match(frame: pl.DataFrame, register: pl.DataFrame, fields: Match = _FIELDS) -> pl.DataFrame:
    """Decide for each row of ``frame`` whether it is the person of the same row of ``register``.

    ``frame``: cleaned records, with a Boolean column ``padded`` where the citizen id got its zeros back (VR06).
    ``register``: as many rows, columns ``r_<field>``, all null (or the optional Boolean ``found`` false) without a row.
    Returns ``outcome`` (MATCH, MATCH_WITH_FIX, REVIEW) and ``code``: the outcome, or why a person must look
    (NOT_IN_REGISTER, NAME_DIFFERS, BIRTH_DATE_DIFFERS, SEX_DIFFERS, the first that holds).

    Birth dates are equal at the register's precision; a source less precise than the register matches with a fix.
    An unknown sex (null, 0) differs from nothing.
    """
    beside = pl.DataFrame(
        {
            "a": frame[fields.name],
            "b": register[f"r_{fields.name}"],
            "born": frame[fields.birth_date],
            "r_born": register[f"r_{fields.birth_date}"],
            "sex": frame[fields.sex],
            "r_sex": register[f"r_{fields.sex}"],
            "padded": frame["padded"]
            if "padded" in frame.columns
            else pl.Series([False]).new_from_index(0, frame.height),
        }
    )
    same, near = _names(beside)
    found = pl.any_horizontal(pl.col("b", "r_born", "r_sex").is_not_null())
    if "found" in register.columns:
        found = pl.lit(register["found"])
    born, r_born = pl.col("born"), pl.col("r_born")
    coarse = r_born.str.starts_with(born) & (born.str.len_bytes() < r_born.str.len_bytes())
    birth_equal = born.str.starts_with(r_born) | coarse
    known = pl.col("sex").is_in(["1", "2"]) & pl.col("r_sex").is_in(["1", "2"])
    code = (
        pl.when(~found.fill_null(False))
        .then(pl.lit(NOT_IN_REGISTER))
        .when(~pl.lit(near))
        .then(pl.lit(NAME_DIFFERS))
        .when(~birth_equal.fill_null(False))
        .then(pl.lit(BIRTH_DATE_DIFFERS))
        .when((known & (pl.col("sex") != pl.col("r_sex"))).fill_null(False))
        .then(pl.lit(SEX_DIFFERS))
        .when(~pl.lit(same) | coarse.fill_null(False) | pl.col("padded").fill_null(False))
        .then(pl.lit(MATCH_WITH_FIX))
        .otherwise(pl.lit(MATCH))
    )
    decided = beside.select(code=code)
    matched = pl.col("code").is_in([MATCH, MATCH_WITH_FIX])
    return decided.select("code", outcome=pl.when(matched).then("code").otherwise(pl.lit(REVIEW)))
