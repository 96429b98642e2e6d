"""Rank, group, step and coefficient (DOMAIN §4.4; NĐ 204/2004): step ``coefficient``, checks VR15-VR19, VR23, VR34."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from sync.rule.batch import Batch, Finding, Terms, check, names, step
from sync.rule.index import Index, cached
from sync.rule.model import CleanSpec, Reference, RuleSpec

WORKING = ("DANG_LAM_VIEC",)
# Three digits, perhaps written as a decimal: 234, 234.0.
_BARE = r"^[1-9][0-9]{2}(?:\.0+)?$"
_COEFFICIENT = pl.Decimal(10, 2)


@dataclass(frozen=True)
class Grades:
    """Look-ups: ranks by code; coefficient by ``group|step``; last step and months per step by group."""

    ranks: Index
    steps: Index
    groups: Index
    coefficients: Mapping[str, frozenset[str]]


def _build(tables: Reference) -> Grades:
    ranks = tables.table("ranks", "code", "salary_group", "valid_from", "valid_to")
    grades = tables.table("salary_grades", "group", "step", "coefficient", "months_to_next_step").with_columns(
        pl.col("step").cast(pl.Int32)
    )
    groups = grades.group_by("group", maintain_order=True).agg(
        last=pl.col("step").max(), months=pl.col("months_to_next_step").cast(pl.Int32, strict=False).max()
    )
    known = set(groups["group"].to_list())
    dates = {
        name: ranks[name].replace({"": None}).str.to_date("%Y-%m-%d").to_list() for name in ("valid_from", "valid_to")
    }
    by_group: dict[str, set[str]] = {}
    for group, coefficient in grades.select("group", "coefficient").iter_rows():
        by_group.setdefault(group, set()).add(coefficient)
    return Grades(
        ranks=Index(
            ranks["code"].to_list(),
            # A group that the table of grades does not have (A3, C?) is an unknown one.
            {"group": [group if group in known else None for group in ranks["salary_group"].to_list()], **dates},
        ),
        steps=Index(
            [f"{group}|{number}" for group, number in grades.select("group", "step").iter_rows()],
            {"coefficient": grades["coefficient"].cast(_COEFFICIENT).to_list()},
        ),
        groups=Index(
            groups["group"].to_list(), {"last": groups["last"].to_list(), "months": groups["months"].to_list()}
        ),
        coefficients={group: frozenset(found) for group, found in by_group.items()},
    )


def grades(reference: Reference) -> Grades:
    """The look-ups of these reference tables, built once."""
    return cached(reference, "grades", _build)


@step("coefficient")
def clean_coefficient(batch: Batch, spec: CleanSpec) -> None:
    """A coefficient that lost its comma (234) gets it back where 2.34 is in the table of the record's rank (VR16)."""
    known = grades(batch.reference)
    rank = str(spec.params.get("rank", "rank_code"))
    group = str(spec.params.get("group", "salary_group"))
    for name in batch.present(spec.fields):
        text = batch.columns[name].cast(pl.String)
        bare = text.str.contains(_BARE)
        if not bare.any():
            continue
        rows = bare.arg_true()
        text = text.str.slice(0, 3)

        def related(field: str, rows: pl.Series = rows) -> list[Any]:
            column = batch.columns.get(field)
            return column.gather(rows).cast(pl.String).to_list() if column is not None else [None] * len(rows)

        ranks = pl.DataFrame({"rank": related(rank)}, schema={"rank": pl.String})
        groups = ranks.select(known.ranks.get("rank", "group")).to_series().to_list()
        found: list[str | None] = []
        for value, of_rank, stated in zip(text.gather(rows).to_list(), groups, related(group), strict=True):
            proposed = f"{value[0]}.{value[1:]}"
            found.append(proposed if proposed in known.coefficients.get(of_rank or stated or "", ()) else None)
        proposals = pl.Series(name, found, dtype=pl.String)
        settled = proposals.is_not_null()
        batch.put(name, batch.columns[name].cast(pl.String))
        batch.scatter(name, rows.filter(settled), proposals.filter(settled), spec.rule)


def _group(terms: Terms, known: Grades) -> pl.Expr:
    """The salary group of each row: the stated one, else the rank's."""
    of_rank = known.ranks.get("rank_code", "group") if "rank_code" in terms.fields else pl.lit(None, dtype=pl.String)
    if "salary_group" not in terms.fields:
        return of_rank
    return pl.when(known.groups.has("salary_group")).then("salary_group").otherwise(of_rank)


def _group_row(terms: Terms, known: Grades) -> pl.Expr:
    """The row of each record's salary group in the table of groups."""
    return terms.helper("_group_row", known.groups.row(_group(terms, known)))


def _rank_row(terms: Terms, known: Grades, name: str = "rank_code") -> pl.Expr:
    """The row of each rank in the catalogue."""
    return terms.helper(f"_row_{name}", known.ranks.row(name))


