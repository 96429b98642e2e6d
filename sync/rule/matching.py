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


def comparable(born: pl.Expr, register: pl.Expr, doubted: pl.Expr) -> pl.Expr:
    """A birth date as it may be compared: only its year where the first of January is ``doubted`` (DATE_PRECISION).

    Such a source stores years as that day. Where the register says the same day, it is that day.
    """
    year_only = doubted & born.str.ends_with("-01-01") & (born != register)
    return pl.when(year_only.fill_null(False)).then(born.str.slice(0, 4)).otherwise(born)


def _decision() -> pl.Expr:
    """The code of each row of names (``same``, ``near``), birth dates, sexes, ``padded`` and ``found``."""
    born, r_born = pl.col("born"), pl.col("r_born")
    coarse = r_born.str.starts_with(born) & (born.str.len_bytes() < r_born.str.len_bytes())
    birth_equal = born.str.starts_with(r_born) | coarse
    known = pl.col("sex").is_in(["1", "2"]) & pl.col("r_sex").is_in(["1", "2"])
    return (
        pl.when(~pl.col("found").fill_null(False))
        .then(pl.lit(NOT_IN_REGISTER))
        .when(~pl.col("near"))
        .then(pl.lit(NAME_DIFFERS))
        .when(~birth_equal.fill_null(False))
        .then(pl.lit(BIRTH_DATE_DIFFERS))
        .when((known & (pl.col("sex") != pl.col("r_sex"))).fill_null(False))
        .then(pl.lit(SEX_DIFFERS))
        .when(~pl.col("same") | coarse.fill_null(False) | pl.col("padded").fill_null(False))
        .then(pl.lit(MATCH_WITH_FIX))
        .otherwise(pl.lit(MATCH))
        .alias("code")
    )


# Kept: to build these takes longer than to decide a few rows.
_CODE = _decision()
_OUTCOME = (
    pl.when(pl.col("code").is_in([MATCH, MATCH_WITH_FIX])).then("code").otherwise(pl.lit(REVIEW)).alias("outcome")
)
_SAME = (pl.col("a").str.to_lowercase() == pl.col("b").str.to_lowercase()).fill_null(False).alias("same")
_UNLIKE = (~pl.col("same") & pl.col("a").is_not_null() & pl.col("b").is_not_null()).alias("unlike")
_ANY_FOUND = pl.any_horizontal(pl.col("b", "r_born", "r_sex").is_not_null()).alias("found")


def _names(beside: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Whether the names ``a`` and ``b`` are equal by the comparison key, and whether they are so but for i/y."""
    same = beside.select(_SAME).to_series()
    if same.all():
        return same, same
    unlike = beside.hstack([same]).select(_UNLIKE).to_series()
    if not unlike.any():
        return same, same
    rows = unlike.arg_true()
    pairs = list(zip(beside["a"].filter(unlike).to_list(), beside["b"].filter(unlike).to_list(), strict=True))
    equal = [name_key(a) == name_key(b) for a, b in pairs]
    close = [spelling_key(a) == spelling_key(b) for a, b in pairs]
    near = same.clone().scatter(rows, pl.Series(close, dtype=pl.Boolean))
    same = same.clone().scatter(rows, pl.Series(equal, dtype=pl.Boolean))
    return same, near | same


def match(frame: pl.DataFrame, register: pl.DataFrame, fields: Match = _FIELDS) -> pl.DataFrame:
    """Decide for each row of ``frame`` whether it is the person of the same row of ``register``.

    ``frame``: cleaned records, with Boolean columns ``padded`` where the citizen id got its zeros back (VR06) and
    ``doubted`` where the first of January may stand for the year (``comparable``), both optional.
    ``register``: as many rows, columns ``r_<field>``, all null (or the optional Boolean ``found`` false) without a row.
    Returns ``outcome`` (MATCH, MATCH_WITH_FIX, REVIEW) and ``code``: the outcome, or why a person must look
    (NOT_IN_REGISTER, NAME_DIFFERS, BIRTH_DATE_DIFFERS, SEX_DIFFERS, the first that holds).

    Birth dates are equal at the register's precision; a source less precise than the register matches with a fix.
    An unknown sex (null, 0) differs from nothing.
    """
    never = pl.Series([False]).new_from_index(0, frame.height)
    columns = {
        "a": frame[fields.name],
        "b": register[f"r_{fields.name}"],
        "born": frame[fields.birth_date],
        "r_born": register[f"r_{fields.birth_date}"],
        "sex": frame[fields.sex],
        "r_sex": register[f"r_{fields.sex}"],
        "padded": frame["padded"] if "padded" in frame.columns else never,
    }
    beside = pl.DataFrame([column.alias(name) for name, column in columns.items()])
    if "doubted" in frame.columns and frame["doubted"].any():
        beside = beside.with_columns(
            comparable(pl.col("born"), pl.col("r_born"), pl.lit(frame["doubted"])).alias("born")
        )
    found = register["found"].alias("found") if "found" in register.columns else beside.select(_ANY_FOUND).to_series()
    same, near = _names(beside)
    decided = beside.hstack([same.alias("same"), near.alias("near"), found]).select(_CODE)
    return decided.with_columns(_OUTCOME)
