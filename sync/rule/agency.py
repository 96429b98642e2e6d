"""Identification codes of agencies (DOMAIN §2; QĐ 20/2020/QĐ-TTg): step ``agency``, check VR27."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Batch, Finding, Terms, check, stack, step, unstack
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
    names = batch.present(spec.fields)
    if not names:
        return
    for name in names:
        batch.put(name, batch.columns[name].cast(pl.String))
    odd = ~stack([batch.columns[name] for name in names]).str.contains(_FORM)
    if not odd.any():
        return
    for name, there in zip(names, unstack(odd, batch.rows), strict=True):
        if there.any():
            rows = there.arg_true()
            left = batch.columns[name].filter(there)
            codes = {text: agency_code(text) for text in set(left.to_list())}
            batch.scatter(name, rows, pl.Series(name, [codes[text] for text in left.to_list()]), spec.rule)


@check("VR27", params={"managing": "field", "descendant": "flag"})
def agency_known(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """A well-formed code of at most 35 characters under a known level-1 body.

    With ``descendant`` (the default where no fields are bound), an employing unit must also stand inside the agency of
    ``params["managing"]`` (managing_agency_code).
    """
    managing = str(rule.params.get("managing", "managing_agency_code"))
    bodies = cached(terms.reference, "bodies", lambda tables: Index(tables.table("agencies", "code")["code"].to_list()))
    for name in terms.known(rule.fields or (managing, "employing_unit_code")):
        known = pl.col(name).str.slice(0, 3).cast(bodies.dtype, strict=False).is_not_null()
        well_formed = pl.col(name).str.contains(_FORM) & (pl.col(name).str.len_bytes() <= _LONGEST)
        bad = ~(well_formed & known)
        if name != managing and managing in terms.fields and rule.params.get("descendant", not rule.fields):
            within = pl.col(name).str.starts_with(pl.col(managing) + ".") | (pl.col(name) == pl.col(managing))
            bad = bad | ~within.fill_null(True)
        yield Finding(name, pl.col(name).is_not_null() & bad)
