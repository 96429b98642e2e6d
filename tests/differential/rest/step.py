"""One request of the script and its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: names made the same on both sides, and ``body`` parsed where it is JSON."""

    status: int
    body: Any
    location: str | None = None


View = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A request. ``TAG`` and ``SECRET`` in path and body become the side's own.

    ``until`` repeats it until its answer is the awaited one; ``view`` is what of both bodies is compared.
    """

    method: str
    path: str
    body: str | None = None
    content_type: str = "application/json"
    until: Callable[[Answer], bool] | None = None
    view: View | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body or ''}".strip()[:300]


def get(path: str, **more: Any) -> Step:
    """A request without a body."""
    return Step("GET", path, **more)


def put(path: str, body: Any = None, **more: Any) -> Step:
    """PUT, with JSON where there is a body."""
    return send("PUT", path, body, **more)


def send(method: str, path: str, body: Any = None, **more: Any) -> Step:
    """Any method; a text is sent as it is, anything else as JSON."""
    text = body if body is None or isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return Step(method, path, text, **more)


def shape(body: Any) -> Any:
    """Types in place of values, and of an array its first item: what can't be the same on both sides."""
    if isinstance(body, dict):
        return {key: shape(value) for key, value in body.items()}
    if isinstance(body, list):
        return [shape(body[0])] if body else []
    return type(body).__name__


def kind(body: Any) -> Any:
    """Only whether it is an object, an array or something else."""
    return type(body).__name__
