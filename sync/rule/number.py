"""Reading of numbers and truth values in the notations of source systems (DOMAIN §7.3).

Step ``number``. A number that the field's precision and scale cannot hold is refused, never rounded. One separator
before three digits (2.340) is a thousand's or a decimal one: the field's range decides, and where it can't, a person
does.
"""

from __future__ import annotations

import re
from functools import lru_cache

import polars as pl

from sync.rule.batch import Batch, evaluate, lost, stack, step, unstack
from sync.rule.index import name_key
from sync.rule.model import CleanSpec, Field, FieldType

_TRUE = {"true", "t", "1", "yes", "y", "x", "có", "đúng", "rồi"}
_FALSE = {"false", "f", "0", "no", "n", "không", "sai", "chưa"}
_TRUE_KEYS, _FALSE_KEYS = {name_key(word) for word in _TRUE}, {name_key(word) for word in _FALSE}


def plain_number(text: str) -> str | None:
    """A number in plain notation: ``2,34`` → 2.34, ``2.340.000`` → 2340000, ``1.234,5`` → 1234.5; else None."""
    text = re.sub(r"[\s']", "", text).removesuffix("%")
    if re.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+", text) or re.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3}){2,}", text):
        text = text.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"[+-]?\d{1,3}(?:,\d{3})+\.\d+", text) or re.fullmatch(r"[+-]?\d{1,3}(?:,\d{3}){2,}", text):
        text = text.replace(",", "")
    else:
        text = text.replace(",", ".")
    return text.removeprefix("+") if re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)", text) else None


def _fits(field: Field) -> str:
    """Regular expression of the plain numbers that the field can hold exactly."""
    if field.type == "int":
        return r"^-?0*\d{1,10}(?:\.0*)?$"
    whole, scale = field.precision - field.scale, field.scale
    return rf"^-?0*\d{{0,{whole}}}(?:\.\d{{0,{scale}}}0*)?$"


@lru_cache(maxsize=256)
def _conversion(kind: FieldType, precision: int, scale: int) -> pl.Expr:
    """Plain numbers ``v`` as the type of a field, null where it cannot hold them."""
    field = Field("", kind, precision, scale)
    text = pl.col("v")
    fitting = pl.when(text.str.contains(_fits(field))).then(text)
    if kind == "int":
        return fitting.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False).cast(pl.Int32, strict=False)
    return fitting.cast(field.dtype, strict=False)


def _convert(text: pl.Series, field: Field) -> pl.Series:
    return evaluate(text, _conversion(field.type, field.precision, field.scale))


DOUBT = "NUMBER_DOUBT"
"""The rule of numbers that may mean two: 5.000 is five or five thousand."""
_GROUPED = r"^[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}$"


def _readings(text: str, field: Field) -> list[str]:
    """What a number with one separator before three digits may be in this field: with decimals, with thousands."""
    whole = field.precision - field.scale if field.type == "decimal" else 10
    decimals = re.sub(r"\.?0+$", "", text.replace(",", "."))
    thousands = re.sub("[.,]", "", text).removeprefix("+")
    fits = len(decimals.partition(".")[2]) <= (field.scale if field.type == "decimal" else 0)
    found = [decimals.removeprefix("+")] if fits else []
    return found + ([thousands] if len(thousands.lstrip("-")) <= whole else [])


def _read_grouped(batch: Batch, name: str) -> None:
    """Settle the numbers of a text column that have one separator before three digits."""
    column, field = batch.columns[name], batch.fields[name]
    grouped = column.str.contains(_GROUPED)
    if not grouped.any():
        return
    rows, texts = grouped.arg_true(), column.filter(grouped).to_list()
    known = {text: _readings(text, field) for text in set(texts)}
    settled = pl.Series([len(known[text]) == 1 for text in texts], dtype=pl.Boolean)
    values = pl.Series([known[text][0] if known[text] else text for text in texts], dtype=pl.String)
    batch.scatter(name, rows.filter(settled), values.filter(settled), None)
    doubtful = pl.Series([len(known[text]) > 1 for text in texts], dtype=pl.Boolean)
    for place in range(2):
        offered = pl.Series([known[text][place] for text in texts if len(known[text]) > 1], dtype=pl.String)
        batch.offer(name, rows.filter(doubtful), offered, DOUBT)
    batch.doubt(name, rows.filter(doubtful), DOUBT)


