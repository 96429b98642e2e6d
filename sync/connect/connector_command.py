"""The commands ``connector …``: what a worker's REST API offers, for people (tables) and scripts (``--json``).

Mounted by ``sync.connect.command``; works with Kafka Connect's workers too. Exit codes: 0 done; 1 refused, invalid,
failed, or nobody answers; 2 wrong usage. A command about several connectors does what it can and then ends with 1 if
one could not be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from sync.connect.client import Client
from sync.connect.manifest import UNCHANGED, Manifest, Plan, plan, read_connectors, read_document, texts
from sync.connect.telling import print_json, table, tell, tell_error, told
from sync.errors import ConfigError, SyncError
from sync.option import Json

connector = typer.Typer(no_args_is_help=True, help="Connectors of a running worker, over its REST API.")

_URL = "http://127.0.0.1:8083"


def _names(context: typer.Context, incomplete: str) -> list[str]:
    """The worker's connectors, for the shell's completion: none where no worker answers."""
    try:
        with Client(context.params.get("url") or _URL, timeout=2.0) as client:
            return [name for name in client.names() if name.startswith(incomplete)]
    except SyncError:
        return []


Url = Annotated[str, typer.Option("--url", envvar="DONGBO_REST_URL", help="Address of the worker's REST API.")]
Name = Annotated[str, typer.Argument(help="The connector's name.", autocompletion=_names)]
Names = Annotated[list[str], typer.Argument(help="The connectors' names.", autocompletion=_names)]
Files = Annotated[
    list[str],
    typer.Option("--file", "-f", help="JSON, YAML or properties file, a folder of them, or - for standard input."),
]


@connector.command("list")
def list_connectors(url: Url = _URL, as_json: Json = False) -> None:
    """List connectors and their states."""
    with told(), Client(url) as client:
        found = client.statuses()
    if as_json:
        return print_json(found)
    return table(("connector", "type", "state", "tasks", "worker"), map(_listed, sorted(found.items())))


def _listed(pair: tuple[str, dict[str, Any]]) -> Sequence[str]:
    name, status = pair[0], pair[1]["status"]
    tasks = " ".join(task["state"] for task in status["tasks"])
    return name, status["type"], status["connector"]["state"], tasks, str(status["connector"]["worker_id"])


@connector.command()
def get(name: Name, url: Url = _URL, as_json: Json = False) -> None:
    """Show a connector's configuration; secrets stay hidden. The JSON of --json is what apply takes."""
    with told(), Client(url) as client:
        info = client.info(name)
    if as_json:
        return print_json(info)
    return table(("key", "value"), sorted(info["config"].items()))


@connector.command()
def apply(
    file: Files,
    url: Url = _URL,
    as_json: Json = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing: tell what would change, and what the worker refuses.")
    ] = False,
) -> None:
    """Create or change connectors from files; applying the same again changes nothing."""
    done: list[dict[str, Any]] = []
    with told(), Client(url) as client:
        known = set(client.names())
        for one in _read(file):
            done.append(_applied(client, one, exists=one.name in known, dry_run=dry_run))
            if not as_json:
                _tell_applied(done[-1], dry_run=dry_run)
    if as_json:
        print_json(done)
    _end(bool(one["errors"]) for one in done)


def _applied(client: Client, given: Manifest, *, exists: bool, dry_run: bool) -> dict[str, Any]:
    """What became of one connector: its action, its changes, its errors by key."""
    name, config = given.name, given.config
    found = Plan("refused", ())
    errors: dict[str, list[str]] = {}
    try:
        found = plan(client.info(name)["config"] if exists else None, config)
        if dry_run:
            errors = _errors(client, name, config)
        elif given.creation and not exists:
            client.create(name, texts(config), given.creation)
        elif found.action != UNCHANGED:
            client.apply(name, texts(config))
    except SyncError as error:
        errors = {"": [str(error)]}
    return {
        "name": name,
        "action": "refused" if errors else found.action,
        "changes": [asdict(change) for change in found.changes],
        "errors": errors,
    }


def _tell_applied(one: dict[str, Any], *, dry_run: bool) -> None:
    tell(f"{one['name']}: {one['action']}{' (dry run)' if dry_run else ''}")
    for change in one["changes"] if dry_run else ():
        if change["before"] is not None:
            tell(f"  - {change['key']}: {change['before']}")
        if change["after"] is not None:
            tell(f"  + {change['key']}: {change['after']}")
    _tell_errors(one)


def _tell_errors(one: dict[str, Any]) -> None:
    for key, messages in one["errors"].items():
        for message in messages:
            tell_error(f"  {key}: {message}" if key else f"  {message}")


@connector.command()
def validate(file: Files, url: Url = _URL, as_json: Json = False) -> None:
    """Check connectors' files without registering them: the worker looks at each key, and really connects."""
    done: list[dict[str, Any]] = []
    with told(), Client(url) as client:
        for one in _read(file):
            try:
                errors = _errors(client, one.name, one.config)
            except SyncError as error:
                errors = {"": [str(error)]}
            done.append({"name": one.name, "valid": not errors, "errors": errors})
            if not as_json:
                tell(f"{one.name}: {'invalid' if errors else 'valid'}")
                _tell_errors(done[-1])
    if as_json:
        print_json(done)
    _end(not checked["valid"] for checked in done)


