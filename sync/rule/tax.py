"""Tax codes (DOMAIN §7.4): step ``digits``, check ``TAX_CODE``.

A code has ten digits of which the last checks the others, three more for a branch, or is the person's own ID of twelve.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Batch, Finding, Terms, check, evaluate, step
from sync.rule.model import CleanSpec, RuleSpec

_WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)
_ARTEFACT = r"[\s.'’\"=-]"
_FOUND = pl.col("v").str.contains(_ARTEFACT)
_PLAIN = pl.col("v").str.replace(r"\.0$", "").str.replace_all(_ARTEFACT, "")


@step("digits")
def clean_digits(batch: Batch, spec: CleanSpec) -> None:
    """Numbers without blanks, dots, hyphens and a spreadsheet's apostrophe, where nothing but digits is left.

    ``params["lengths"]``: the numbers of digits that such a number may have; what would get another length stays.
    """
    lengths = [int(length) for length in spec.params.get("lengths", ())]
    for name in batch.present(spec.fields):
        column = batch.columns[name].cast(pl.String)
        batch.put(name, column)
        odd = evaluate(column, _FOUND)
        if not odd.any():
            continue
        rows = odd.arg_true()
        plain = evaluate(column.filter(odd), _PLAIN)
        good = plain.str.contains(r"^[0-9]+$") & plain.str.len_bytes().is_in(lengths)
        batch.scatter(name, rows.filter(good), plain.filter(good), spec.rule)


def _checked(code: pl.Expr) -> pl.Expr:
    """Whether the tenth digit is the one that the first nine give (TT 105/2020/TT-BTC; as stdnum.vn.mst has it)."""
    digits = [code.str.slice(place, 1).cast(pl.Int32, strict=False) for place in range(10)]
    total = pl.sum_horizontal(weight * digit for weight, digit in zip(_WEIGHTS, digits[:9], strict=True))
    return 10 - total % 11 == digits[9]


@check("TAX_CODE")
def tax_code(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """Ten or thirteen digits with their check digit, or the record's own citizen id (``params["citizen_id"]``)."""
    own = str(rule.params.get("citizen_id", "citizen_id"))
    for name in terms.known(rule.fields or ("tax_code",)):
        code = pl.col(name)
        personal = code.str.contains(r"^[0-9]{12}$")
        if own in terms.fields:
            personal = personal & (code == pl.col(own)).fill_null(True)
        fiscal = code.str.contains(r"^[0-9]{10}(?:[0-9]{3})?$") & _checked(code)
        yield Finding(name, ~(personal | fiscal))
