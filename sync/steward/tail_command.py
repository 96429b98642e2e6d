"""``dongbo tail``. Mounted by ``sync.cli``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sync.errors import SyncError
from sync.kafka.tail import tail as tail_topic
from sync.option import BOOTSTRAP, REGISTRY, Bootstrap, RegistryUrl


def tail(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Stop after so many records.")] = 10,
    from_beginning: Annotated[bool, typer.Option(help="Start at the first record, not at new ones.")] = True,
) -> None:
    """Print a topic's records as JSON lines: key, value, partition, offset."""
    try:
        for record in tail_topic(bootstrap, registry_url, topic, limit=limit, from_beginning=from_beginning):
            typer.echo(json.dumps(record, ensure_ascii=False, default=str))
    except SyncError as error:
        typer.echo(f"dongbo: {error}", err=True)
        raise typer.Exit(1) from error
