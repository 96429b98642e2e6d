"""Reading of dates and times in the notations of source systems (DOMAIN §7.3), and the check of birth dates (VR11).

Steps ``date``, ``precision`` and ``first_of_january``. Columns in one notation are parsed by Polars; only distinct
values that it cannot read go through ``sync.rule.reading``. A date is never rolled over nor completed: 31/4 is
refused, 1965 stays a year, and where two days are possible a person chooses.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from sync.rule.batch import Batch, Finding, Terms, check, evaluate, lost, stack, step, unstack
from sync.rule.model import CleanSpec, RuleSpec
from sync.rule.reading import FIRST_YEAR, LAST_YEAR, Window, column_order, possible_dates, read_date, read_time

_PLACEHOLDER = date(1900, 1, 1)
# 00/00/0000, 0000-00-00, __/__/____, / /
_NO_DATE = r"^[0_\s]*[-/.][0_\s]*[-/.][0_\s]*$"
DOUBT = "DATE_DOUBT"
"""The rule of dates that may mean several days; see ``sync.rule.reading.possible_dates``."""


def _pattern(first: str | None) -> str:
    """The notation of a column's first value."""
    text = first or ""
    if text[:4].isdigit():
        return "%Y-%m-%d"
    return "%d-%m-%Y" if "-" in text else "%d/%m/%Y"


def _parse(batch: Batch, names: list[str]) -> dict[str, pl.Series]:
    """Dates of the text columns ``names``, each in its main notation; null for values in any other."""
    columns = batch.columns
    if batch.date_format in ("mdy", "column"):
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
    # Not by the least and greatest value: Python's dates have no year 0.
    inside = dates.dt.year().is_between(FIRST_YEAR, LAST_YEAR)
    return dates if inside.fill_null(True).all() else dates.set(~inside, None)


def _bounded(batch: Batch, name: str, spec: CleanSpec, moments: pl.Series) -> pl.Series:
    """Days or times of a typed column; years that no record can mean are refused."""
    kept = _within(moments)
    if (strange := lost(moments, kept)) is not None:
        batch.refuse(name, strange.arg_true(), str(spec.params.get("refuse", "UNREADABLE")))
    return kept


def _read_rest(batch: Batch, name: str, spec: CleanSpec, parsed: pl.Series) -> pl.Series:
    """ISO text of a text column whose main notation gave ``parsed``; guesses are fixes, the unreadable is refused."""
    column = batch.columns[name]
    result = parsed.dt.to_string("iso:strict")
    other = column.is_not_null() & parsed.is_null()
    rows, left = other.arg_true(), column.filter(other).to_list()
    window = _window(batch, spec)
    order = batch.date_format
    if order == "column":
        order = column_order(column.drop_nulls().to_list()) or order
    read = {text: read_date(text, order, window) for text in set(left)}
    values = [read[text] for text in left]
    partial = batch.fields[name].type == "partial_date"
    texts = pl.Series(
        name, [text if text and (partial or len(text) == 10) else None for text, _ in values], dtype=pl.String
    )
    guessed = pl.Series([guess for _, guess in values], dtype=pl.Boolean)
    batch.fixes.append((name, spec.rule, rows.filter(guessed & texts.is_not_null())))
    nothing = pl.Series(left, dtype=pl.String).str.contains(_NO_DATE)
    _put_nothing(batch, name, rows.filter(nothing), spec)
    unread = texts.is_null() & ~nothing
    doubtful = _offer(batch, name, rows.filter(unread), window)
    refused = rows.filter(unread).filter(~doubtful)
    batch.refuse(name, refused, str(spec.params.get("refuse", "UNREADABLE")))
    return result.clone().scatter(rows, texts)


def _window(batch: Batch, spec: CleanSpec) -> Window:
    """The years of a step's dates: for births (``birth``) those of the ages ``min_age`` (15) to ``max_age`` (110)."""
    if not spec.params.get("birth", False):
        return Window.of_events(batch.today)
    return Window.of_births(batch.today, int(spec.params.get("min_age", 15)), int(spec.params.get("max_age", 110)))