def _errors(client: Client, name: str, config: dict[str, Any]) -> dict[str, list[str]]:
    """The worker's errors by key. Raises what the client raises, ConfigError without a class."""
    given = {**texts(config), "name": name}
    kind = given.get("connector.class")
    if not kind:
        raise ConfigError(f"Connector {name} has no connector.class.", hint="name one of `dongbo connector plugins`")
    body = client.validate(str(kind), given)
    values = [item["value"] for item in body["configs"]]
    return {value["name"]: value["errors"] for value in values if value["errors"]}


@connector.command()
def status(name: Name, url: Url = _URL, as_json: Json = False) -> None:
    """Show the states of a connector and its tasks; exit code 1 if one has failed."""
    with told(), Client(url) as client:
        found = client.status(name)
    parts = [("connector", found["connector"]), *((f"task {task['id']}", task) for task in found["tasks"])]
    if as_json:
        print_json(found)
    else:
        rows = [(label, p["state"], str(p["worker_id"]), p.get("trace", "").partition("\n")[0]) for label, p in parts]
        table(("part", "state", "worker", "reason"), rows)
    _end(part["state"] == "FAILED" for _, part in parts)


@connector.command()
def pause(names: Names, url: Url = _URL) -> None:
    """Pause connectors: their tasks wait, and keep what they hold."""
    _each(url, names, Client.pause)


@connector.command()
def resume(names: Names, url: Url = _URL) -> None:
    """Resume paused or stopped connectors."""
    _each(url, names, Client.resume)


@connector.command()
def stop(names: Names, url: Url = _URL) -> None:
    """Stop connectors: their tasks end; their offsets may then be changed."""
    _each(url, names, Client.stop)


@connector.command()
def restart(
    names: Names,
    url: Url = _URL,
    task: Annotated[int | None, typer.Option(min=0, help="Only this task.")] = None,
    only_failed: Annotated[bool, typer.Option(help="Only tasks that have failed.")] = False,
) -> None:
    """Restart connectors and their tasks."""
    if task is not None and only_failed:
        raise typer.BadParameter("--task and --only-failed exclude each other.")

    def again(client: Client, name: str) -> None:
        if task is None:
            client.restart(name, only_failed=only_failed)
        else:
            client.restart_task(name, task)

    _each(url, names, again)


@connector.command()
def delete(names: Names, url: Url = _URL) -> None:
    """Unregister connectors; their offsets stay."""
    _each(url, names, Client.delete)


@connector.command()
def offsets(
    name: Name,
    url: Url = _URL,
    as_json: Json = False,
    alter: Annotated[
        str, typer.Option("--alter", help="Set the offsets that this JSON or YAML file holds, as --json shows them.")
    ] = "",
    reset: Annotated[bool, typer.Option("--reset", help="Forget all offsets: the next start begins anew.")] = False,
) -> None:
    """Show how far a connector has come; alter or reset it while the connector is stopped."""
    if reset and alter:
        raise typer.BadParameter("--reset and --alter exclude each other.")
    with told(), Client(url) as client:
        if reset or alter:
            body = client.reset_offsets(name) if reset else client.alter_offsets(name, read_document(alter))
            return print_json(body) if as_json else tell(str(body["message"]))
        found = client.offsets(name)
    if as_json:
        return print_json(found)
    rows = [(_pairs(one["partition"]), _pairs(one["offset"])) for one in found["offsets"]]
    return table(("partition", "offset"), rows)


def _pairs(values: dict[str, Any] | None) -> str:
    return ", ".join(f"{key}={value}" for key, value in (values or {}).items())


@connector.command()
def plugins(
    plugin: Annotated[str, typer.Argument(help="A class: show its keys.")] = "", url: Url = _URL, as_json: Json = False
) -> None:
    """List the kinds of connectors that the worker has, or the keys of one."""
    with told(), Client(url) as client:
        found = client.plugin_config(plugin) if plugin else client.plugins()
    if as_json:
        return print_json(found)
    if plugin:
        return table(("key", "type", "default", "meaning"), map(_described, found))
    return table(("class", "type", "version"), [(one["class"], one["type"], one["version"]) for one in found])


def _described(key: dict[str, Any]) -> Sequence[str]:
    default = "required" if key["required"] else str(key["default_value"] or "")
    return key["name"], key["type"].lower(), default, key["documentation"] or ""


def _read(files: Sequence[str]) -> Iterator[Manifest]:
    return (one for given in files for one in read_connectors(given))


def _each(url: str, names: Sequence[str], act: Callable[[Client, str], None]) -> None:
    """Do it for each; tell what could not be done, and end with exit code 1 then."""
    failed = []
    with told(), Client(url) as client:
        for name in names:
            try:
                act(client, name)
            except SyncError as error:
                tell_error(f"error: {name}: {error}")
                failed.append(name)
    _end(failed)


def _end(failures: Iterable[object]) -> None:
    if any(failures):
        raise typer.Exit(1)
