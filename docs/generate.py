"""Writes the reference pages that come from the code: connectors' keys, metrics, commands. ``make docs`` runs it;
``tests/unit/test_docs.py`` fails when a page is not what it would write.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import typer
from prometheus_client import Counter, Gauge, Histogram

import sync.metrics
from sync import sink, source, transform
from sync.cli import app
from sync.config import ConfigDef, Key
from sync.connect.definition import COMMON, SINK, declaration
from sync.ports import Plugin
from sync.rule.expression.function import FUNCTIONS
from sync.steward import page as dataset_page
from sync.transform.kinds import Kind

HERE = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py: change the declarations in the code, then run `make docs`. -->"


def connectors() -> str:
    """Every key of every connector kind, from its declaration."""
    parts = ["# Connectors", MADE, _common("every connector", COMMON), _common("every sink", SINK)]
    for plugin in [*source.plugins(), *sink.plugins()]:
        parts.append(_plugin(plugin))
    return "\n\n".join(parts) + "\n"


def _common(where: str, keys: ConfigDef) -> str:
    lines = [f"## Keys of {where}", "", "Under Kafka Connect's names.", ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|", *map(_key, keys.keys)]
    for title, told in (("Accepted, without effect", keys.accepted), ("Not supported", keys.unsupported)):
        if told:
            lines += ["", f"{title}:", "", "| key (regular expression) | why |", "|---|---|"]
            lines += [f"| `{_cell(name)}` | {_cell(why)} |" for name, why in sorted(told.items())]
    return "\n".join(lines)


def _plugin(plugin: Plugin) -> str:
    names = "`, `".join((plugin.class_name, *plugin.aliases))
    lines = [f"## {plugin.kind}: `{plugin.class_name}`", f"`connector.class`: `{names}`", ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    lines += [_key(key) for key in (*plugin.config.keys, *plugin.config.families)]
    if plugin.config.unsupported:
        lines += ["", "Not supported (an error that names the key, never silence):", ""]
        lines += ["| key (regular expression) | why |", "|---|---|"]
        lines += [f"| `{_cell(name)}` | {_cell(why)} |" for name, why in sorted(plugin.config.unsupported.items())]
    return "\n".join(lines)


def _key(key: Key) -> str:
    default = "**required**" if key.required else f"`{key.default}`" if key.default not in (None, "", []) else ""
    choice = f" One of {', '.join(f'`{value}`' for value in key.recommended)}." if key.recommended else ""
    return (
        f"| `{key.name}` | {key.type.value.lower()} | {_cell(default)} | {_cell(f'{key.doc}{choice} {key.differs}')} |"
    )


def postgresql_source() -> str:
    """How each key of Debezium's PostgreSQL connector stands with ours."""
    plugin = next(plugin for plugin in source.plugins() if plugin.class_name == "dongbo.source.PostgreSQL")
    defined = declaration(plugin)
    lines = ["# Keys of Debezium's PostgreSQL connector", "", MADE, "", _STANDING, "", "| key | status | note |"]
    rows = [
        (key.name, "different" if key.differs else "supported", key.differs or key.doc)
        for key in (*defined.keys, *defined.families)
        if not key.name.startswith("dongbo.")
    ]
    rows += [(name, "accepted", note) for name, note in defined.accepted.items()]
    rows += [(name, "**not supported**", why) for name, why in defined.unsupported.items()]
    lines += ["|---|---|---|", *(f"| `{_cell(name)}` | {status} | {_cell(note)} |" for name, status, note in rows)]
    return "\n".join(lines) + "\n"


_STANDING = """A configuration written for `io.debezium.connector.postgresql.PostgresConnector` (3.4) is taken as it is.
*supported*: as Debezium's. *different*: with the difference that the note tells. *accepted*: may be given and has no
effect, for the reason that the note tells. *not supported*: an error that names the key. Any other key is a warning
in the worker's log. Names with backslashes are regular expressions of a family of keys. What each key takes and its
default: [connectors.md](connectors.md).

Records differ from Debezium's in two things besides: `source` has `origin` and `origin_lsn` at its end, the replication
origin of a change that was replayed from elsewhere (`dongbo_<connector>_<task>` for our own sinks; null for a change
made here), and no record has Debezium's context headers. `dongbo.origin.skip` leaves out the changes of some origins.
A server before version 16 can't be asked for changes by origin; it sends them all, and tells each origin."""


