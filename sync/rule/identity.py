"""The citizen id and the old card number (DOMAIN §1): step ``identifier``, checks VR01-VR05, NO_ID.

A number is never invented: leading zeros lost in a spreadsheet come back only where the birth year and sex in the
number agree with the record (VR06), a letter read for a digit is only proposed, and a nine-digit number is never padded
to twelve.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Batch, Finding, Terms, check, evaluate, step
from sync.rule.index import Index, cached
from sync.rule.model import CleanSpec, Reference, RuleSpec

_TWELVE = r"^[0-9]{12}$"
_ARTEFACTS = r"[\s.'’\"=-]"
# Twelve characters of which OCR may have read some digits as letters.
_LETTERS = r"^[0-9OoIl|]{12}$"
# One digit repeated, a counting row, six zeros at the end.
_FAKES = rf"(?s)^(?:{'|'.join(f'{digit}{{12}}' for digit in '0123456789')}|123456789012|012345678901|.*000000)$"


def _prefixes(reference: Reference) -> Index:
    """The 63 province prefixes of citizen ids (TT 07/2016/TT-BCA)."""
    return cached(
        reference,
        "prefixes",
        lambda tables: Index(tables.table("provinces_old", "cccd_prefix")["cccd_prefix"].to_list()),
    )


def _code(number: pl.Expr) -> pl.Expr:
    """The digits of a 12-digit number that tell century and sex (one digit) and year of birth (two)."""
    return number.str.slice(3, 3).cast(pl.Int32, strict=False)


def _id_year(code: pl.Expr) -> pl.Expr:
    """Birth year in a number: century by the fourth digit, then two digits (NĐ 137/2015 Đ7)."""
    return 1900 + 100 * (code // 200) + code % 100


def _odd(code: pl.Expr) -> pl.Expr:
    """Whether the fourth digit is odd: a woman's."""
    return code // 100 % 2 == 1


def _sex_differs(odd: pl.Expr, gender: pl.Expr) -> pl.Expr:
    """The fourth digit is even for men (gender 1), odd for women (2); an unknown gender differs from nothing."""
    return ((gender == "1") & odd) | ((gender == "2") & ~odd)


def _fake(number: pl.Expr) -> pl.Expr:
    """Placeholder numbers (VR05)."""
    return number.str.contains(_FAKES)


def _year(birth: pl.Expr) -> pl.Expr:
    return birth.str.slice(0, 4).cast(pl.Int32, strict=False)


def _repair(batch: Batch, spec: CleanSpec, name: str, old: str | None) -> None:
    """Repair those citizen ids that are not twelve digits: artefacts (VR10), lost zeros (VR06), old numbers (VR08).

    Letters for digits, and an old number that lost its zero, are only proposed.
    """
    numbers = batch.columns[name]
    rows = evaluate(numbers, ~pl.col("v").str.contains(_TWELVE)).arg_true()

    def related(param: str, default: str) -> pl.Series:
        column = batch.columns.get(str(spec.params.get(param, default)))
        return column.gather(rows) if column is not None else pl.Series([None] * len(rows), dtype=pl.String)

    plain, padded = pl.col("plain"), pl.col("padded")
    lettered = plain.str.contains(_LETTERS) & plain.str.contains("[OoIl|]")
    code = _code(padded)
    agrees = (_id_year(code) == _year(pl.col("birth"))) & ~_sex_differs(_odd(code), pl.col("gender")).fill_null(False)
    found = (
        pl.DataFrame({"id": numbers.gather(rows)})
        .with_columns(birth=related("birth_date", "birth_date"), gender=related("gender", "gender"))
        .with_columns(plain=pl.col("id").str.replace(r"\.0$", "").str.replace_all(_ARTEFACTS, ""))
        .with_columns(
            padded=pl.when(plain.str.contains(r"^[0-9]{10,11}$"))
            .then(plain.str.zfill(12))
            .when(lettered)
            .then(plain.str.replace_all("[Oo]", "0").str.replace_all("[Il|]", "1"))
        )
        .with_columns(
            good=_prefixes(batch.reference).row(padded.str.slice(0, 3)).is_not_null() & agrees & ~_fake(padded)
        )
        .select(
            plain=pl.when(plain.str.contains(r"^[0-9]{8,12}$")).then(plain).otherwise("id"),
            padded=pl.when(pl.col("good") & ~lettered).then("padded"),
            read=pl.when(pl.col("good") & lettered).then("padded"),
        )
    )
    batch.scatter(name, rows, found["plain"], "VR10")
    batch.offer(name, rows, found["read"], "VR01")
    batch.doubt(name, rows.filter(found["read"].is_not_null()), "VR01", "REVIEW")
    whole = found["padded"].is_not_null()
    batch.scatter(name, rows.filter(whole), found["padded"].filter(whole), spec.rule)
    if old is not None:
        nine = found["plain"].str.contains(r"^[0-9]{9}$").fill_null(False)
        _move(batch, name, old, rows.filter(nine))
        eight = found["plain"].str.contains(r"^[0-9]{8}$") & batch.columns[old].gather(rows).is_null()
        batch.offer(old, rows.filter(eight), found["plain"].filter(eight).str.zfill(9), "VR08")
        batch.doubt(name, rows.filter(eight), "VR08", "REVIEW")


