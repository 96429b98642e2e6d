"""Reading of dates and times in the notations of source systems (DOMAIN §7.3), and the check of birth dates (VR11).

Steps ``date`` and ``precision``. Columns in one notation are parsed by Polars; only distinct values that it cannot read
go through ``read_date``. A date is never rolled over nor completed: 31/4 is refused, 1965 stays a year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from sync.rule.batch import Batch, DateFormat, Finding, check, step
from sync.rule.model import CleanSpec, RuleSpec

FIRST_YEAR, LAST_YEAR = 1850, 2150
_EXCEL_EPOCH = date(1899, 12, 30)
_PLACEHOLDER = "1900-01-01"

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?")
_PARTS = re.compile(r"(\d{1,2})\s*[-/. ]\s*(\d{1,2})\s*[-/. ]\s*(\d{4}|\d{2})(?:\s+\d{1,2}:\d{2}.*)?")
_MONTH_YEAR = re.compile(r"(?:t|th|tháng)?\.?\s*(\d{1,2})\s*[-/. ]\s*(\d{4})")
_YEAR_MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})")
_YEAR = re.compile(r"(?:năm\s+)?(\d{4})(?:\.0)?")
_WORDS = re.compile(r"(?:(?:ngày|mùng)\s+(?:mùng\s+)?(\d{1,2})[\s,]+)?(?:tháng\s+(\d{1,2})[\s,]+)(?:năm\s+)?(\d{4})")
_EIGHT = re.compile(r"\d{8}")
_SERIAL = re.compile(r"\d{5}(?:\.\d*)?")


def _iso(year: int, month: int, day: int) -> str | None:
    """The ISO date, None where the calendar has no such day."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _month(year: int, month: int) -> str | None:
    return f"{year:04d}-{month:02d}" if FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 else None


def _full_year(two_digits: int, today: date, birth: bool) -> int:
    """The century of a two-digit year: for a birth an age of 15 to 110 years, else not beyond ten years from now."""
    recent = today.year - today.year % 100 + two_digits
    latest = today.year - 15 if birth else today.year + 10
    return recent if recent <= latest else recent - 100


def read_date(text: str, order: DateFormat, today: date, *, birth: bool) -> tuple[str | None, bool]:
    """Read a date in any notation: (YYYY-MM-DD, YYYY-MM or YYYY; None if impossible) and whether that needed a guess.

    A guess (two-digit year, spreadsheet serial number) is a fix to tell the owner. ``order`` settles day and month.
    """
    text = text.strip().strip("'").strip().lower()
    if found := _ISO.fullmatch(text):
        return _iso(int(found[1]), int(found[2]), int(found[3])), False
    if found := _PARTS.fullmatch(text):
        first, second, year = int(found[1]), int(found[2]), int(found[3])
        day, month = (second, first) if order == "mdy" else (first, second)
        short = len(found[3]) == 2
        return _iso(_full_year(year, today, birth) if short else year, month, day), short
    if found := _EIGHT.fullmatch(text):
        whole = _iso(int(text[:4]), int(text[4:6]), int(text[6:]))
        return whole or _iso(int(text[4:]), int(text[2:4]), int(text[:2])), False
    if found := _MONTH_YEAR.fullmatch(text):
        return _month(int(found[2]), int(found[1])), False
    if found := _YEAR_MONTH.fullmatch(text):
        return _month(int(found[1]), int(found[2])), False
    if found := _YEAR.fullmatch(text):
        return (found[1] if FIRST_YEAR <= int(found[1]) <= LAST_YEAR else None), False
    if found := _WORDS.fullmatch(text):
        year, month = int(found[3]), int(found[2])
        return (_iso(year, month, int(found[1])) if found[1] else _month(year, month)), False
    if _SERIAL.fullmatch(text):
        day_found = _EXCEL_EPOCH + timedelta(days=int(text[:5]))
        return _iso(day_found.year, day_found.month, day_found.day), True
    return None, False


def _parsed(column: pl.Series) -> pl.Series:
    """Dates of the values in the column's main notation, as its first values tell; null for all others."""
    head = column.drop_nulls().head(1)
    first = str(head[0]) if len(head) else ""
    pattern = "%Y-%m-%d" if first[:4].isdigit() else ("%d-%m-%Y" if "-" in first else "%d/%m/%Y")
    dates = column.str.to_date(pattern, strict=False)
    within = dates.is_between(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31))
    return dates.set(~within, None)


def _read_text(batch: Batch, name: str, spec: CleanSpec) -> pl.Series:
    """A text column as ISO text of its own precision; guesses are recorded as fixes, the unreadable refused."""
    column = batch.columns[name]
    order = batch.date_format
    if order == "mdy":
        result = pl.Series(name, [None] * batch.rows, dtype=pl.String)
    else:
        result = _parsed(column).dt.to_string("iso:strict").alias(name)
    rows = (column.is_not_null() & result.is_null()).arg_true()
    if len(rows) == 0:
        return result
    left = column.gather(rows)
    birth = bool(spec.params.get("birth", False))
    read = {text: read_date(text, order, batch.today, birth=birth) for text in left.unique().to_list()}
    values = [read[text] for text in left.to_list()]
    partial = batch.fields[name].type == "partial_date"
    texts = pl.Series(
        name, [text if text and (partial or len(text) == 10) else None for text, _ in values], dtype=pl.String
    )
    guessed = pl.Series([guess for _, guess in values], dtype=pl.Boolean)
    batch.fixes.append((name, spec.rule, rows.filter(guessed & texts.is_not_null())))
    batch.refuse(name, rows.filter(texts.is_null()), str(spec.params.get("refuse", "UNREADABLE")))
    return result.clone().scatter(rows, texts)


