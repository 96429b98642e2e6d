"""Telephone numbers and e-mail addresses (DOMAIN §7.4): steps ``phone`` and ``email``."""

from __future__ import annotations

import re

import polars as pl

from sync.rule.batch import Batch, evaluate, step
from sync.rule.model import CleanSpec

# A mobile number, or a landline number with its area code.
_GOOD = r"^0(?:[35789][0-9]{8}|2[0-9]{8,9})$"
# The change of eleven-digit mobile prefixes in 2018.
_PREFIXES_2018 = {f"016{n}": f"03{n}" for n in range(2, 10)} | {
    "0120": "070", "0121": "079", "0122": "077", "0126": "076", "0128": "078", "0123": "083", "0124": "084",
    "0125": "085", "0127": "081", "0129": "082", "0186": "056", "0188": "058", "0199": "059",
}  # fmt: skip
_OLD_MOBILE = rf"^(?:{'|'.join(_PREFIXES_2018)})[0-9]{{7}}$"
_ODD = ~pl.col("v").str.contains(_GOOD)
_ADDRESS = r"^[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$"
_UNTIDY = ~pl.col("v").str.contains(_ADDRESS) | pl.col("v").str.contains("@.*[A-Z]")


def plain_phone(text: str) -> str | None:
    """A telephone number as 0xxxxxxxxx; None if it does not look like one."""
    digits = re.sub(r"[\s.()'/-]", "", text)
    digits = re.sub(r"^(?:\+|00)84\(?0?", "0", digits)
    if re.fullmatch(r"84[0-9]{9}", digits):
        digits = "0" + digits[2:]
    if re.fullmatch(r"[35789][0-9]{8}", digits):
        digits = "0" + digits
    if re.fullmatch(_OLD_MOBILE, digits):
        digits = _PREFIXES_2018[digits[:4]] + digits[4:]
    return digits if re.fullmatch(_GOOD, digits) else None


@step("phone", params=("refuse",))
def clean_phone(batch: Batch, spec: CleanSpec) -> None:
    """International and spaced numbers to 0xxxxxxxxx, mobile prefixes of before 2018 to the present ones.

    What is no number stays as it is, or becomes null and a violation of ``params["refuse"]`` where that is given.
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
