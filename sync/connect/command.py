"""The commands ``worker`` and ``connector …``. Mounted by ``sync.cli``; each ends with exit code 0 only on success."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from sync.connect.client import Client
from sync.connect.service import Service
from sync.connect.settings import OFFSETS_TOPIC, Settings
from sync.connect.status import STATUS_TOPIC
from sync.connect.supervision import Healing
from sync.errors import ConfigError, SyncError
from sync.kafka.registrations import CONFIGS_TOPIC

app = typer.Typer(no_args_is_help=True)
connector = typer.Typer(no_args_is_help=True, help="Connectors of a running worker, over its REST API.")
app.add_typer(connector, name="connector")

_STYLES = {"RUNNING": "green", "FAILED": "bold red", "PAUSED": "yellow", "STOPPED": "yellow", "RESTARTING": "magenta"}

Url = Annotated[str, typer.Option("--url", envvar="DONGBO_REST_URL", help="Address of the worker's REST API.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Name = Annotated[str, typer.Argument(help="The connector's name.")]

_URL = "http://127.0.0.1:8083"
_HEALING = Healing()
_SUFFIXES = (".json", ".yaml", ".yml", ".properties")


@app.command()
def worker(
    bootstrap: Annotated[
        str, typer.Option("--bootstrap-servers", envvar="DONGBO_BOOTSTRAP_SERVERS", help="Kafka's addresses.")
    ] = "localhost:9092",
    registry_url: Annotated[
        str, typer.Option("--schema-registry-url", envvar="DONGBO_SCHEMA_REGISTRY_URL", help="The registry's address.")
    ] = "http://localhost:8081",
    rest_host: Annotated[
        str, typer.Option(envvar="DONGBO_REST_HOST", help="Address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    rest_port: Annotated[int, typer.Option(envvar="DONGBO_REST_PORT", help="REST port; 0 takes a free one.")] = 8083,
    worker_id: Annotated[
        str, typer.Option(envvar="DONGBO_WORKER_ID", help="Name in statuses; host:port by default.")
    ] = "",
    group: Annotated[
        str, typer.Option(envvar="DONGBO_WORKER_GROUP", help="Workers of one group share the connectors.")
    ] = "dongbo",
    advertised_url: Annotated[
        str,
        typer.Option(
            envvar="DONGBO_ADVERTISED_URL",
            help="Where the group's other workers reach this one's REST API; http://host:port by default.",
        ),
    ] = "",
    standalone: Annotated[
        list[str] | None,
        typer.Option(help="Run the connectors of this file (JSON, YAML, .properties) or folder, in no group."),
    ] = None,
    stall_after: Annotated[
        float,
        typer.Option(envvar="DONGBO_STALL_AFTER", help="Seconds without progress after which a task is restarted."),
    ] = _HEALING.patience,
    give_up_after: Annotated[
        float,
        typer.Option(envvar="DONGBO_GIVE_UP_AFTER", help="Seconds of failing after which a task is left FAILED."),
    ] = _HEALING.give_up,
    configs_topic: Annotated[
        str, typer.Option(envvar="DONGBO_CONFIGS_TOPIC", help="Topic of the configurations.")
    ] = CONFIGS_TOPIC,
    offsets_topic: Annotated[
        str, typer.Option(envvar="DONGBO_OFFSETS_TOPIC", help="Topic of the sources' positions.")
    ] = OFFSETS_TOPIC,
    status_topic: Annotated[
        str, typer.Option(envvar="DONGBO_STATUS_TOPIC", help="Topic of the states.")
    ] = STATUS_TOPIC,
    show_passwords: Annotated[
        bool,
        typer.Option(
            "--rest-show-passwords",
            envvar="DONGBO_REST_SHOW_PASSWORDS",
            help="Answer with clear passwords as they were submitted, as Kafka Connect does.",
        ),
    ] = False,
    log_level: Annotated[str, typer.Option(envvar="DONGBO_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run the connectors registered over REST, until SIGTERM."""
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # httpx tells each request's URL at INFO: noise, and a registry's URL may hold a password.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with _told():
        Service(
            Settings(
                bootstrap=bootstrap,
                registry_url=registry_url,
                rest_host=rest_host,
                rest_port=rest_port,
                worker_id=worker_id,
                group=group,
                configs_topic=configs_topic,
                offsets_topic=offsets_topic,
                status_topic=status_topic,
                show_passwords=show_passwords,
                advertised_url=advertised_url,
            ),
            healing=Healing(patience=stall_after, give_up=give_up_after),
            standalone=None
            if standalone is None
            else [pair for given in standalone for pair in read_connectors(given)],
        ).run()


