"""Codes of enumerations and catalogues from codes, official names and unambiguous aliases (DOMAIN §4.3, §4.4).

Steps ``enum`` and ``catalogue``. A code in place passes at the cost of a look-up; only distinct other values are
compared by name. An official name wins over an alias; an alias of two entries is never mapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from sync.rule.batch import Batch, lost, step
from sync.rule.index import Index, cached, label_key
from sync.rule.model import CleanSpec, Code, Reference

_CATALOGUES = ("ethnic_groups", "religions")
_PREFIXES = ("dân tộc ", "tộc ", "người ")


@dataclass(frozen=True)
class Names:
    """The codes of one catalogue and what leads to them."""

    codes: Index
    by_label: Mapping[str, str]
    width: int

    def code(self, text: str) -> str | None:
        """The code that ``text`` names or means as a number without its leading zeros; None if there is none."""
        padded = text.zfill(self.width)
        if text.isdigit() and padded in self.codes.dtype.categories:
            return padded
        folded = text.casefold()
        for prefix in _PREFIXES:
            folded = folded.removeprefix(prefix)
        return self.by_label.get(label_key(text)) or self.by_label.get(label_key(folded))


def build_names(entries: Iterable[tuple[str, str, Iterable[str]]]) -> Names:
    """``Names`` of (code, official name, aliases)."""
    codes: list[str] = []
    official: dict[str, str] = {}
    aliases: dict[str, set[str]] = {}
    for code, name, others in entries:
        codes.append(code)
        official.setdefault(label_key(name), code)
        official.setdefault(label_key(code), code)
        for other in others:
            if label_key(other):
                aliases.setdefault(label_key(other), set()).add(code)
    labels = {label: next(iter(found)) for label, found in aliases.items() if len(found) == 1}
    return Names(Index(codes), labels | official, max(map(len, codes), default=0))


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(";")]


def _table_names(reference: Reference, table: str) -> Names:
    def build(tables: Reference) -> Names:
        frame = tables.table(table, "code", "name")
        others = [name for name in frame.columns if name.startswith(("aliases", "common_spelling"))]
        return build_names(
            (row["code"], row["name"], [part for name in others for part in _split(row[name])])
            for row in frame.iter_rows(named=True)
        )

    return cached(reference, f"names:{table}", build)


def enumerations(reference: Reference, dataset: str) -> Mapping[str, Names]:
    """``Names`` of each enumerated field of ``dataset`` by the table ``enumerations``."""

    def build(tables: Reference) -> Mapping[str, Names]:
        frame = tables.table("enumerations", "dataset", "field", "code", "name", "aliases")
        entries: dict[str, list[tuple[str, str, list[str]]]] = {}
        for row in frame.filter(pl.col("dataset") == dataset).iter_rows(named=True):
            entries.setdefault(row["field"], []).append((row["code"], row["name"], _split(row["aliases"])))
        return {field: build_names(found) for field, found in entries.items()}

    return cached(reference, f"enumerations:{dataset}", build)


@lru_cache(maxsize=1024)
def _own_names(codes: tuple[Code, ...]) -> Names:
    """``Names`` of the codes that a field's schema lists."""
    return build_names((code.code, code.name, code.aliases) for code in codes)


def _map_codes(batch: Batch, name: str, names: Names, refuse: str) -> None:
    """Turn a column into codes; what is none becomes null and a violation: ERROR where the field is required."""
    column = batch.columns[name].cast(pl.String)
    coded = column.cast(names.codes.dtype, strict=False)
    batch.put(name, column)
    unknown = lost(column, coded)
    if unknown is None:
        return
    rows, left = unknown.arg_true(), column.filter(unknown).to_list()
    known = {text: names.code(text) for text in set(left)}
    values = pl.Series(name, [known[text] for text in left], dtype=pl.String)
    batch.put(name, column.clone().scatter(rows, values))
    severity = batch.rules.by_id[refuse].severity if refuse in batch.rules.by_id else "ERROR"
    if values.null_count():
        refused = rows.filter(values.is_null())
        batch.violations.append((name, refuse, severity if batch.fields[name].required else "WARN", refused))


@step("enum", params={"refuse": "rule", "dataset": "text"})
def clean_enum(batch: Batch, spec: CleanSpec) -> None:
    """Codes of the fields whose schema lists them, and of those that ``params["dataset"]`` has in ``enumerations``."""
    refuse = str(spec.params.get("refuse", "CATALOGUE"))
    known = enumerations(batch.reference, str(spec.params["dataset"])) if "dataset" in spec.params else {}
    for name in batch.present(spec.fields or batch.fields):
        codes = batch.fields[name].codes
        if name in known:
            _map_codes(batch, name, known[name], refuse)
        elif codes:
            _map_codes(batch, name, _own_names(codes), refuse)


@step("catalogue", params={"refuse": "rule"})
def clean_catalogue(batch: Batch, spec: CleanSpec) -> None:
    """Codes of ethnic groups and religions, or of the step's own fields by their catalogues (columns code, name)."""
    for name in batch.present(spec.fields or batch.fields):
        table = batch.fields[name].catalogue
        if table is not None and (spec.fields or table in _CATALOGUES):
            names = _table_names(batch.reference, table)
            _map_codes(batch, name, names, str(spec.params.get("refuse", "CATALOGUE")))
