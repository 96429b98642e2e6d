"""Numbers that are kept as text, as spreadsheets and forms write them (DOMAIN §7.3, §7.4): step ``digits``."""

from __future__ import annotations

import polars as pl

from sync.rule.batch import Batch, evaluate, step
from sync.rule.model import CleanSpec

_ARTEFACT = r"[\s.'’\"=-]"
_FOUND = pl.col("v").str.contains(_ARTEFACT)
_PLAIN = pl.col("v").str.replace(r"\.0$", "").str.replace_all(_ARTEFACT, "")


@step("digits", params={"lengths": "numbers"})
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
