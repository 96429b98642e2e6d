"""A signal and what it does to the state. Pure: no I/O.

Signals are Debezium's: ``execute-snapshot``, ``stop-snapshot``, ``pause-snapshot``, ``resume-snapshot``, ``log``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.source.postgresql.incremental.state import Blocking, Collection, State

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signal:
    """``data`` is the JSON object that came with it; ``{}`` for none."""

    id: str
    type: str
    data: Mapping[str, Any]

    @classmethod
    def read(cls, id_: Any, type_: Any, data: Any) -> Signal:
        """Read the three fields as they are in a row or message. ValueError where they are no signal."""
        if isinstance(data, str):
            data = json.loads(data) if data.strip() else {}
        data = {} if data is None else data
        if not isinstance(type_, str) or not isinstance(data, dict):
            raise ValueError("a signal needs a type and, as data, a JSON object")
        return cls(str(id_ or ""), type_, data)


def collections(signal: Signal) -> list[str]:
    """Return the regular expressions of tables that a signal names. ValueError where it isn't a list of them."""
    named = signal.data.get("data-collections", [])
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        raise ValueError("data-collections is not a list of regular expressions")
    for item in named:
        try:
            re.compile(item)
        except re.error as error:
            raise ValueError(f"data-collections holds no regular expression: {error.msg}") from error
    return named


def apply(state: State, signal: Signal, tables: Sequence[str]) -> None:
    """Change ``state`` as the signal says; ``tables`` are the captured ones (schema.table).

    ValueError, which names no value, where the signal can't be followed.
    """
    if signal.type == "execute-snapshot":
        _execute(state, signal, tables)
    elif signal.type == "stop-snapshot":
        _require_incremental(signal)
        state.remove(_matched(collections(signal), state.tables) if collections(signal) else None)
    elif signal.type == "pause-snapshot":
        state.paused = True
    elif signal.type == "resume-snapshot":
        state.paused = False
    elif signal.type == "log":
        _log.info("Signal %s: %s", signal.id, signal.data.get("message", ""))
    else:
        raise ValueError("its type is not one that this connector knows")


def _snapshot_type(signal: Signal) -> str:
    return str(signal.data.get("type", "incremental")).lower()


def _require_incremental(signal: Signal) -> None:
    if _snapshot_type(signal) != "incremental":
        raise ValueError("its snapshot type is not incremental")


def _execute(state: State, signal: Signal, tables: Sequence[str]) -> None:
    blocking = _snapshot_type(signal) == "blocking"
    if not blocking:
        _require_incremental(signal)
    named = collections(signal)
    if not named:
        raise ValueError("data-collections is missing or empty")
    found = _matched(named, tables)
    if not found:
        raise ValueError("data-collections names no captured table")
    conditions = _conditions(signal)
    if blocking:
        # As Debezium: here a condition is the whole statement.
        statements = {table: text for table in found if (text := _condition(conditions, table)) is not None}
        state.blocking.append(Blocking(signal.id, found, statements))
        return
    surrogate = signal.data.get("surrogate-key")
    for table in found:
        state.add(Collection(table, signal.id, _condition(conditions, table), surrogate or None))


def _condition(conditions: Sequence[tuple[str, str]], table: str) -> str | None:
    return next((text for name, text in conditions if re.fullmatch(name, table, re.IGNORECASE)), None)


def _conditions(signal: Signal) -> list[tuple[str, str]]:
    given = signal.data.get("additional-conditions", [])
    try:
        return [(str(item["data-collection"]), str(item["filter"])) for item in given]
    except (TypeError, KeyError) as error:
        raise ValueError("additional-conditions is not a list of objects with data-collection and filter") from error


def _matched(named: Sequence[str], tables: Sequence[str]) -> list[str]:
    found = [table for item in named for table in tables if re.fullmatch(item, table, re.IGNORECASE)]
    return list(dict.fromkeys(found))
