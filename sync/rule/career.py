"""The order of a record's dates (VR13), for datasets that name their chain of dates by ``params``."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Finding, Terms, check, names
from sync.rule.model import RuleSpec
from sync.rule.moment import earliest

_CHAIN = ("birth_date", "first_recruitment_date", "current_unit_start_date", "status_effective_date")


def _day(field: str) -> pl.Expr:
    """A date field as it is, the birth date as the first day it can mean."""
    return pl.col("_birth" if field == "birth_date" else field)


def _birth(terms: Terms) -> bool:
    """Whether there are birth dates; their earliest days become a helper column."""
    if "birth_date" not in terms.fields:
        return False
    terms.helper("_birth", earliest("birth_date"))
    return True


@check("VR13", params={"chain": "fields", "past": "fields"})
def in_order(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """The dates of ``chain`` follow each other and lie in the past, those of ``past`` too; nulls are passed over."""
    chain = terms.known(names(rule.params, "chain", _CHAIN))
    _birth(terms)
    for place, later in enumerate(chain):
        before = [_day(field) for field in chain[:place]]
        if before:
            # Strictly after birth; on the same day as an earlier step is fine.
            bad = [day >= pl.col(later) if field == "birth_date" else day > pl.col(later)
                   for field, day in zip(chain[:place], before, strict=True)]  # fmt: skip
            yield Finding(later, pl.any_horizontal(bad))
    if "chain" not in rule.params:
        # Of the dates that a batch has, the last.
        for place, name in enumerate(chain):
            yield Finding(name, _day(name) > terms.today, lacks=tuple(chain[place + 1 :]))
    for name in terms.known(names(rule.params, "past", ())):
        yield Finding(name, _day(name) > terms.today)
