"""How the commands talk to people and scripts: errors, tables, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sync.errors import SyncError

_STYLES = {"RUNNING": "green", "FAILED": "bold red", "PAUSED": "yellow", "STOPPED": "yellow", "RESTARTING": "magenta"}

_ENDLESS = 100_000
"""Width of a pipe, in characters."""


@contextmanager
def told() -> Iterator[None]:
    """Tell an error on standard error in one line and end with exit code 1."""
    try:
        yield
    except SyncError as error:
        tell_error(f"error: {error}")
        raise typer.Exit(1) from error


def tell_error(text: str) -> None:
    """Print to standard error."""
    Console(stderr=True).print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def tell(text: str) -> None:
    """Print a line as it is."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; states have their colours.

    No cell is ever cut, as ids and codes are there to be copied: on a narrow terminal cells go on in the next line, the
    first column's as the last to do so, and what is no terminal (a pipe) has lines as long as they are.
    """
    made = Table()
    for place, head in enumerate(heads):
        made.add_column(head, overflow="fold", no_wrap=place == 0)
    for row in rows:
        made.add_row(*(" ".join(map(_coloured, cell.split(" "))) if cell.isupper() else escape(cell) for cell in row))
    out = Console()
    (out if out.is_terminal else Console(width=_ENDLESS)).print(made)


def cell(value: Any) -> str:
    """A value of a record as a table shows it: nothing for null, lists and objects in one line."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {cell(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    return str(value)


def _coloured(state: str) -> str:
    style = _STYLES.get(state)
    return f"[{style}]{state}[/]" if style else escape(state)


def print_json(value: Any) -> None:
    """Print JSON for scripts."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
