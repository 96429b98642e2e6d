"""What the benchmarks' commands have in common: options, the choice of sides, and the end of a run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sync.embedded.stack import Stack
from sync.errors import SyncError

DATA_DIR = Path(".dongbo") / "bench"
RESULTS = Path(__file__).parent / "results"

Quick = Annotated[bool, typer.Option("--quick", help="One round of little data: does it work?")]
Only = Annotated[list[str] | None, typer.Option(help="Only this side (repeat); no result file.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the last trial's data directory with its logs.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed and day, same records.")]
DataDir = Annotated[Path, typer.Option(help="Folder of the stack's data and logs.")]
Output = Annotated[Path, typer.Option(help="The result's file.")]


def chosen(only: Sequence[str] | None, sides: Sequence[str]) -> tuple[str, ...]:
    """The ``sides`` that ``--only`` names, by default all; BadParameter for another name."""
    if unknown := set(only or ()) - set(sides):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: one of {', '.join(sides)}", param_hint="--only")
    return tuple(name for name in sides if not only or name in only)


@contextmanager
def running(stack: Stack, console: Console) -> Iterator[None]:
    """Around the trials: a SyncError is told with the place of the logs, and ends the stack and the command."""
    try:
        yield
    except SyncError as error:
        console.print(f"[red]bench:[/red] {error}\nLogs: {stack.data_dir / 'log'}", highlight=False)
        stack.down()
        raise typer.Exit(1) from error


def end(stack: Stack, *made: Path, keep: bool = False) -> None:
    """Stop the stack; unless ``keep``, delete its data and the folders ``made`` for the trials."""
    if keep:
        stack.down()
        return
    stack.reset()
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