def _clean_date(batch: Batch, name: str, spec: CleanSpec) -> None:
    """Bring a ``date`` or ``partial_date`` column to its canonical type; 01/01/1900 stands for nothing."""
    column = batch.columns[name]
    partial = batch.fields[name].type == "partial_date"
    match column.dtype:
        case pl.Date:
            read = column.dt.to_string("iso:strict") if partial else column
        case pl.Datetime:
            read = column.dt.date().dt.to_string("iso:strict") if partial else column.dt.date()
        case pl.String:
            read = _read_text(batch, name, spec)
            if not partial:
                read = read.str.to_date("%Y-%m-%d")
        case _:
            batch.put(name, column.cast(pl.String))
            _clean_date(batch, name, spec)
            return
    batch.put(name, read)
    nothing = (read == (_PLACEHOLDER if partial else date(1900, 1, 1))).fill_null(False)
    if nothing.any():
        batch.fix(name, read.set(nothing, None), str(spec.params.get("missing", "VR29")))


def _read_time(text: str, order: DateFormat, today: date) -> str | None:
    """A time that Polars did not read, as ISO text in UTC; a date alone is its midnight."""
    day, _, clock = text.strip().replace("T", " ").partition(" ")
    found, _ = read_date(day, order, today, birth=False)
    if found is None or len(found) != 10:
        return None
    clock = clock.strip().removesuffix("Z")
    if not clock:
        return f"{found}T00:00:00"
    parts = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,6})?\d*)?", clock)
    if parts is None or int(parts[1]) > 23 or int(parts[2]) > 59 or int(parts[3] or 0) > 59:
        return None
    return f"{found}T{int(parts[1]):02d}:{parts[2]}:{parts[3] or '00'}{parts[4] or ''}"


def _clean_time(batch: Batch, name: str, spec: CleanSpec) -> None:
    """Bring a ``datetime`` column to microseconds in UTC; a time without a zone is taken as UTC, as Debezium does."""
    column = batch.columns[name]
    target = pl.Datetime("us", "UTC")
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype != target:
            zoned = column.cast(pl.Datetime("us", column.dtype.time_zone))
            batch.put(
                name, zoned.dt.convert_time_zone("UTC") if column.dtype.time_zone else zoned.dt.replace_time_zone("UTC")
            )
        return
    if column.dtype == pl.Date:
        batch.put(name, column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        return
    text = column.cast(pl.String)
    read = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us").cast(target)
    rows = (text.is_not_null() & read.is_null()).arg_true()
    if len(rows):
        left = text.gather(rows)
        known = {value: _read_time(value, batch.date_format, batch.today) for value in left.unique().to_list()}
        values = pl.Series(name, [known[value] for value in left.to_list()], dtype=pl.String)
        times = values.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us").dt.replace_time_zone("UTC")
        read = read.clone().scatter(rows, times)
        batch.refuse(name, rows.filter(times.is_null()), str(spec.params.get("refuse", "UNREADABLE")))
    batch.put(name, read)


@step("date")
def clean_date(batch: Batch, spec: CleanSpec) -> None:
    """Read dates, partial dates and times: text, days, spreadsheet numbers (DOMAIN §7.3)."""
    for name in batch.present(spec.fields or batch.fields):
        kind = batch.fields[name].type
        if kind == "datetime":
            _clean_time(batch, name, spec)
        elif kind == "date" or (kind == "partial_date" and (spec.fields or not _is_partial(batch.columns[name]))):
            _clean_date(batch, name, spec)


def _is_partial(column: pl.Series) -> bool:
    """Whether a text column already holds only canonical partial dates."""
    return column.dtype == pl.String and bool(column.str.contains(r"^\d{4}(-\d{2}(-\d{2})?)?$").all())


@step("precision")
def derive_precision(batch: Batch, spec: CleanSpec) -> None:
    """Precision of the partial date ``params["of"]`` (BHXH loaiNgaySinh): 0 full, 1 year only, 2 year and month."""
    of = str(spec.params.get("of", "birth_date"))
    if of not in batch.columns:
        return
    length = batch.columns[of].str.len_bytes()
    for name in spec.fields:
        stated = batch.columns[name].cast(pl.String)
        batch.put(name, stated)
        derived = length.replace_strict({10: "0", 4: "1", 7: "2"}, default=None, return_dtype=pl.String)
        if stated.null_count() == batch.rows:
            batch.put(name, derived)
        else:
            batch.fix(name, derived.zip_with(derived.is_not_null(), stated), spec.rule)


def earliest(field: str) -> pl.Expr:
    """The first day a partial date can mean: for checks that must not blame a person for a missing day."""
    text = pl.col(field)
    whole = (
        pl.when(text.str.len_bytes() == 4)
        .then(text + "-01-01")
        .when(text.str.len_bytes() == 7)
        .then(text + "-01")
        .otherwise(text)
    )
    return whole.str.to_date("%Y-%m-%d", strict=False)


@check("VR11")
def birth_date(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """Born in 1900 or later, aged ``min_age`` (15) to ``max_age`` (110) today; a partial date is judged by its year."""
    youngest = int(rule.params.get("min_age", 15))
    oldest = int(rule.params.get("max_age", 110))
    for name in batch.present(rule.fields or ("birth_date",)):
        year = pl.col(name).str.slice(0, 4).cast(pl.Int32, strict=False)
        age = batch.today.year - year
        birthday_ahead = pl.col(name).str.slice(5) > batch.today.isoformat()[5:]
        young = (age < youngest) | ((age == youngest) & birthday_ahead & (pl.col(name).str.len_bytes() == 10))
        yield Finding(name, (year < 1900) | young | (age > oldest))