def _move(batch: Batch, source: str, target: str, rows: pl.Series) -> None:
    """Move numbers that stand in the wrong field to ``target``, where that is empty or the same (VR08)."""
    values, there = batch.columns[source].gather(rows), batch.columns[target].gather(rows)
    free = there.is_null() | (there == values)
    rows, values = rows.filter(free), values.filter(free)
    if len(rows):
        batch.scatter(target, rows, values, "VR08")
        batch.scatter(source, rows, pl.Series([None] * len(rows), dtype=pl.String), "VR08")


@step("identifier", params={"id": "field", "old_id": "field", "birth_date": "field", "gender": "field"})
def clean_identifier(batch: Batch, spec: CleanSpec) -> None:
    """Repair citizen ids and old card numbers; a number in the other's field moves there (DOMAIN §1.4, §1.5)."""
    name = str(spec.params.get("id", "citizen_id"))
    old = str(spec.params.get("old_id", "old_id_card_no"))
    has_old = old in batch.columns
    for field in (name, old):
        if field in batch.columns:
            batch.put(field, batch.columns[field].cast(pl.String))
    forms = {name: _TWELVE, old: r"^[0-9]{9}$"}
    there = batch.present(forms)
    if not there:
        return
    fine = batch.frame(there).select(pl.col(field).str.contains(forms[field]).all() for field in there).row(0)
    odd = [field for field, good in zip(there, fine, strict=True) if not good]
    if name in odd:
        _repair(batch, spec, name, old if has_old else None)
    if old in odd:
        _repair_old(batch, name, old)


def _repair_old(batch: Batch, name: str, old: str) -> None:
    """Repair old card numbers: a lost zero (VR08), a citizen id in the wrong field (VR08), artefacts (VR10)."""
    numbers = batch.columns[old]
    rows = evaluate(numbers, ~pl.col("v").str.contains(r"^[0-9]{9}$")).arg_true()
    plain = numbers.gather(rows).str.replace(r"\.0$", "").str.replace_all(_ARTEFACTS, "")
    nine = plain.str.contains(r"^[0-9]{9}$")
    batch.scatter(old, rows.filter(nine), plain.filter(nine), "VR10")
    eight, twelve = plain.str.contains(r"^[0-9]{8}$"), plain.str.contains(_TWELVE)
    batch.scatter(old, rows.filter(eight), plain.filter(eight).str.zfill(9), "VR08")
    batch.scatter(old, rows.filter(twelve), plain.filter(twelve), "VR10")
    _move(batch, old, name, rows.filter(twelve))


def _fields(rule: RuleSpec, *default: str) -> tuple[str, ...]:
    return rule.fields or default


def _twelve(terms: Terms, name: str) -> pl.Expr:
    return terms.helper(f"_twelve_{name}", pl.col(name).str.contains(_TWELVE))


@check("NO_ID")
def no_id(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """No citizen id: a person has to find it, none is created (DOMAIN §7.7)."""
    for name in _fields(rule, "citizen_id"):
        if name in terms.fields:
            yield Finding(name, pl.col(name).is_null(), needs=())


@check("VR01")
def id_form(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Twelve digits."""
    for name in terms.known(_fields(rule, "citizen_id")):
        yield Finding(name, ~_twelve(terms, name))


@check("VR02")
def id_prefix(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """A province prefix; an unknown one from 100 on may be a country whose list is not available: only a warning."""
    for name in terms.known(_fields(rule, "citizen_id")):
        prefix = pl.col(name).str.slice(0, 3)
        strange = pl.col(name).str.contains(_TWELVE) & _prefixes(terms.reference).row(prefix).is_null()
        unknown = terms.helper(f"_unknown_{name}", pl.when(strange).then(prefix))
        yield Finding(name, unknown < "100")
        yield Finding(name, unknown >= "100", "WARN")


@check("VR03", params={"birth_date": "field"})
def id_birth_year(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """The year in the number is the year of birth (``params["birth_date"]``), and not in the future."""
    birth = str(rule.params.get("birth_date", "birth_date"))
    for name in terms.known(_fields(rule, "citizen_id")):
        year = terms.helper(f"_id_year_{name}", _id_year(_code(pl.col(name))))
        differs = (
            (year != terms.helper(f"_year_{birth}", _year(pl.col(birth)))) if birth in terms.fields else pl.lit(False)
        )
        yield Finding(name, _twelve(terms, name) & (differs.fill_null(False) | (year > terms.today.year)))


@check("VR04", params={"gender": "field"})
def id_sex(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """The sex in the number is the record's (``params["gender"]``)."""
    gender = str(rule.params.get("gender", "gender"))
    for name in terms.known(_fields(rule, "citizen_id")):
        if gender in terms.fields:
            odd = terms.helper(f"_odd_{name}", _odd(_code(pl.col(name))))
            yield Finding(name, _twelve(terms, name) & _sex_differs(odd, pl.col(gender)))


@check("VR05")
def id_placeholder(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Not a placeholder."""
    for name in terms.known(_fields(rule, "citizen_id")):
        yield Finding(name, _twelve(terms, name) & _fake(pl.col(name)))
