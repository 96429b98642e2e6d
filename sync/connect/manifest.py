"""Connectors in files, and how what a file says differs from what a worker has.

Read by the commands ``connector apply`` and ``validate``, and by a worker without a group. Secrets never show: a key
that holds one is told as changed or not, and where the worker's answer hides it, as unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sync import properties
from sync.errors import ConfigError
from sync.secret import MASK, mask

SUFFIXES = (".json", ".yaml", ".yml", ".properties")

CREATED, CHANGED, UNCHANGED, APPLIED = "created", "changed", "unchanged", "applied"
"""What applying does; APPLIED: nothing but hidden secrets may differ, and only the worker can tell."""

_NAME = "name"


_DESIRED = ("initial_state", "initial_offsets")
_TOLD = ("tasks", "type")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A connector in a file. ``creation`` counts when it is created: ``initial_state``, ``initial_offsets``."""

    name: str
    config: dict[str, Any]
    creation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A key that differs: the values before and after, None for none, secrets hidden."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying a configuration does."""

    action: str
    changes: tuple[Change, ...]


def plan(existing: Mapping[str, str] | None, wanted: Mapping[str, Any]) -> Plan:
    """Compare a configuration with what the worker shows of the connector; None where it has none."""
    given = {key: value for key, value in texts(wanted).items() if key != _NAME}
    former = {key: value for key, value in (existing or {}).items() if key != _NAME}
    shown = mask(given, [key for key, value in former.items() if value == MASK])
    found = [
        Change(key, former.get(key), shown.get(key))
        for key in sorted(given.keys() | former.keys())
        if given.get(key) != former.get(key)
    ]
    if existing is None:
        return Plan(CREATED, tuple(found))
    known = [change for change in found if change.before is None or MASK not in change.before]
    return Plan(CHANGED if known else APPLIED if found else UNCHANGED, tuple(found))


def texts(config: Mapping[str, Any]) -> dict[str, str]:
    """A configuration's values as Kafka Connect takes them: YAML's true is ``true``, a list has commas between."""
    return {str(key): _text(value) for key, value in config.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)


def read_connectors(given: str) -> Iterator[Manifest]:
    """Each connector in a file, a folder or standard input (``-``).

    A document is the body of Connect's ``POST /connectors`` or ``GET /connectors/{name}``, a flat configuration with
    ``name``, or a list of either; a YAML file may hold several documents. Raises ConfigError naming the file and what
    is wrong.
    """
    path = Path(given)
    if given != "-" and path.is_dir():
        for file in sorted(child for child in path.iterdir() if child.suffix in SUFFIXES):
            yield from read_connectors(str(file))
        return
    for document in _documents(given):
        for entry in document if isinstance(document, list) else [document]:
            yield _connector(given, entry)


def _documents(given: str) -> list[Any]:
    path = Path(given)
    try:
        text = sys.stdin.read() if given == "-" else path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{given} cannot be read: {error.strerror}.", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{given} is no text in UTF-8.", hint="save the file in UTF-8") from error
    if path.suffix == ".properties":
        try:
            return [properties.parse(text)]
        except ValueError as error:
            raise ConfigError(
                f"{given} is no properties file: {error}.", hint="double a value's backslashes"
            ) from error
    try:
        return list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise ConfigError(f"{given}{place} is neither JSON nor YAML.", hint="correct the file") from error


def _connector(place: str, entry: Any) -> Manifest:
    config = entry.get("config", entry) if isinstance(entry, dict) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(config, dict) or not name:
        raise ConfigError(
            f"{place} holds something that is no connector.", hint="write {name: …, config: {…}}, one or a list"
        )
    creation = {}
    if "config" in entry:
        creation = {key: entry[key] for key in _DESIRED if entry.get(key) is not None}
        if unknown := sorted(map(str, entry.keys() - {_NAME, "config", *_DESIRED, *_TOLD})):
            raise ConfigError(
                f"{place}: connector {name} has {', '.join(unknown)} beside its config.",
                hint=f"put keys of the connector into config; beside it stand {', '.join((_NAME, *_DESIRED))}",
            )
    return Manifest(str(name), config, creation)


def read_document(given: str) -> Any:
    """The one JSON or YAML document of a file, or of standard input (``-``). Raises ConfigError."""
    documents = _documents(given)
    if len(documents) != 1:
        raise ConfigError(f"{given} holds {len(documents)} documents, not one.", hint="give a file with one")
    return documents[0]
