"""The reference tables under ``schemas/reference``: code lists of both ages, ranks, coefficients, encodings.

Called once by each processor and by the demo; ``sync.rule`` gets the result and does no I/O itself. Sources and
licences of the tables: ``schemas/reference/README.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import polars as pl

from sync.errors import ConfigError
from sync.rule.model import Reference
from sync.schema.location import schemas_root

LARGE = ("administrative_units",)
"""Tables that are data of a dataset and no code list of the rules; loaded only when named."""


def load_reference(names: Iterable[str] | None = None) -> Reference:
    """The reference tables ``names``, by default all but ``LARGE``; every column is a string, an empty cell null.

    ConfigError naming the file where one is missing or cannot be read.
    """
    root = schemas_root() / "reference"
    wanted = names if names is not None else (p.stem for p in sorted(root.glob("*.csv")) if p.stem not in LARGE)
    return Reference({name: _table(root / f"{name}.csv") for name in wanted})


@cache
def _table(path: Path) -> pl.DataFrame:
    place = f"reference/{path.name}"
    try:
        return pl.read_csv(path, infer_schema=False)
    except FileNotFoundError as error:
        raise ConfigError(f"{place}: there is no such table.", field=path.stem, hint=f"Add {place}.") from error
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"{place}: is not a UTF-8 CSV table.", field=path.stem, hint="Save it again.") from error


def agency_province(reference: Reference) -> Mapping[str, str]:
    """Level-1 agency code (``H26``) → two-digit code of the province (of the 34) that owns its records.

    Central bodies (G codes) and codes of no province are absent.
    """
    table = reference.table("agencies", "code", "province").drop_nulls("province")
    return dict(zip(table["code"].to_list(), table["province"].to_list(), strict=True))


def owners(reference: Reference) -> Mapping[str, str]:
    """What a record may tell of its owner → the province that owns it: a level-1 agency code, or a province's own.

    The two never meet, as agency codes begin with a letter; needs the tables ``agencies`` and ``provinces``.
    """
    return {**agency_province(reference), **{code: code for code in localities(reference)}}


def localities(reference: Reference) -> tuple[str, ...]:
    """Codes of the 34 provinces, sorted: one topic per dataset and locality."""
    return tuple(sorted(reference.table("provinces", "code")["code"].to_list()))


def bodies(reference: Reference) -> Mapping[str, str]:
    """Code → name of the bodies that are to report: the active central bodies (G codes) and the provinces.

    Needs the tables ``agencies`` and ``provinces``.
    """
    agencies = reference.table("agencies", "code", "name", "level", "status")
    central = agencies.filter((pl.col("level") == "ministry") & (pl.col("status") == "active"))
    provinces = reference.table("provinces", "code", "name")
    return {code: name for table in (central, provinces) for code, name in table.select("code", "name").iter_rows()}
