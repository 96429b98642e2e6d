"""Reading of dates and times in the notations of source systems (DOMAIN §7.3), and the check of birth dates (VR11).

Steps ``date`` and ``precision``. Columns in one notation are parsed by Polars; only distinct values that it cannot read
go through ``read_date``. A date is never rolled over nor completed: 31/4 is refused, 1965 stays a year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from sync.rule.batch import Batch, DateFormat, Finding, Terms, check, evaluate, lost, stack, step, unstack
from sync.rule.model import CleanSpec, RuleSpec

FIRST_YEAR, LAST_YEAR = 1850, 2150
_EXCEL_EPOCH = date(1899, 12, 30)
_PLACEHOLDER = date(1900, 1, 1)
_FIRST, _LAST = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[t ].*)?")
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


def _pattern(first: str | None) -> str:
    """The notation of a column's first value."""
    text = first or ""
    if text[:4].isdigit():
        return "%Y-%m-%d"
    return "%d-%m-%Y" if "-" in text else "%d/%m/%Y"


def _parse(batch: Batch, names: list[str]) -> dict[str, pl.Series]:
    """Dates of the text columns ``names``, each in its main notation; null for values in any other."""
    columns = batch.columns
    if batch.date_format == "mdy":
        return {name: columns[name].clear(batch.rows).cast(pl.Date) for name in names}
    by_pattern: dict[str, list[str]] = {}
    for name in names:
        first = columns[name][0] or columns[name].drop_nulls()[0]
        by_pattern.setdefault(_pattern(first), []).append(name)
    parsed: dict[str, pl.Series] = {}
    for pattern, alike in by_pattern.items():
        dates = stack([columns[name] for name in alike]).str.to_date(pattern, strict=False)
        parsed.update(zip(alike, unstack(dates, batch.rows), strict=True))
    return parsed


def _within(dates: pl.Series) -> pl.Series:
    """Without the years that come from a misread notation (the year 90)."""
    least, most = dates.min(), dates.max()
    if least is None or (least >= _FIRST and most <= _LAST):  # type: ignore[operator]
        return dates
    return dates.set(~dates.is_between(_FIRST, _LAST), None)


def _read_rest(batch: Batch, name: str, spec: CleanSpec, parsed: pl.Series) -> pl.Series:
    """ISO text of a text column whose main notation gave ``parsed``; guesses are fixes, the unreadable is refused."""
    column = batch.columns[name]
    result = parsed.dt.to_string("iso:strict")
    other = column.is_not_null() & parsed.is_null()
    rows, left = other.arg_true(), column.filter(other).to_list()
    birth = bool(spec.params.get("birth", False))
    read = {text: read_date(text, batch.date_format, batch.today, birth=birth) for text in set(left)}
    values = [read[text] for text in left]
    partial = batch.fields[name].type == "partial_date"
    texts = pl.Series(
        name, [text if text and (partial or len(text) == 10) else None for text, _ in values], dtype=pl.String
    )
    guessed = pl.Series([guess for _, guess in values], dtype=pl.Boolean)
    batch.fixes.append((name, spec.rule, rows.filter(guessed & texts.is_not_null())))
    batch.refuse(name, rows.filter(texts.is_null()), str(spec.params.get("refuse", "UNREADABLE")))
    return result.clone().scatter(rows, texts)


def _put_date(batch: Batch, name: str, spec: CleanSpec, dates: pl.Series) -> None:
    """Put the dates of a column that was read whole; 01/01/1900 stands for nothing."""
    partial = batch.fields[name].type == "partial_date"
    least = dates.min()
    batch.put(name, dates.dt.to_string("iso:strict") if partial else dates)
    if least is not None and least <= _PLACEHOLDER:  # type: ignore[operator]
        rows = (dates == _PLACEHOLDER).fill_null(False).arg_true()
        nothing = pl.Series([None] * len(rows), dtype=pl.String if partial else pl.Date)
        batch.scatter(name, rows, nothing, str(spec.params.get("missing", "VR29")))


