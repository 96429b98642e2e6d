"""Which fields of a record differ from the register's, each with a code: what its owner and a data steward are told.

Called by ``sync.process.difference`` for the few records that something is said of. Only what the register owns
is compared (``policy.yaml``: it stands first in the order of a group), and a value missing on either side differs from
nothing. Pure; the codes are without values.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sync.rule.index import name_key
from sync.rule.matching import BIRTH_DATE_DIFFERS, NAME_DIFFERS, SEX_DIFFERS, spelling_key
from sync.rule.merge import REGISTER
from sync.rule.model import Match, Policy

NAME_SPELLING, BIRTH_DATE_LESS_PRECISE, VALUE_DIFFERS = "NAME_SPELLING", "BIRTH_DATE_LESS_PRECISE", "VALUE_DIFFERS"

Mismatch = tuple[str, str]
"""Field and code."""


def owned(policy: Policy) -> list[str]:
    """The fields whose word is the register's."""
    return [name for group in policy.groups if group.order and group.order[0] == REGISTER for name in group.fields]


def mismatches(own: pl.DataFrame, register: pl.DataFrame, policy: Policy) -> list[list[Mismatch]]:
    """Field and code of each difference, by row. The frames have as many rows and the same types."""
    found: list[list[Mismatch]] = [[] for _ in range(len(own))]
    for name in owned(policy):
        if name not in own.columns or name not in register.columns or _follows(name, policy.match):
            continue
        pairs = pl.DataFrame([own[name].cast(pl.String).alias("own"), register[name].cast(pl.String).alias("register")])
        unlike = (pairs["own"] != pairs["register"]).fill_null(False)
        for row in unlike.arg_true().to_list():
            ours, theirs = pairs.row(row)
            code = _code(name, ours, theirs, policy.match)
            if code is not None:
                found[row].append((name, code))
    return found


def _follows(name: str, match: Match | None) -> bool:
    """Whether a field only tells the precision of the birth date, which differs as that does."""
    return match is not None and name.startswith(f"{match.birth_date}_")


def _code(name: str, own: str, register: str, match: Match | None) -> str | None:
    """How two unlike values of a field differ; None where they mean the same."""
    return next(_codes(name, own, register, match), None)


def _codes(name: str, own: str, register: str, match: Match | None) -> Iterator[str]:
    if match is None or name not in (match.name, match.birth_date, match.sex):
        yield VALUE_DIFFERS
    elif name == match.name:
        if name_key(own) != name_key(register):
            yield NAME_SPELLING if spelling_key(own) == spelling_key(register) else NAME_DIFFERS
    elif name == match.birth_date:
        if not own.startswith(register):
            yield BIRTH_DATE_LESS_PRECISE if register.startswith(own) else BIRTH_DATE_DIFFERS
    elif {own, register} <= {"1", "2"}:
        yield SEX_DIFFERS
