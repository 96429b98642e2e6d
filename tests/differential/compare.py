"""Comparing two lists of records field by field; a difference is a path and both sides' values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.differential.form import Record, Side

ABSENT = "(absent)"
_TIMES = ("ts_ms", "ts_us", "ts_ns")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SNAPSHOT = ("sequence", "txId", "lsn", *_TIMES)


@dataclass(frozen=True, slots=True)
class Difference:
    """``path`` begins with the topic; ``ours`` and ``peer`` are what stands there."""

    path: str
    ours: Any
    peer: Any

    def __str__(self) -> str:
        def told(value: Any) -> str:
            return value if value is ABSENT else json.dumps(value, ensure_ascii=False, sort_keys=True)

        return f"{self.path}\n    ours: {told(self.ours)}\n    peer: {told(self.peer)}"


Topics = Mapping[str, Sequence[Record]]


def differences(ours: Topics, peer: Topics) -> list[Difference]:
    """All differences; what is the same in many records of a topic is told with the first."""
    found: list[Difference] = []
    for topic in sorted(ours.keys() | peer.keys()):
        mine, theirs = ours.get(topic, ()), peer.get(topic, ())
        if len(mine) != len(theirs):
            found.append(Difference(f"{topic}.records", _outline(mine), _outline(theirs)))
            continue
        seen: set[str] = set()
        for number, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            for name in ("key", "value"):
                for difference in _sides(f"{topic}[{number}].{name}", getattr(one, name), getattr(other, name)):
                    told = re.sub(r"\[\d+\]", "", str(difference), count=1)
                    if told not in seen:
                        seen.add(told)
                        found.append(difference)
    return found


def _outline(records: Sequence[Record]) -> list[Any]:
    """What a list of records consists of, briefly: op and key of each."""
    found = []
    for record in records:
        value = record.value.payload if record.value else None
        op = value.get("op", "?") if isinstance(value, dict) else value
        found.append([op, record.key.payload if record.key else None])
    return found


def _sides(path: str, ours: Side | None, peer: Side | None) -> Iterator[Difference]:
    if ours is None or peer is None:
        if ours is not peer:
            yield Difference(path, ours and ours.payload, peer and peer.payload)
        return
    yield from _values(f"{path}.schema", _by_name(ours.schema), _by_name(peer.schema))
    yield from _values(path, _moment(ours.payload), _moment(peer.payload))


def _by_name(schema: Any) -> Any:
    """Fields by name, and their order beside them, so that a path names the field."""
    if isinstance(schema, dict):
        found = {key: _by_name(value) for key, value in schema.items() if key != "field"}
        if schema.get("type") == "struct":
            found["fields"] = {field["field"]: _by_name(field) for field in schema["fields"]}
            found["order"] = [field["field"] for field in schema["fields"]]
        return found
    return schema


def _moment(payload: Any) -> Any:
    """Without what tells when a side worked; each side's snapshot is of its own moment, too."""
    if not isinstance(payload, dict):
        return payload
    found = {key: value is not None if key in _TIMES else value for key, value in payload.items()}
    if "id" in payload and _UUID.fullmatch(str(payload["id"])):
        # Of a notification that no signal asked for.
        found["id"] = "a UUID"
    if "aggregate_type" in payload:
        found["timestamp"] = payload["timestamp"] is not None
    source = payload.get("source")
    if not isinstance(source, dict):
        return found
    if source.get("snapshot") in (None, "false"):
        # What Debezium leaves out is the field's default, which a converter writes.
        found["source"] = {**source, "snapshot": "false"}
    else:
        found["source"] = {key: value is not None if key in _SNAPSHOT else value for key, value in source.items()}
    return found


def _values(path: str, ours: Any, peer: Any) -> Iterator[Difference]:
    if isinstance(ours, dict) and isinstance(peer, dict):
        for key in [*ours, *(key for key in peer if key not in ours)]:
            one, other = ours.get(key, ABSENT), peer.get(key, ABSENT)
            if key == "order" and isinstance(one, list) and isinstance(other, list):
                one, other = [name for name in one if name in other], [name for name in other if name in one]
            yield from _values(f"{path}.{key}", one, other)
    elif type(ours) is not type(peer) or ours != peer:
        yield Difference(path, ours, peer)