def _offer(batch: Batch, name: str, rows: pl.Series, window: Window) -> pl.Series:
    """Propose what unread dates may mean (DATE_DOUBT); returns where (Boolean) there is anything to propose."""
    texts = batch.columns[name].gather(rows).to_list()
    partial = batch.fields[name].type == "partial_date"
    known = {
        text: [found for found in possible_dates(text, window) if partial or len(found) == 10] for text in set(texts)
    }
    batch.offer_each(name, ((row, known[text]) for row, text in zip(rows.to_list(), texts, strict=True)), DOUBT)
    doubtful = pl.Series([bool(known[text]) for text in texts], dtype=pl.Boolean)
    batch.doubt(name, rows.filter(doubtful), DOUBT)
    return doubtful


def _put_nothing(batch: Batch, name: str, rows: pl.Series, spec: CleanSpec) -> None:
    """Dates that stand for no date become null."""
    nothing = pl.Series([None], dtype=batch.columns[name].dtype).new_from_index(0, len(rows))
    batch.scatter(name, rows, nothing, str(spec.params.get("missing", "VR29")))


def _put_date(batch: Batch, name: str, spec: CleanSpec, dates: pl.Series) -> None:
    """Put the dates of a column that was read whole; 01/01/1900 stands for nothing."""
    partial = batch.fields[name].type == "partial_date"
    batch.put(name, dates.dt.to_string("iso:strict") if partial else dates)
    nothing = (dates == _PLACEHOLDER).fill_null(False)
    if nothing.any():
        _put_nothing(batch, name, nothing.arg_true(), spec)


def _clean_dates(batch: Batch, spec: CleanSpec, names: list[str]) -> None:
    """Bring ``date`` and ``partial_date`` columns to their canonical types, all text columns in one pass."""
    texts: list[str] = []
    for name in names:
        column = batch.columns[name]
        if column.dtype == pl.Date:
            _put_date(batch, name, spec, _bounded(batch, name, spec, column))
        elif isinstance(column.dtype, pl.Datetime):
            _put_date(batch, name, spec, _bounded(batch, name, spec, column.dt.date()))
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
            _put_nothing(batch, name, (read == _PLACEHOLDER.isoformat()).fill_null(False).arg_true(), spec)
        else:
            _put_date(batch, name, spec, read.str.to_date("%Y-%m-%d"))


_TIME = pl.col("v").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us")