def transform_keys() -> str:
    """Every transform and predicate with its keys and differences, from its declaration."""
    parts = [
        "# Keys of transforms",
        MADE,
        "What they are for, and where they differ as a whole: [transforms.md](transforms.md).",
    ]
    for title, kinds in (("Transforms", transform.transforms()), ("Predicates", transform.predicates())):
        parts.append(f"## {title}")
        parts += [_transform(kind) for name, kind in kinds.items() if name == kind.names[0]]
    return "\n\n".join(parts) + "\n"


def _transform(kind: Kind) -> str:
    names = "`, `".join(kind.names)
    lines = [f"### {kind.class_name.rpartition('.')[2]}", "", f"`{names}`", "", kind.doc]
    if kind.differs:
        lines += ["", f"Differs: {kind.differs}"]
    config = kind.config
    if config.keys or config.unsupported or config.accepted:
        lines += ["", "| key | type | default | meaning |", "|---|---|---|---|"]
    for key in config.keys:
        doc = f"{key.doc} Differs: {key.differs}" if key.differs else key.doc
        lines.append(_key(replace(key, doc=doc)))
    for word, told in (("Refused", config.unsupported), ("No effect", config.accepted)):
        lines += [f"| `{_cell(pattern)}` | | | {word}: {_cell(why)} |" for pattern, why in told.items()]
    return "\n".join(lines)


def metrics() -> str:
    """Every metric with its labels."""
    lines = ["# Metrics", "", MADE, "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in vars(sync.metrics).values():
        if isinstance(metric, (Counter, Gauge, Histogram)):
            described = metric.describe()[0]
            name = described.name + ("_total" if isinstance(metric, Counter) else "")
            labels = ", ".join(metric._labelnames)
            lines.append(f"| `{name}` | {described.type} | {labels} | {_cell(described.documentation)} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Every command with its options, from the command line's own declarations."""
    lines = ["# Commands", "", MADE]
    _command(typer.main.get_command(app), "dongbo", lines)
    return "\n".join(lines) + "\n"


def _command(command: Any, path: str, lines: list[str]) -> None:
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        context = click.Context(command)
        for name in command.list_commands(context):
            _command(command.get_command(context, name), f"{path} {name}", lines)
        return
    lines += ["", f"## `{path}`", "", " ".join((command.help or "").split()), ""]
    lines += ["| option | default | meaning |", "|---|---|---|"]
    for parameter in command.params:
        names = ", ".join(f"`{name}`" for name in parameter.opts) if parameter.opts else f"`{parameter.name}`"
        default = parameter.default
        shown = "" if default is None or callable(default) or str(default) in ("", "False") else f"`{default}`"
        variable = f" (`{parameter.envvar}`)" if getattr(parameter, "envvar", None) else ""
        lines.append(f"| {names} | {_cell(shown)} | {_cell((getattr(parameter, 'help', '') or '') + variable)} |")


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def rule_functions() -> str:
    """The functions of expressions in rules.yaml."""
    lines = [
        "# Functions of rules",
        "",
        MADE,
        "",
        "What expressions in `rules.yaml` ([rules.md](rules.md)) may call. Null where an argument is null.",
    ]
    lines += ["", "| function | meaning |", "|---|---|"]
    lines += [f"| `{_cell(function.signature)}` | {_cell(function.doc)} |" for function in FUNCTIONS.values()]
    return "\n".join(lines) + "\n"


PAGES = {
    "connectors.md": connectors,
    "postgresql-source.md": postgresql_source,
    "transform-keys.md": transform_keys,
    "metrics.md": metrics,
    "commands.md": commands,
    "rule-functions.md": rule_functions,
    "datasets/README.md": dataset_page.index,
    **{f"datasets/{name}.md": partial(dataset_page.page, name) for name in dataset_page.names()},
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
