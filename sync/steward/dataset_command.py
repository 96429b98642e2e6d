"""The commands ``dataset …``: what is synchronised, as data under ``schemas/``.

They need no running service. Exit codes: 0 done; 1 a mistake was found, or nothing has that name; 2 wrong usage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from sync.connect.telling import print_json, table, tell, tell_error, told
from sync.errors import ConfigError, SyncError
from sync.schema.catalogue import Database, entries
from sync.schema.dataset import datasets, load
from sync.schema.inspection import Mistake, inspect
from sync.schema.location import schemas_root
from sync.schema.reference import load_reference
from sync.steward.evolution import breaks
from sync.steward.page import index, page
from sync.steward.scaffold import Wanted, scaffold

dataset = typer.Typer(no_args_is_help=True, help="Datasets: the folders under schemas/.")


def _known(incomplete: str) -> list[str]:
    """The datasets, for the shell's completion."""
    try:
        return [name for name in datasets() if name.startswith(incomplete)]
    except SyncError:
        return []


Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Name = Annotated[str, typer.Argument(help="The dataset.", autocompletion=_known)]
Names = Annotated[list[str] | None, typer.Argument(help="The datasets; all by default.", autocompletion=_known)]


@dataset.command("list")
def list_datasets(as_json: Json = False) -> None:
    """List datasets with their keys, owners and classes of personal data."""
    with told():
        by_name = {one.dataset: one for one in entries()}
        found = [_listed(name, by_name.get(name)) for name in datasets()]
    if as_json:
        return print_json(found)
    heads = ("dataset", "name", "key", "personal data", "owner")
    return table(
        heads, [tuple(str(one[head]) for head in ("id", "name", "key", "sensitivity", "owner")) for one in found]
    )


def _listed(name: str, entry: Database | None) -> dict[str, Any]:
    if entry is None:
        return {"id": name, "name": "", "key": "", "sensitivity": "", "owner": "", "parent": None}
    return {
        "id": name,
        "name": entry.name.en,
        "key": ", ".join(entry.key),
        "sensitivity": entry.sensitivity,
        "owner": entry.owner.en,
        "parent": entry.parent,
    }


@dataset.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show a dataset: fields, rules, policy, owner (Markdown); with --json its fields and rules."""
    with told():
        if not as_json:
            return tell(page(name))
        found = load(name)
    return print_json(
        {
            "id": found.id,
            "version": found.version,
            "key": found.key,
            "fields": found.schema["fields"],
            "rules": [
                {"id": rule.id, "version": rule.version, "severity": rule.severity, "expression": rule.expression}
                for rule in found.rules.rules
            ],
            "mappings": sorted(found.mappings),
            "distribution": found.policy.distribution,
        }
    )


@dataset.command()
def new(
    name: Annotated[str, typer.Argument(help="Its id: lower-case letters, digits, underscores.")],
    key: Annotated[list[str], typer.Option("--key", help="A field of the key; several times for several.")],
    name_vi: Annotated[str, typer.Option(help="Its Vietnamese name.")],
    name_en: Annotated[str, typer.Option(help="Its English name.")],
    owner_vi: Annotated[str, typer.Option(help="The owning department, in Vietnamese.")],
    owner_en: Annotated[str, typer.Option(help="The owning department, in English.")],
) -> None:
    """Make a dataset's folder, which passes `check`, and its entry in the catalogue."""
    with told():
        folder = scaffold(schemas_root(), Wanted(name, tuple(key), (name_vi, name_en), (owner_vi, owner_en)))
    tell(f"{name}: made {folder}; fill its files, then `dongbo dataset check {name}`")


@dataset.command()
def check(names: Names = None, as_json: Json = False) -> None:
    """Tell every mistake in datasets' files with file, line and remedy; exit code 1 if there is one."""
    with told():
        root, reference = schemas_root(), load_reference()
        for name in names or ():
            if name not in datasets():
                raise ConfigError(f"There is no dataset {name}.", field=name, hint="See `dongbo dataset list`.")
        found = {name: _mistakes(root, name, lambda: inspect(root, name, reference)) for name in names or datasets()}  # noqa: B023
    if as_json:
        print_json({name: [asdict(mistake) for mistake in mistakes] for name, mistakes in found.items()})
    else:
        for name, mistakes in found.items():
            tell(f"{name}: {_counted(len(mistakes))}")
            for one in mistakes:
                tell_error(f"  {one.file}:{one.line}: {one.message} Remedy: {one.remedy}")
    if any(found.values()):
        raise typer.Exit(1)


def _counted(mistakes: int) -> str:
    return "right" if not mistakes else "1 mistake" if mistakes == 1 else f"{mistakes} mistakes"


def _mistakes(root: Path, name: str, look: Callable[[], list[Mistake]]) -> list[Mistake]:
    found = look()
    try:
        return found + breaks(root, name)
    except ConfigError:
        # No schema to compare: told already.
        return found


@dataset.command()
def docs(
    folder: Annotated[Path, typer.Option(help="Where the pages go.")] = Path("docs/datasets"),
) -> None:
    """Write a reference page for each dataset, and an index."""
    with told():
        pages = {"README.md": index(), **{f"{name}.md": page(name) for name in datasets()}}
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in pages.items():
        (folder / file).write_text(text, encoding="utf-8")
    tell(f"{len(pages)} pages in {folder}")