@connector.command("list")
def list_connectors(url: Url = _URL, as_json: Json = False) -> None:
    """List connectors and their states."""
    with _told(), Client(url) as client:
        found = client.statuses()
    if as_json:
        return _print_json(found)
    table = Table("connector", "type", "state", "tasks", "worker")
    for name, told in sorted(found.items()):
        status = told["status"]
        tasks = " ".join(_coloured(task["state"]) for task in status["tasks"])
        table.add_row(name, status["type"], _coloured(status["connector"]["state"]), tasks, _worker(status))
    return Console().print(table)


@connector.command()
def get(name: Name, url: Url = _URL, as_json: Json = False) -> None:
    """Show a connector's configuration; secrets stay hidden."""
    with _told(), Client(url) as client:
        info = client.info(name)
    if as_json:
        return _print_json(info)
    table = Table("key", "value")
    for key, value in sorted(info["config"].items()):
        table.add_row(key, value)
    return Console().print(table)


@connector.command()
def apply(
    file: Annotated[
        list[str], typer.Option("--file", "-f", help="JSON or YAML file, a folder of them, or - for standard input.")
    ],
    url: Url = _URL,
    as_json: Json = False,
) -> None:
    """Create or change connectors from files; applying the same again changes nothing."""
    with _told(), Client(url) as client:
        before = set(client.names())
        applied = []
        for name, config in (pair for given in file for pair in read_connectors(given)):
            applied.append(client.apply(name, config))
            if not as_json:
                Console().print(f"{name}: {'applied' if name in before else 'created'}", highlight=False)
    if as_json:
        _print_json(applied)


@connector.command()
def status(name: Name, url: Url = _URL, as_json: Json = False) -> None:
    """Show the states of a connector and its tasks; exit code 1 if one has failed."""
    with _told(), Client(url) as client:
        told = client.status(name)
    parts = [("connector", told["connector"]), *((f"task {task['id']}", task) for task in told["tasks"])]
    if as_json:
        _print_json(told)
    else:
        table = Table("part", "state", "worker", "reason")
        for label, part in parts:
            reason = part.get("trace", "").partition("\n")[0]
            table.add_row(label, _coloured(part["state"]), part["worker_id"], reason)
        Console().print(table)
    if any(part["state"] == "FAILED" for _, part in parts):
        raise typer.Exit(1)


@connector.command()
def delete(name: Name, url: Url = _URL) -> None:
    """Unregister a connector; its offsets stay."""
    with _told(), Client(url) as client:
        client.delete(name)


@connector.command()
def pause(name: Name, url: Url = _URL) -> None:
    """Pause a connector."""
    with _told(), Client(url) as client:
        client.pause(name)


@connector.command()
def resume(name: Name, url: Url = _URL) -> None:
    """Resume a paused connector."""
    with _told(), Client(url) as client:
        client.resume(name)


@connector.command()
def restart(
    name: Name,
    url: Url = _URL,
    only_failed: Annotated[bool, typer.Option(help="Only tasks that have failed.")] = False,
) -> None:
    """Restart a connector and its tasks."""
    with _told(), Client(url) as client:
        client.restart(name, only_failed=only_failed)


def read_connectors(given: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, configuration) of each connector in a file, a folder or standard input (``-``).

    A document is ``{name, config}``, a flat configuration with ``name``, or a list of either; a YAML file may hold
    several documents. Raises ConfigError naming the file and what is wrong.
    """
    path = Path(given)
    if given != "-" and path.is_dir():
        for file in sorted(child for child in path.iterdir() if child.suffix in _SUFFIXES):
            yield from read_connectors(str(file))
        return
    try:
        text = sys.stdin.read() if given == "-" else path.read_text(encoding="utf-8")
        documents = [_properties(text)] if path.suffix == ".properties" else list(yaml.safe_load_all(text))
    except OSError as error:
        raise ConfigError(f"{given} cannot be read: {error.strerror}.", hint="check the path") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise ConfigError(f"{given}{place} is neither JSON nor YAML.", hint="correct the file") from error
    for document in documents:
        for entry in document if isinstance(document, list) else [document]:
            yield _connector(given, entry)


def _properties(text: str) -> dict[str, str]:
    """A Java properties file, as Connect's standalone mode reads it; without escapes and continued lines."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition("=") for line in lines if line[:1] not in ("", "#", "!")]
    return {key.strip(): value.strip() for key, _, value in pairs}


def _connector(place: str, entry: Any) -> tuple[str, dict[str, Any]]:
    config = entry.get("config", entry) if isinstance(entry, dict) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(config, dict) or not name:
        raise ConfigError(
            f"{place} holds something that is no connector.", hint="write {name: …, config: {…}}, one or a list"
        )
    return str(name), config


@contextmanager
def _told() -> Iterator[None]:
    """Tell an error on standard error in one line and end with exit code 1."""
    try:
        yield
    except SyncError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _coloured(state: str) -> str:
    style = _STYLES.get(state)
    return f"[{style}]{state}[/]" if style else state


def _worker(status: dict[str, Any]) -> str:
    return str(status["connector"]["worker_id"])