def _clean_dates(batch: Batch, spec: CleanSpec, names: list[str]) -> None:
    """Bring ``date`` and ``partial_date`` columns to their canonical types, all text columns in one pass."""
    texts: list[str] = []
    for name in names:
        column = batch.columns[name]
        if column.dtype == pl.Date:
            _put_date(batch, name, spec, column)
        elif isinstance(column.dtype, pl.Datetime):
            _put_date(batch, name, spec, column.dt.date())
        else:
            batch.put(name, column.cast(pl.String))
            texts.append(name)
    parsed = _parse(batch, texts)
    for name in texts:
        dates = _within(parsed[name])
        if dates.null_count() == batch.columns[name].null_count():
            _put_date(batch, name, spec, dates)
            continue
        read = _read_rest(batch, name, spec, dates)
        if batch.fields[name].type == "partial_date":
            batch.put(name, read)
            rows = (read == _PLACEHOLDER.isoformat()).fill_null(False).arg_true()
            batch.scatter(
                name, rows, pl.Series([None] * len(rows), dtype=pl.String), str(spec.params.get("missing", "VR29"))
            )
        else:
            _put_date(batch, name, spec, read.str.to_date("%Y-%m-%d"))


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


_TIME = pl.col("v").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us")


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
    read = evaluate(text, _TIME).cast(target)
    odd = lost(text, read)
    if odd is not None:
        rows, left = odd.arg_true(), text.filter(odd).to_list()
        known = {value: _read_time(value, batch.date_format, batch.today) for value in set(left)}
        values = pl.Series(name, [known[value] for value in left], dtype=pl.String)
        times = values.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us").dt.replace_time_zone("UTC")
        read = read.clone().scatter(rows, times)
        batch.refuse(name, rows.filter(times.is_null()), str(spec.params.get("refuse", "UNREADABLE")))
    batch.put(name, read)


@step("date")
def clean_date(batch: Batch, spec: CleanSpec) -> None:
    """Read dates, partial dates and times: text, days, spreadsheet numbers (DOMAIN §7.3)."""
    dates: list[str] = []
    for name in batch.present(spec.fields or batch.of_types("date", "datetime", "partial_date")):
        kind = batch.fields[name].type
        column = batch.columns[name]
        if kind == "datetime" and column.dtype != batch.fields[name].dtype:
            _clean_time(batch, name, spec)
        elif kind == "date" or (kind == "partial_date" and not (column.dtype == pl.String and name in batch.read)):
            dates.append(name)
            batch.read.add(name)
    if dates:
        _clean_dates(batch, spec, dates)


_LENGTH = pl.col("v").str.len_bytes()
_PRECISION = (
    pl.when(_LENGTH == 10).then(pl.lit("0")).when(_LENGTH == 4).then(pl.lit("1")).when(_LENGTH == 7).then(pl.lit("2"))
)


@step("precision")
def derive_precision(batch: Batch, spec: CleanSpec) -> None:
    """Precision of the partial date ``params["of"]`` (BHXH loaiNgaySinh): 0 full, 1 year only, 2 year and month."""
    of = str(spec.params.get("of", "birth_date"))
    if of not in batch.columns:
        return
    derived = evaluate(batch.columns[of], _PRECISION)
    for name in spec.fields:
        stated = batch.columns[name].cast(pl.String)
        batch.put(name, stated)
        if stated.null_count() == batch.rows:
            batch.put(name, derived)
        elif not derived.equals(stated):
            rows = (derived != stated).fill_null(derived.is_not_null()).arg_true()
            batch.scatter(name, rows, derived.gather(rows), spec.rule)


def earliest(field: str) -> pl.Expr:
    """The first day a partial date can mean: for checks that must not blame a person for a missing day."""
    # 1965 → 1965-01-01, 1965-07 → 1965-07-01(-01), 1965-07-30(-01-01).
    return (pl.col(field) + "-01-01").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)


@check("VR11")
def birth_date(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Born in 1900 or later, aged ``min_age`` (15) to ``max_age`` (110) today; a partial date is judged by its year."""
    youngest = int(rule.params.get("min_age", 15))
    oldest = int(rule.params.get("max_age", 110))
    for name in terms.known(rule.fields or ("birth_date",)):
        year = terms.helper(f"_year_{name}", pl.col(name).str.slice(0, 4).cast(pl.Int32, strict=False))
        latest, first = terms.today.year - youngest, max(1900, terms.today.year - oldest)
        birthday_ahead = pl.col(name).str.slice(5) > terms.today.isoformat()[5:]
        young = (year > latest) | ((year == latest) & birthday_ahead & (pl.col(name).str.len_bytes() == 10))
        yield Finding(name, (year < first) | young)