def _clean_time(batch: Batch, name: str, spec: CleanSpec) -> None:
    """Bring a ``datetime`` column to microseconds in UTC; a time without a zone is taken as UTC, as Debezium does."""
    column = batch.columns[name]
    target = pl.Datetime("us", "UTC")
    if isinstance(column.dtype, pl.Datetime):
        zone = column.dtype.time_zone
        times = _bounded(batch, name, spec, column)
        if column.dtype != target:
            times = times.cast(pl.Datetime("us", zone))
            times = times.dt.convert_time_zone("UTC") if zone else times.dt.replace_time_zone("UTC")
        batch.put(name, times)
        return
    if column.dtype == pl.Date:
        column = _bounded(batch, name, spec, column)
        batch.put(name, column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        return
    text = column.cast(pl.String)
    read = _within(evaluate(text, _TIME).cast(target))
    odd = lost(text, read)
    if odd is not None:
        rows, left = odd.arg_true(), text.filter(odd).to_list()
        known = {value: read_time(value, batch.date_format, batch.today) for value in set(left)}
        values = pl.Series(name, [known[value] for value in left], dtype=pl.String)
        times = values.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us").dt.replace_time_zone("UTC")
        read = read.clone().scatter(rows, times)
        batch.refuse(name, rows.filter(times.is_null()), str(spec.params.get("refuse", "UNREADABLE")))
    batch.put(name, read)


@step("date", params={"refuse": "rule", "missing": "rule", "birth": "flag", "min_age": "number", "max_age": "number"})
def clean_date(batch: Batch, spec: CleanSpec) -> None:
    """Read dates, partial dates and times: text, days, spreadsheet numbers (DOMAIN §7.3)."""
    dates: list[str] = []
    for name in batch.present(spec.fields or batch.of_types("date", "datetime", "partial_date")):
        kind = batch.fields[name].type
        column = batch.columns[name]
        if kind == "datetime" and name not in batch.read:
            _clean_time(batch, name, spec)
            batch.read.add(name)
        elif kind == "date" or (kind == "partial_date" and not (column.dtype == pl.String and name in batch.read)):
            dates.append(name)
            batch.read.add(name)
    if dates:
        _clean_dates(batch, spec, dates)


_LENGTH = pl.col("v").str.len_bytes()
_PRECISION = (
    pl.when(_LENGTH == 10).then(pl.lit("0")).when(_LENGTH == 4).then(pl.lit("1")).when(_LENGTH == 7).then(pl.lit("2"))
)


_FILLED_UP = (
    pl.when((pl.col("stated") == "1") & pl.col("v").str.ends_with("-01-01"))
    .then(pl.col("v").str.slice(0, 4))
    .when((pl.col("stated") == "2") & (_LENGTH == 10) & pl.col("v").str.ends_with("-01"))
    .then(pl.col("v").str.slice(0, 7))
)
"""What a date says whose source fills up the day (1 January, the first of the month) and tells so in its precision."""


@step("precision", params={"of": "field"})
def derive_precision(batch: Batch, spec: CleanSpec) -> None:
    """Precision of the partial date ``params["of"]`` (BHXH loaiNgaySinh): 0 full, 1 year only, 2 year and month.

    A stated precision takes away what a source only filled up; elsewhere the date tells the precision.
    """
    of = str(spec.params.get("of", "birth_date"))
    if of not in batch.columns:
        return
    derived = evaluate(batch.columns[of], _PRECISION)
    for name in spec.fields:
        if batch.columns[name].null_count() < batch.rows:
            stated = batch.columns[name].cast(pl.String).alias("stated")
            known = pl.DataFrame([stated, batch.columns[of].alias("v")]).select(_FILLED_UP).to_series()
            filled = known.is_not_null().arg_true()
            if len(filled):
                batch.scatter(of, filled, known.gather(filled), spec.rule)
                derived = evaluate(batch.columns[of], _PRECISION)
        stated = batch.columns[name].cast(pl.String)
        batch.put(name, stated)
        if stated.null_count() == batch.rows:
            batch.put(name, derived)
        elif not derived.equals(stated):
            batch.put(name, stated.fill_null(derived))
            rows = (derived != batch.columns[name]).fill_null(False).arg_true()
            batch.scatter(name, rows, derived.gather(rows), spec.rule)


@step("first_of_january", params={"share": "number", "least": "number"})
def suspect_first_of_january(batch: Batch, spec: CleanSpec) -> None:
    """Tell of births on 1 January where a batch has too many: its source stores years as that day (DOMAIN §7.3).

    The one step that judges a value by its neighbours; it changes none. ``params``: ``share`` of the full dates (0.05;
    one in 365 would be usual) and ``least`` number of them (20) from which on they are too many.
    """
    share, least = float(spec.params.get("share", 0.05)), int(spec.params.get("least", 20))
    for name in batch.present(spec.fields):
        days = batch.columns[name].cast(pl.String)
        first = days.str.ends_with("-01-01").fill_null(False)
        if first.sum() >= max(least, share * int((days.str.len_bytes() == 10).sum())):
            batch.refuse(name, first.arg_true(), spec.rule, "WARN")


def earliest(field: str) -> pl.Expr:
    """The first day a partial date can mean: for checks that must not blame a person for a missing day."""
    # 1965 → 1965-01-01, 1965-07 → 1965-07-01(-01), 1965-07-30(-01-01).
    return (pl.col(field) + "-01-01").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)


@check("VR11", params={"min_age": "number", "max_age": "number"})
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
