"""Identification codes of agencies (DOMAIN §2; QĐ 20/2020/QĐ-TTg): step ``agency``, check VR27."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Batch, Finding, check, step
from sync.rule.index import Index, cached
from sync.rule.model import CleanSpec, RuleSpec

_FORM = r"^[A-Y][0-9]{2}(?:\.[0-9A-Z]+)*$"
_OLD_FORM = re.compile(r"([0-9A-Z]{3})\.([0-9A-Z]{2})\.([0-9A-Z]{2})\.([A-Y][0-9]{2})")
_LONGEST = 35


def agency_code(text: str) -> str:
    """A code in the form of QĐ 20/2020; QCVN 102:2016 is read from the right: 000.00.18.G12 → G12.18."""
    plain = re.sub(r"\s", "", text).upper()
    old = _OLD_FORM.fullmatch(plain)
    if old is None:
        return plain if re.fullmatch(_FORM, plain) else text
    groups = [old[4], old[3], old[2], old[1]]
    while len(groups) > 1 and not groups[-1].strip("0"):
        groups.pop()
    return ".".join(groups)


@step("agency")
def clean_agency(batch: Batch, spec: CleanSpec) -> None:
    """Agency codes of the old form (000.00.00.H26) to the present one (H26); upper case, no blanks."""
    for name in batch.present(spec.fields):
        column = batch.columns[name].cast(pl.String)
        batch.put(name, column)
        odd = (~column.str.contains(_FORM)).fill_null(False)
        if odd.any():
            rows = odd.arg_true()
            left = column.gather(rows)
            codes = {text: agency_code(text) for text in left.unique().to_list()}
            batch.scatter(name, rows, pl.Series(name, [codes[text] for text in left.to_list()]), spec.rule)


@check("VR27")
def agency_known(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """A well-formed code of at most 35 characters under a known level-1 body.

    With ``descendant`` (the default where no fields are bound), an employing unit must also stand inside the agency of
    ``params["managing"]`` (managing_agency_code).
    """
    managing = str(rule.params.get("managing", "managing_agency_code"))
    bodies = cached(batch.reference, "bodies", lambda tables: Index(tables.table("agencies", "code")["code"].to_list()))
    for name in batch.present(rule.fields or (managing, "employing_unit_code")):
        known = pl.col(name).str.slice(0, 3).cast(bodies.dtype, strict=False).is_not_null()
        well_formed = pl.col(name).str.contains(_FORM) & (pl.col(name).str.len_bytes() <= _LONGEST)
        bad = ~(well_formed & known)
        if name != managing and managing in batch.columns and rule.params.get("descendant", not rule.fields):
            within = pl.col(name).str.starts_with(pl.col(managing) + ".") | (pl.col(name) == pl.col(managing))
            bad = bad | ~within.fill_null(True)
        yield Finding(name, pl.col(name).is_not_null() & bad)