def _as_text(column: pl.Series, field: Field) -> pl.Series:
    """A column of any number type as text."""
    if column.dtype.is_float():
        # 2.34 read as a double is 2.3399999…: the scale is what the source meant.
        column = column.round(field.scale if field.type == "decimal" else 9)
    return column.cast(pl.String)


def _clean_numbers(batch: Batch, names: list[str], refuse: str) -> None:
    """Bring columns to their number types, those of one type together; only odd values are read one by one."""
    alike: dict[tuple[FieldType, int, int], list[str]] = {}
    for name in names:
        field = batch.fields[name]
        if batch.columns[name].dtype == pl.String:
            _read_grouped(batch, name)
        batch.put(name, _as_text(batch.columns[name], field))
        alike.setdefault((field.type, field.precision, field.scale), []).append(name)
    converted: dict[str, pl.Series] = {}
    for group in alike.values():
        together = _convert(stack([batch.columns[name] for name in group]), batch.fields[group[0]])
        converted.update(zip(group, unstack(together, batch.rows), strict=True))
    for name in names:
        text, result = batch.columns[name], converted[name]
        odd = lost(text, result)
        if odd is not None:
            rows, left = odd.arg_true(), text.filter(odd).to_list()
            plain = {value: plain_number(value) for value in set(left)}
            numbers = pl.Series(name, [plain[value] for value in left], dtype=pl.String)
            values = _convert(numbers, batch.fields[name])
            batch.refuse(name, rows.filter(values.is_null()), refuse)
            result = result.clone().scatter(rows, values)
        batch.put(name, result)


@lru_cache(maxsize=256)
def _truth(true: tuple[str, ...], false: tuple[str, ...]) -> pl.Expr:
    """The words of ``true`` and ``false`` as Boolean, anything else as null."""
    word = pl.col("v")
    return pl.when(word.is_in(true)).then(True).when(word.is_in(false)).then(False)


def _clean_truth(batch: Batch, names: list[str], refuse: str) -> None:
    """Bring columns to Boolean, all together."""
    texts = [batch.columns[name].cast(pl.String) for name in names]
    stacked = stack(texts)
    distinct = [value for value in stacked.unique().to_list() if value is not None]
    true = sorted(value for value in distinct if name_key(value) in _TRUE_KEYS)
    false = sorted(value for value in distinct if name_key(value) in _FALSE_KEYS)
    truth = evaluate(stacked, _truth(tuple(true), tuple(false)))
    for name, text, result in zip(names, texts, unstack(truth, batch.rows), strict=True):
        unread = lost(text, result)
        if unread is not None:
            batch.refuse(name, unread.arg_true(), refuse)
        batch.put(name, result)


@step("number", params={"refuse": "rule"})
def clean_number(batch: Batch, spec: CleanSpec) -> None:
    """Bring decimal, int and bool fields to their canonical types."""
    refuse = str(spec.params.get("refuse", "UNREADABLE"))
    numbers: list[str] = []
    truths: list[str] = []
    for name in batch.present(spec.fields or batch.of_types("decimal", "int", "bool")):
        field = batch.fields[name]
        if field.type in ("decimal", "int", "bool") and batch.columns[name].dtype != field.dtype:
            (truths if field.type == "bool" else numbers).append(name)
    if truths:
        _clean_truth(batch, truths, refuse)
    if numbers:
        _clean_numbers(batch, numbers, refuse)
