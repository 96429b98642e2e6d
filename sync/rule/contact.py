"""Telephone numbers and e-mail addresses (DOMAIN §7.4): steps ``phone`` and ``email``."""

from __future__ import annotations

import re

import polars as pl

from sync.rule.batch import Batch, evaluate, step
from sync.rule.model import CleanSpec

# A mobile number, a landline number with its area code, one of the network of defence and public security (069), or
# another country's with its code (E.164).
_GOOD = r"^(?:0(?:[35789][0-9]{8}|2[0-9]{8,9}|69[0-9]{6,7})|\+(?:[1-79][0-9]|8[0-35-9])[0-9]{5,12})$"
# The change of eleven-digit mobile prefixes in 2018.
_PREFIXES_2018 = {f"016{n}": f"03{n}" for n in range(2, 10)} | {
    "0120": "070", "0121": "079", "0122": "077", "0126": "076", "0128": "078", "0123": "083", "0124": "084",
    "0125": "085", "0127": "081", "0129": "082", "0186": "056", "0188": "058", "0199": "059",
}  # fmt: skip
_OLD_MOBILE = rf"^(?:{'|'.join(_PREFIXES_2018)})[0-9]{{7}}$"
_ODD = ~pl.col("v").str.contains(_GOOD)
# RFC 5322's atoms, and a domain's labels (RFC 1035; xn--: RFC 5890).
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS = rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,}}|xn--[A-Za-z0-9-]+)$"
_UNTIDY = ~pl.col("v").str.contains(_ADDRESS) | pl.col("v").str.contains("@.*[A-Z]")


def plain_phone(text: str) -> str | None:
    """A telephone number as 0xxxxxxxxx, another country's as +…; None if it does not look like one."""
    digits = re.sub(r"[\s.()'/-]", "", re.sub(r"\.0$", "", text))
    digits = re.sub(r"^(?:\+|00)84\(?0?", "0", digits)
    if re.fullmatch(r"84(?:[35789][0-9]{8}|2[0-9]{8,9})", digits):
        digits = "0" + digits[2:]
    if re.fullmatch(r"[35789][0-9]{8}", digits):
        digits = "0" + digits
    if re.fullmatch(_OLD_MOBILE, digits):
        digits = _PREFIXES_2018[digits[:4]] + digits[4:]
    return digits if re.fullmatch(_GOOD, digits) else None


_SEVERAL = re.compile(r"[/;,\n]|\s[-–]\s|\bhoặc\b")


def _offer_each(batch: Batch, name: str, rows: pl.Series, texts: list[str], rule: str) -> None:
    """Propose each of several numbers that stand in one field."""
    found = ([plain for part in _SEVERAL.split(text) if (plain := plain_phone(part))] for text in texts)
    batch.offer_each(name, zip(rows.to_list(), found, strict=True), rule)


@step("phone", params={"refuse": "rule"})
def clean_phone(batch: Batch, spec: CleanSpec) -> None:
    """International and spaced numbers to 0xxxxxxxxx, mobile prefixes of before 2018 to the present ones.

    What is no number stays as it is, or becomes null and a violation of ``params["refuse"]`` where that is given; of
    several numbers each is proposed.
    """
    refuse = spec.params.get("refuse")
    for name in batch.present(spec.fields):
        column = batch.columns[name].cast(pl.String)
        batch.put(name, column)
        odd = evaluate(column, _ODD)
        if not odd.any():
            continue
        rows = odd.arg_true()
        left = column.filter(odd)
        known = {text: plain_phone(text) for text in set(left.to_list())}
        plain = pl.Series(name, [known[text] for text in left.to_list()], dtype=pl.String)
        good = plain.is_not_null()
        batch.scatter(name, rows.filter(good), plain.filter(good), spec.rule)
        if refuse:
            _offer_each(batch, name, rows.filter(~good), left.filter(~good).to_list(), str(refuse))
            batch.scatter(name, rows.filter(~good), plain.filter(~good), None)
            batch.refuse(name, rows.filter(~good), str(refuse), "WARN")


def plain_address(text: str) -> str | None:
    """An e-mail address without what mail programs put around it, its domain in small letters; None if it is none."""
    plain = re.sub(r"^mailto:", "", text.strip("<> .;,"), flags=re.IGNORECASE)
    name, _, domain = plain.rpartition("@")
    plain = f"{name}@{domain.lower()}"
    return plain if re.fullmatch(_ADDRESS, plain) else None


@step("email")
def clean_email(batch: Batch, spec: CleanSpec) -> None:
    """E-mail addresses without mailto:, brackets and a full stop at the end; what is none stays for a rule."""
    for name in batch.typed(spec.fields, pl.String):
        column = batch.columns[name]
        odd = evaluate(column, _UNTIDY)
        if not odd.any():
            continue
        rows, left = odd.arg_true(), column.filter(odd)
        known = {text: plain_address(text) for text in set(left.to_list())}
        plain = pl.Series(name, [known[text] for text in left.to_list()], dtype=pl.String)
        good = plain.is_not_null()
        batch.scatter(name, rows.filter(good), plain.filter(good), spec.rule)
