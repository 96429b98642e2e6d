"""Reference tables as dicts and sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sync.rule.catalogue import Names, _table_names, enumerations
from sync.rule.encoding import Decoder, decoder
from sync.rule.model import Reference
from sync.schema.dataset import Dataset


@dataclass(frozen=True)
class Rank:
    """A rank: its salary group (None for one without a table) and the days on which it is valid."""

    group: str | None
    since: date | None
    until: date | None


@dataclass(frozen=True)
class Tables:
    """All that the rules look up."""

    codes: dict[str, Names]
    """By field: its catalogue or enumeration."""
    decode: Decoder
    prefixes: frozenset[str]
    agencies: frozenset[str]
    ranks: dict[str, Rank]
    grades: dict[tuple[str, int], Decimal]
    last_step: dict[str, int]
    months: dict[str, int]
    provinces: frozenset[str]
    successors: dict[str, str]
    """Any province's code → the present one."""
    communes: dict[str, str]
    """Present commune → its province."""
    old_communes: dict[str, tuple[str, str | None]]
    """Old commune → its province, and the commune that it became, where that is certain."""


def tables(reference: Reference, dataset: Dataset) -> Tables:
    """Build everything once."""
    codes = dict(enumerations(reference, dataset.id))
    for field in dataset.fields:
        if field.catalogue in ("ethnic_groups", "religions"):
            codes[field.name] = _table_names(reference, field.catalogue)
    grades, last, months = {}, {}, {}
    for row in reference.table("salary_grades").iter_rows(named=True):
        group, step = row["group"], int(row["step"])
        grades[group, step] = Decimal(row["coefficient"])
        last[group] = max(step, last.get(group, 0))
        if row["months_to_next_step"]:
            months[group] = max(int(float(row["months_to_next_step"])), months.get(group, 0))
    ranks: dict[str, Rank] = {}
    for row in reference.table("ranks").iter_rows(named=True):
        group = row["salary_group"] if row["salary_group"] in last else None
        ranks.setdefault(row["code"], Rank(group, _day(row["valid_from"]), _day(row["valid_to"])))
    new = reference.table("provinces")["code"].to_list()
    successors = {
        row["old_gso_code"]: row["new_province_code"] for row in reference.table("provinces_old").iter_rows(named=True)
    }
    successors.update({code: code for code in new})
    settled = ("UNIQUE", "UNIQUE_BY_POPULATION")
    return Tables(
        codes=codes,
        decode=decoder(reference),
        prefixes=frozenset(reference.table("provinces_old")["cccd_prefix"].to_list()),
        agencies=frozenset(reference.table("agencies")["code"].to_list()),
        ranks=ranks,
        grades=grades,
        last_step=last,
        months=months,
        provinces=frozenset(new),
        successors=successors,
        communes=dict(reference.table("communes").select("code", "province_code").iter_rows()),
        old_communes={
            row["old_commune_code"]: (
                row["old_province_code"],
                row["resolved_new_code"] if row["status"] in settled else None,
            )
            for row in reference.table("commune_resolution").iter_rows(named=True)
        },
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