@check("VR15")
def rank_known(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """The rank is in the catalogue and valid on the day of the step (``params["on"]``: step_effective_date)."""
    known = grades(terms.reference)
    on = str(rule.params.get("on", "step_effective_date"))
    for name in terms.known(rule.fields or ("rank_code",)):
        rank = _rank_row(terms, known, name)
        bad = pl.col(name).is_not_null() & rank.is_null()
        if on in terms.fields:
            before = (pl.col(on) < known.ranks.at(rank, "valid_from")).fill_null(False)
            after = (pl.col(on) > known.ranks.at(rank, "valid_to")).fill_null(False)
            bad = bad | before | after
        yield Finding(name, bad)


@check("VR16")
def coefficient_agrees(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Group is the rank's, step exists in the group, coefficient is the table's for group and step (NĐ 204/2004)."""
    known = grades(terms.reference)
    name = (rule.fields or ("salary_coefficient",))[0]
    if any(field not in terms.fields for field in ("rank_code", "salary_group", "salary_step", name)):
        return
    stated = pl.col("salary_group")
    differs = (stated != known.ranks.at(_rank_row(terms, known), "group")).fill_null(False)
    yield Finding("salary_group", differs | (stated.is_not_null() & ~known.groups.has("salary_group")))
    group = terms.helper("_group", _group(terms, known))
    cell = pl.concat_str(_group(terms, known), pl.lit("|"), pl.col("salary_step"))
    table = terms.helper("_coefficient", known.steps.get(cell, "coefficient"))
    yield Finding("salary_step", group.is_not_null() & pl.col("salary_step").is_not_null() & table.is_null())
    yield Finding(name, pl.col(name).cast(_COEFFICIENT) != table)


@check("VR17")
def overgrade(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """An over-grade allowance needs the last step of the group, and is a whole number of at least 5 % (TT 04/2005)."""
    known = grades(terms.reference)
    for name in terms.known(rule.fields or ("overgrade_pct",)):
        percent = pl.col(name).cast(pl.Float64)
        wrong = (percent < 5) | (percent != percent.floor())
        if "salary_step" in terms.fields:
            last = known.groups.at(_group_row(terms, known), "last")
            wrong = wrong | (pl.col("salary_step") < last).fill_null(False)
        yield Finding(name, ((percent > 0) & wrong) | (percent < 0))


@check("VR18")
def step_stale(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Still working, not at the last step, and the next step overdue by more than three months."""
    known = grades(terms.reference)
    name = (rule.fields or ("step_effective_date",))[0]
    needs = (name, "salary_step", "employment_status")
    if len(terms.known(needs)) < 3:
        return
    group = _group_row(terms, known)
    not_last = pl.col("salary_step") < known.groups.at(group, "last")
    # Whole months since the step: cheaper than adding a different number of months to each date.
    today = terms.today
    months = today.year * 12 + today.month - pl.col(name).dt.year() * 12 - pl.col(name).dt.month()
    whole = months - (pl.col(name).dt.day() >= today.day).cast(pl.Int32)
    working = pl.col("employment_status").is_in(names(rule.params, "working", WORKING))
    yield Finding(name, working & not_last & (whole >= known.groups.at(group, "months").fill_null(36) + 3), needs=needs)


@check("VR19")
def rank_kind(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Civil servants (CC) have codes dd.ddd, public employees (VC) V.dd.dd.dd or a professional level (NĐ 232/2026)."""
    for name in terms.known(rule.fields or ("rank_code",)):
        if "personnel_type" in terms.fields:
            kind = pl.col("personnel_type")
            public = pl.col(name).str.starts_with("V.")
            level = (
                pl.col("professional_level").is_not_null() if "professional_level" in terms.fields else pl.lit(False)
            )
            yield Finding(name, ((kind == "CC") & public) | ((kind == "VC") & ~public & ~level))


@check("VR23")
def degree_enough(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """The highest degree is at least what the rank asks for: ``least`` by rank in the ``order`` best first."""
    order = {degree: place for place, degree in enumerate(names(rule.params, "order", ()))}
    least = {rank: order[degree] for rank, degree in dict(rule.params.get("least", {})).items() if degree in order}
    for name in terms.known(rule.fields or ("highest_degree",)):
        if least and "rank_code" in terms.fields:
            asked = Index(list(least), {"place": list(least.values())}).get("rank_code", "place")
            yield Finding(name, Index(list(order), {"place": list(order.values())}).get(name, "place") > asked)


@check("VR34")
def allowance_of_leaders(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """A position allowance goes with a leading position and only with one (NĐ 07/2026)."""
    for name in terms.known(rule.fields or ("position_allowance_coef",)):
        if "job_position_group" in terms.fields:
            leads = pl.col("job_position_group").is_in(names(rule.params, "leaders", ("LDQL",)))
            yield Finding(name, leads != (pl.col(name).fill_null(0) > 0))
