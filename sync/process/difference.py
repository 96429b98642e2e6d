"""What is told of a contribution's differences from the register: codes in words, as JSON, without values."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from sync.process.reason import DIFFERENCES
from sync.process.survival import DOUBTED
from sync.rule.matching import comparable
from sync.rule.merge import REGISTER
from sync.rule.mismatch import mismatches
from sync.rule.model import Policy


def differences(frame: pl.DataFrame, rows: Sequence[int], policy: Policy) -> list[str | None]:
    """For each of ``rows`` a list of {field, code, message_vi, message_en}; None where nothing differs.

    ``frame``: contributions, and the register's rows of the same entities (``_e``).
    """
    nothing: list[str | None] = [None] * len(rows)
    if policy.register is None or not rows:
        return nothing
    people = frame.filter(pl.col("_authority") == REGISTER)
    if not len(people):
        return nothing
    own = frame[list(rows)]
    beside = own.select("_e").join(people, on="_e", how="left", maintain_order="left")
    if policy.match is not None:
        name = policy.match.birth_date
        doubted = pl.col("_warnings").str.contains(DOUBTED, literal=True)
        own = own.with_columns(comparable(pl.col(name), pl.lit(beside[name]), doubted))
    return [
        json.dumps([_told(name, code) for name, code in found], ensure_ascii=False) if found else None
        for found in mismatches(own, beside, policy)
    ]


def _told(name: str, code: str) -> dict[str, str]:
    vi, en = DIFFERENCES[code]
    return {"field": name, "code": code, "message_vi": vi, "message_en": en}
