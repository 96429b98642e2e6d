"""``dongbo replay DATASET``: what changed rules change, and the rows sent again. Exit codes: 0 done, 1 refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from sync.connect.telling import print_json, table, tell, told
from sync.errors import ConfigError
from sync.process.origin import Sources
from sync.schema.dataset import load, with_rules
from sync.schema.reference import load_reference
from sync.schema.registry import RegistryClient
from sync.steward.replay import Replay, Report

SHOWN = 5
"""How many rows are named for each change."""


def replay(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Only changes from then on, UTC.")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Compare these rules with the installed ones; with --dry-run.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change, and write nothing.")] = False,
    bootstrap: Annotated[
        str, typer.Option("--bootstrap-servers", envvar="DONGBO_BOOTSTRAP_SERVERS", help="Kafka's addresses.")
    ] = "localhost:9092",
    registry_url: Annotated[
        str, typer.Option("--schema-registry-url", envvar="DONGBO_SCHEMA_REGISTRY_URL", help="The registry's address.")
    ] = "http://localhost:8081",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Judge a dataset's history by changed rules; send the rows again that the installed rules judge otherwise."""
    with told():
        if rules is not None and not dry_run:
            raise ConfigError(
                "Only installed rules can be replayed.",
                field="rules",
                hint="add --dry-run; or install the rules, restart the processors, and replay without --rules",
            )
        since_ms = None if since is None else int(since.replace(tzinfo=UTC).timestamp() * 1000)
        found = load(dataset)
        registry, sources = RegistryClient(registry_url), Sources(bootstrap)
        try:
            tables = sources.poll().values()
            work = Replay(bootstrap, registry, found, tables, load_reference(), date.today())
            if rules is not None:
                report = work.compare(with_rules(found, rules), since_ms=since_ms)
            else:
                report = work.pending(since_ms=since_ms) if dry_run else work.send(since_ms=since_ms)
        finally:
            sources.close()
            registry.close()
    _tell(report, as_json=as_json, dry_run=dry_run)


def _tell(report: Report, *, as_json: bool, dry_run: bool) -> None:
    changes = sorted(report.changes.items())
    if as_json:
        rows = [
            {"rule": name, "change": what, "count": len(keys), "rows": keys[:SHOWN]} for (name, what), keys in changes
        ]
        return print_json({"rows": report.rows, "due": report.due, "sent": report.sent, "changes": rows})
    if changes:
        shown = [[name, what, str(len(keys)), " ".join(keys[:SHOWN])] for (name, what), keys in changes]
        table(("rule", "change", "rows", "for example"), shown)
    if dry_run:
        due = f", of which a replay would send {report.due} again" if report.due else ""
        return tell(f"{report.rows} rows looked at{due}; nothing was written.")
    return tell(f"{report.sent} rows sent again.")
