"""Connectors in files, and how what a file says differs from what a worker has.

Read by the commands ``connector apply`` and ``validate``, and by a worker without a group. Secrets never show: a key
that holds one is told as changed or not, and where the worker's answer hides it, as unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sync.errors import ConfigError
from sync.secret import MASK, mask

SUFFIXES = (".json", ".yaml", ".yml", ".properties")

CREATED, CHANGED, UNCHANGED, APPLIED = "created", "changed", "unchanged", "applied"
"""What applying does; APPLIED: nothing but hidden secrets may differ, and only the worker can tell."""

_NAME = "name"


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


def read_connectors(given: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, configuration) of each connector in a file, a folder or standard input (``-``).

    A document is ``{name, config}``, a flat configuration with ``name``, or a list of either; a YAML file may hold
    several documents. Raises ConfigError naming the file and what is wrong.
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
        return [_properties(text)] if path.suffix == ".properties" else list(yaml.safe_load_all(text))
    except OSError as error:
        raise ConfigError(f"{given} cannot be read: {error.strerror}.", hint="check the path") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise ConfigError(f"{given}{place} is neither JSON nor YAML.", hint="correct the file") from error


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


def read_document(given: str) -> Any:
    """The one JSON or YAML document of a file, or of standard input (``-``). Raises ConfigError."""
    documents = _documents(given)
    if len(documents) != 1:
        raise ConfigError(f"{given} holds {len(documents)} documents, not one.", hint="give a file with one")
    return documents[0]
