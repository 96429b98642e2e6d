"""The commands ``dongbo dev up|down|status|reset``. Mounted by ``sync.cli``.

Results go to standard output, progress to standard error. Exit codes: 0 = done (``status``: everything answers),
1 = failed (``status``: something doesn't).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from sync.embedded import jar
from sync.embedded.endpoint import Endpoints
from sync.embedded.part import PartStatus
from sync.embedded.stack import Stack
from sync.errors import SyncError

app = typer.Typer(no_args_is_help=True, help="Kafka, PostgreSQL and registry on this machine.")

DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="DONGBO_DATA_DIR", help="Folder of the stack's data, ports and logs.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_DATA_DIR = Path(".dongbo")


@app.command()
def up(data_dir: DataDir = _DATA_DIR, as_json: Json = False) -> None:
    """Start Kafka, PostgreSQL and the schema registry, or find them running; they stay up until `dev down`."""
    with _told(), _progress() as progress:
        endpoints = Stack(data_dir, progress=progress).up()
    _show_endpoints(endpoints, data_dir, as_json)


@app.command()
def down(data_dir: DataDir = _DATA_DIR) -> None:
    """Stop them; their data stay."""
    with _told(), _progress() as progress:
        Stack(data_dir, progress=progress).down()
    Console().print("Stopped. The data stay for the next `dongbo dev up`.")


@app.command()
def status(data_dir: DataDir = _DATA_DIR, as_json: Json = False) -> None:
    """Show how each of them is; exit code 1 unless all answer."""
    with _told():
        parts = Stack(data_dir).status()
    if as_json:
        typer.echo(json.dumps([asdict(part) for part in parts]))
    else:
        Console().print(_table(parts))
    if not all(part.healthy for part in parts):
        raise typer.Exit(1)


@app.command()
def reset(
    data_dir: DataDir = _DATA_DIR,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Stop them and delete their data: topics, databases, schemas. Downloads stay in the user's cache."""
    if not yes:
        typer.confirm(f"Delete all topics, databases and schemas in {data_dir}?", abort=True)
    with _told(), _progress() as progress:
        Stack(data_dir, progress=progress).reset()
    Console().print("Deleted.")


def _show_endpoints(endpoints: Endpoints, data_dir: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(endpoints)))
        return
    table = Table("what", "where", title="Running")
    table.add_row("Kafka", endpoints.bootstrap)
    table.add_row("Schema registry", endpoints.registry_url)
    postgres = f"{endpoints.postgres_host}:{endpoints.postgres_port}"
    table.add_row(
        "PostgreSQL", f"{postgres}, user {endpoints.postgres_user}, password in {data_dir / 'endpoints.json'}"
    )
    table.add_row("Worker's REST API", f"port {endpoints.rest_port} is free for `dongbo worker --rest-port`")
    Console().print(table)


def _table(parts: list[PartStatus]) -> Table:
    table = Table("part", "state", "pid", "address")
    for part in parts:
        state = "[green]answers" if part.healthy else "[yellow]does not answer" if part.running else "[red]down"
        table.add_row(part.name, state, str(part.pid or ""), part.address)
    return table


@contextmanager
def _told() -> Iterator[None]:
    """Turn an expected error into a message on standard error and exit code 1."""
    try:
        yield
    except SyncError as error:
        typer.echo(f"dongbo: {error}", err=True)
        raise typer.Exit(1) from error


@contextmanager
def _progress() -> Iterator[jar.Progress]:
    """A live display of what the stack does: steps as they come, one bar for the file being downloaded."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable="NO_PROGRESS" in os.environ) as shown:
        steps = shown.add_task("starting", total=None)
        download = shown.add_task("", total=None, visible=False)

        def tell(what: str, done: int, total: int) -> None:
            if total:
                shown.update(download, description=what, completed=done, total=total, visible=True)
            else:
                shown.update(steps, description=what)
                shown.update(download, visible=False)

        yield tell
