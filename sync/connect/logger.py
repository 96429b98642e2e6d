"""Levels of this process's loggers at run time, under Kafka Connect's rules (``runtime.Loggers``, KIP-495 and 976).

Called by the REST API. ``root`` stands for ``sync``, and only the loggers below that are told and changed: what
libraries log at DEBUG may quote requests and passwords. Logger names of Kafka Connect and Debezium stand for ours, so
that an operator's commands work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from sync.connect.problem import NotFound

ROOT = "root"
_OURS = "sync"

_LEVELS = {
    "OFF": logging.CRITICAL + 10,
    "FATAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": 5,
    "ALL": 1,
}
_NAMES = {number: name for name, number in _LEVELS.items()}

# The longest match counts.
_JAVA = {
    "org.apache.kafka.connect": "sync.connect",
    "org.apache.kafka.clients": "sync.kafka",
    "org.apache.kafka": "sync.kafka",
    "io.confluent.kafka.schemaregistry": "sync.schema",
    "io.debezium": "sync.source",
    "io.debezium.connector.postgresql": "sync.source.postgresql",
    "io.debezium.connector.jdbc": "sync.sink",
}


class Loggers:
    """The loggers of this process. Methods may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._modified: dict[str, int] = {}
        self._lock = threading.Lock()

    def all(self) -> dict[str, dict[str, Any]]:
        """Every logger's level and the milliseconds since 1970 when it was set here, or None."""
        with self._lock:
            return {name: self._told(name) for name in [ROOT, *_known()]}

    def one(self, name: str) -> dict[str, Any]:
        """One logger, by our name or Java's. NotFound."""
        ours = translated(name)
        with self._lock:
            if ours != ROOT and ours not in _known():
                raise NotFound(f"Logger {name} not found.")
            return self._told(ours)

    def set(self, name: str, level: str) -> list[str]:
        """Give a level to a logger and all below it; the names of those whose level changed. NotFound: no such level.

        A name that is not one of ours changes nothing.
        """
        wanted = require_level(level)
        ours = translated(name)
        with self._lock:
            if ours.startswith(_OURS + "."):
                # A package has no logger of its own until somebody asks for it.
                logging.getLogger(ours)
            chosen = [n for n in _known() if ours == ROOT or n == ours or n.startswith(ours + ".")]
            changed = [n for n in chosen if logging.getLogger(n).getEffectiveLevel() != wanted]
            if ours == ROOT and logging.getLogger(_OURS).getEffectiveLevel() != wanted:
                changed.append(ROOT)
            # From the top: a child that gets its parent's level needs none of its own, but keeps what it was told.
            for changing in changed:
                _logger(changing).setLevel(wanted)
                self._modified[changing] = round(self._clock() * 1000)
            return sorted(changed)

    def _told(self, name: str) -> dict[str, Any]:
        return {"level": _name(_logger(name).getEffectiveLevel()), "last_modified": self._modified.get(name)}


def require_level(level: str) -> int:
    """The number of a level under Log4j's names; NotFound, as Connect has it, where there is no such level."""
    number = _LEVELS.get(level.upper())
    if number is None:
        raise NotFound(f"invalid log level '{level}'.")
    return number


def translated(name: str) -> str:
    """Our name of a logger: Java's packages are mapped, other names are taken as they are."""
    if name.lower() in (ROOT, _OURS):
        return ROOT
    for package in sorted(_JAVA, key=len, reverse=True):
        if name == package or name.startswith(package + "."):
            return _JAVA[package]
    return name


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(_OURS if name == ROOT else name)


def _known() -> list[str]:
    found = logging.root.manager.loggerDict
    return sorted(
        name
        for name, logger in list(found.items())
        if isinstance(logger, logging.Logger) and name.startswith(_OURS + ".")
    )


def _name(number: int) -> str:
    """Log4j's name of a level; of one in between, that of the next lower one."""
    return _NAMES[max((known for known in _NAMES if known <= number), default=1)]
