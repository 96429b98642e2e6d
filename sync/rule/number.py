"""Reading of numbers and truth values in the notations of source systems (DOMAIN §7.3).

Step ``number``. A number that the field's precision and scale cannot hold is refused, never rounded.
"""

from __future__ import annotations

import re

import polars as pl

from sync.rule.batch import Batch, step
from sync.rule.index import name_key
from sync.rule.model import CleanSpec, Field

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


def _convert(text: pl.Expr, field: Field) -> pl.Expr:
    """Plain numbers as the field's type, null where it cannot hold them."""
    fitting = pl.when(text.str.contains(_fits(field))).then(text)
    if field.type == "int":
        return fitting.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False).cast(pl.Int32, strict=False)
    return fitting.cast(field.dtype, strict=False)


def _as_text(column: pl.Series, field: Field) -> pl.Series:
    """A column of any number type as text."""
    if column.dtype.is_float():
        # 2.34 read as a double is 2.3399999…: the scale is what the source meant.
        column = column.round(field.scale if field.type == "decimal" else 9)
    return column.cast(pl.String)


def _clean_numbers(batch: Batch, names: list[str], refuse: str) -> None:
    """Bring columns to their number types in one pass; only values not in plain notation are read one by one."""
    for name in names:
        batch.put(name, _as_text(batch.columns[name], batch.fields[name]))
    converted = batch.frame(names).select(_convert(pl.col(name), batch.fields[name]).alias(name) for name in names)
    for name in names:
        text, result = batch.columns[name], converted[name]
        if result.null_count() > text.null_count():
            rows = (text.is_not_null() & result.is_null()).arg_true()
            left = text.gather(rows)
            plain = {value: plain_number(value) for value in left.unique().to_list()}
            numbers = pl.DataFrame({name: [plain[value] for value in left.to_list()]}, schema={name: pl.String})
            values = numbers.select(_convert(pl.col(name), batch.fields[name]).alias(name)).to_series()
            batch.refuse(name, rows.filter(values.is_null()), refuse)
            result = result.clone().scatter(rows, values)
        batch.put(name, result)


def _clean_truth(batch: Batch, name: str, refuse: str) -> None:
    column = batch.columns[name]
    if column.dtype == pl.Boolean:
        return
    text = column.cast(pl.String)
    distinct = text.unique().drop_nulls().to_list()
    known = {value: True for value in distinct if name_key(value) in _TRUE_KEYS}
    known |= {value: False for value in distinct if name_key(value) in _FALSE_KEYS}
    result = text.replace_strict(known, default=None, return_dtype=pl.Boolean)
    batch.refuse(name, (text.is_not_null() & result.is_null()).arg_true(), refuse)
    batch.put(name, result)


@step("number")
def clean_number(batch: Batch, spec: CleanSpec) -> None:
    """Bring decimal, int and bool fields to their canonical types."""
    refuse = str(spec.params.get("refuse", "UNREADABLE"))
    numbers: list[str] = []
    for name in batch.present(spec.fields or batch.fields):
        field = batch.fields[name]
        if field.type in ("decimal", "int") and batch.columns[name].dtype != field.dtype:
            numbers.append(name)
        elif field.type == "bool":
            _clean_truth(batch, name, refuse)
    if numbers:
        _clean_numbers(batch, numbers, refuse)
