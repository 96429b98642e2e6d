"""The commands ``match …``: candidates of the register for records under review, and the weights that score them.

Exit codes: 0 done; 1 refused, or nobody answers; 2 wrong usage.
"""

from __future__ import annotations

from typing import Annotated

import typer
import yaml

from sync.connect.telling import print_json, table, tell, told
from sync.option import BOOTSTRAP, REGISTRY, Bootstrap, Json, RegistryUrl
from sync.steward import candidate
from sync.steward.command import DatasetId

match = typer.Typer(no_args_is_help=True, help="People of the register whom records under review may be about.")

Limit = Annotated[int, typer.Option("--limit", min=1, help="Candidates of a record.")]


@match.command("candidates")
def candidates(
    dataset: DatasetId,
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    limit: Limit = 5,
    as_json: Json = False,
) -> None:
    """Show for each record under review the register's people who are most like it; numbers are masked."""
    with told():
        found = candidate.candidates(bootstrap, registry_url, dataset, limit)
    if as_json:
        return print_json(found)
    if not found:
        return tell(f"Nothing of {dataset} waits in review for its match.")
    return table(("source", "row", "why", "candidate", "score", "levels"), candidate.lines(found))


@match.command("train")
def train(dataset: DatasetId, bootstrap: Bootstrap = BOOTSTRAP, registry_url: RegistryUrl = REGISTRY) -> None:
    """Learn the weights from the records and the register as they are, and print them as match.yaml."""
    with told():
        found = candidate.train(bootstrap, registry_url, dataset)
    typer.echo(yaml.safe_dump(candidate.written(found), sort_keys=False), nl=False)
