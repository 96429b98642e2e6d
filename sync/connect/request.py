"""Reads what a client sends: bodies in the shapes of Kafka Connect's entities, and flags.

Called by the REST API's handlers. Everything that cannot be read is BadRequest in words that quote no value: a body may
hold a password. (Kafka Connect answers 500 to a body that its JSON library refuses.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sync.connect.problem import BadRequest
from sync.connect.registrations import INITIAL_STATES

Config = dict[str, str | None]
PartitionOffset = tuple[dict[str, Any] | None, dict[str, Any] | None]
"""A partition and its offset; None is a JSON null, or left out."""

_MAX_BODY = 4 * 1024 * 1024
_BLANK = "".join(map(chr, range(33)))
"""What Java's ``String.trim`` cuts off."""


@dataclass(frozen=True, slots=True)
class Creation:
    """The body of ``POST /connectors``. ``offsets`` None: the request names none."""

    name: str
    config: Config
    target: str
    offsets: list[PartitionOffset] | None


async def text_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object, numbers as the text that was sent, as Jackson makes strings of them."""
    return await _object(request, parse_int=str, parse_float=str)


async def creation(request: Request) -> Creation:
    """Read ``POST /connectors``."""
    raw = await _body(request)
    sent = _parsed(raw, parse_int=str, parse_float=str)
    _only(sent, "name", "config", "initial_state", "initial_offsets")
    if sent.get("config") is None:
        raise BadRequest("The request has no config: give the connector's configuration as a JSON object.")
    name = _scalar("name", sent.get("name"))
    state = (_scalar("initial_state", sent.get("initial_state")) or "RUNNING").upper()
    if state not in INITIAL_STATES:
        raise BadRequest(f"The request's initial_state is none of {', '.join(INITIAL_STATES)}.")
    offsets = None
    if sent.get("initial_offsets") is not None:
        # Once more: offsets are numbers.
        offsets = _offsets(_parsed(raw)["initial_offsets"], "initial_offsets")
    return Creation((name or "").strip(_BLANK), config(sent["config"]), INITIAL_STATES[state], offsets)


async def connector_config(request: Request) -> Config:
    """Read a body that is a configuration."""
    return config(await text_object(request))


async def offsets(request: Request) -> list[PartitionOffset]:
    """Read ``PATCH /connectors/{c}/offsets``."""
    sent = await _object(request)
    _only(sent, "offsets")
    found = _offsets(sent.get("offsets") or [], "offsets")
    if not found:
        raise BadRequest("Partitions / offsets need to be provided for an alter offsets request")
    return found


def config(value: Any) -> Config:
    """A configuration: strings, and what Jackson makes strings of."""
    if not isinstance(value, Mapping):
        raise BadRequest("The connector's configuration is not a JSON object.")
    return {key: _scalar(f"configuration {key}", given) for key, given in value.items()}


def flag(request: Request, name: str, default: bool = False) -> bool:
    """A query parameter as Java's ``Boolean.valueOf`` reads it."""
    given = request.query_params.get(name)
    return default if given is None else given.lower() == "true"


def _scalar(what: str, given: Any) -> str | None:
    if isinstance(given, (Mapping, list)):
        raise BadRequest(f"The value of {what} is not a string, a number or a boolean.")
    if isinstance(given, bool):
        return str(given).lower()
    return given if given is None else str(given)


def _offsets(value: Any, field: str) -> list[PartitionOffset]:
    if not isinstance(value, list):
        raise BadRequest(f"The request's {field} are not a JSON array.")
    found: list[PartitionOffset] = []
    for item in value:
        if not isinstance(item, dict):
            raise BadRequest(f"An item of the request's {field} is not a JSON object.")
        _only(item, "partition", "offset")
        for part in ("partition", "offset"):
            if not isinstance(item.get(part), (dict, type(None))):
                raise BadRequest(f"A {part} in the request's {field} is not a JSON object.")
        found.append((item.get("partition"), item.get("offset")))
    return found


def _only(sent: Mapping[str, Any], *known: str) -> None:
    if unknown := sorted(sent.keys() - set(known)):
        names = ", ".join(f'"{name}"' for name in known)
        raise BadRequest(f'Unrecognized field "{unknown[0]}" in the request (known: {names})')


async def _object(request: Request, **how: Any) -> dict[str, Any]:
    return _parsed(await _body(request), **how)


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415)
    sent = b""
    async for chunk in request.stream():
        sent += chunk
        if len(sent) > _MAX_BODY:
            raise HTTPException(413)
    return sent


def _parsed(sent: bytes, **how: Any) -> dict[str, Any]:
    # The parser's own message would quote the request. A text with half a surrogate pair could not be answered.
    try:
        value = json.loads(sent, parse_constant=_no_constant, **{"parse_float": _finite, **how})
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadRequest("The request's body is not JSON.") from error
    if not isinstance(value, dict):
        raise BadRequest("The request's body is not a JSON object.")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("out of range")
    return value
