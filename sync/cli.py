"""The command ``dongbo``: mounts each part's commands. ``docs/commands.md`` describes them all (a test compares).

A part is imported when it is asked for: what registers a connector need not load what reads rules.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

PARTS = {
    "dev": "sync.embedded.command:app",
    "process": "sync.commands:process",
    "connector": "sync.connect.connector_command:connector",
    "review": "sync.steward.command:review",
    "rule": "sync.steward.rule_command:rule",
    "unit": "sync.steward.unit_command:unit",
    "dataset": "sync.steward.dataset_command:dataset",
    "match": "sync.steward.match_command:match",
    "transfer": "sync.steward.transfer.command:transfer",
    "worker": "sync.connect.command:worker",
    "demo": "sync.demo.command:demo",
    "explain": "sync.steward.explain:command",
    "replay": "sync.steward.replay_command:replay",
    "tail": "sync.steward.tail_command:tail",
}
"""Command → module and name of its ``Typer`` or function."""


class _Parts(TyperGroup):
    """The commands of ``PARTS``."""

    def list_commands(self, ctx: Any) -> list[str]:
        """See ``click.Group``."""
        del ctx
        return [*PARTS]

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """See ``click.Group``; imports the command's part."""
        del ctx
        if cmd_name not in PARTS:
            return None
        module, _, name = PARTS[cmd_name].partition(":")
        part = getattr(import_module(module), name)
        if isinstance(part, typer.Typer):
            group = typer.main.get_group(part)
            group.name = cmd_name
            return group
        single = typer.Typer(add_completion=False)
        single.command(cmd_name)(part)
        return cast("TyperCommand", typer.main.get_command(single))


app = typer.Typer(
    name="dongbo",
    cls=_Parts,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


@app.callback(help="Synchronization with streaming change capture for the databases of the Ministry of Home Affairs.")
def _dongbo() -> None:
    """Nothing of its own: the commands do the work."""


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
