"""Client of a schema registry that speaks Confluent's REST API.

Called by whoever writes or reads Avro. Answers that can't change (id → schema, schema → id of a subject) are cached
for the life of the object; it may be shared between threads.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import httpx

from sync.errors import Incompatible, Refused, SyncError, Unavailable, Unreadable
from sync.retry import Retries
from sync.schema.avro import canonical

_CONTENT = {
    "Content-Type": "application/vnd.schemaregistry.v1+json",
    "Accept": "application/vnd.schemaregistry.v1+json",
}


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema as the registry holds it."""

    subject: str
    version: int
    id: int
    schema: dict[str, Any]


class RegistryClient:
    """Synchronous client. ``url`` may hold a user and password, and several addresses with commas between."""

    def __init__(
        self,
        url: str,
        *,
        patience: float = 10.0,
        longest: float = 1.0,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """``patience``: seconds for which a registry that doesn't answer is tried again, with ``pause``s of ``longest``
        seconds at most. No I/O here."""
        self.urls = [part.strip().rstrip("/") for part in url.split(",") if part.strip()]
        self._patience = patience
        self._longest = longest
        self._pause = pause
        # Requests are few, as answers are cached: no connection is kept that nobody might close.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(headers=_CONTENT, timeout=10.0, transport=transport, limits=limits)
        self._lock = threading.Lock()
        self._schemas: dict[int, dict[str, Any]] = {}
        self._ids: dict[tuple[str, str], int] = {}

    @classmethod
    def patient(cls, url: str, retries: Retries, pause: Callable[[float], None]) -> Self:
        """A client of a task: as patient as ``errors.retry.*`` say, and never less than without them."""
        return cls(url, patience=max(10.0, retries.timeout), longest=min(1.0, retries.longest), pause=pause)

    def register(self, subject: str, schema: Mapping[str, Any]) -> int:
        """Register ``schema`` under ``subject`` unless it is there, and return its id.

        Raises Incompatible (the subject's compatibility setting forbids it; the registry's reasons are in the
        message), Refused (invalid schema, no right), Unavailable.
        """
        text = canonical(schema)
        with self._lock:
            known = self._ids.get((subject, text))
        if known is not None:
            return known
        answer = self._ask("POST", f"/subjects/{_quote(subject)}/versions", {"schema": text}, subject=subject)
        found = int(answer["id"])
        with self._lock:
            self._ids[subject, text] = found
        return found

    def schema(self, schema_id: int) -> dict[str, Any]:
        """Return the schema with that id. Raises Unreadable where the registry has none, Refused, Unavailable."""
        with self._lock:
            known = self._schemas.get(schema_id)
        if known is not None:
            return known
        try:
            answer = self._ask("GET", f"/schemas/ids/{schema_id}")
        except _NotFound as error:
            raise Unreadable(
                f"The schema registry has no schema with id {schema_id}.",
                hint="check that the producer uses the same registry",
            ) from error
        found = _schema(answer)
        with self._lock:
            self._schemas[schema_id] = found
        return found

    def latest(self, subject: str) -> Registered | None:
        """Return the newest schema of ``subject``; None where there is none. Raises Refused, Unavailable."""
        try:
            return _registered(self._ask("GET", f"/subjects/{_quote(subject)}/versions/latest"))
        except _NotFound:
            return None

    def lookup(self, subject: str, schema: Mapping[str, Any]) -> Registered | None:
        """Return how ``schema`` is registered under ``subject``; None where it isn't. Raises Refused, Unavailable."""
        try:
            answer = self._ask("POST", f"/subjects/{_quote(subject)}", {"schema": canonical(schema)}, subject=subject)
        except _NotFound:
            return None
        return _registered(answer)

    def subjects(self) -> list[str]:
        """Return the names of all subjects. Raises Refused, Unavailable."""
        return [str(name) for name in self._ask("GET", "/subjects")]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, body: Any = None, *, subject: str = "") -> Any:
        """One request, tried again on each address while nothing answers (or answers with 5xx), for ``patience``."""
        deadline = time.monotonic() + self._patience
        attempt = 0
        while True:
            base = self.urls[attempt % len(self.urls)]
            problem: SyncError
            try:
                response = self._client.request(method, base + path, json=body)
                if response.status_code < 500 and response.status_code != 429:
                    return _answer(response, path, subject)
                problem = Unavailable(f"The schema registry answered {response.status_code} to {method} {path}.")
            except httpx.TransportError as error:
                problem = Unavailable(
                    f"The schema registry at {_place(base)} doesn't answer ({type(error).__name__}).",
                    hint="check that it runs and that its URL is right",
                )
            attempt += 1
            if time.monotonic() >= deadline:
                raise problem
            self._pause(min(self._longest, 0.05 * 2 ** min(attempt, 5)) * random.uniform(0.5, 1.0))


class _NotFound(Refused):
    """The registry answered 404."""


def _answer(response: httpx.Response, path: str, subject: str) -> Any:
    if response.is_success:
        return response.json()
    message = _message(response)
    of = f" for subject {subject}" if subject else f" to {path}"
    if response.status_code == 404:
        raise _NotFound(f"The schema registry has nothing{of}: {message}")
    if response.status_code == 409:
        raise Incompatible(
            f"The schema registry refuses the new schema of subject {subject}: {message}",
            hint="make the change compatible (new fields with a default), or lower the subject's compatibility level",
        )
    if response.status_code in (401, 403):
        raise Refused(
            f"The schema registry refuses access{of}: {message}", hint="check the user and password in its URL"
        )
    raise Refused(f"The schema registry refuses the request{of}: {message}", hint="check the schema")


def _message(response: httpx.Response) -> str:
    try:
        body = response.json()
    except json.JSONDecodeError:
        return f"HTTP {response.status_code}"
    if isinstance(body, dict) and "message" in body:
        return f"{body['message']} (error {body.get('error_code', response.status_code)})"
    return f"HTTP {response.status_code}"


def _registered(answer: Any) -> Registered:
    return Registered(str(answer["subject"]), int(answer["version"]), int(answer["id"]), _schema(answer))


def _schema(answer: Any) -> dict[str, Any]:
    if answer.get("schemaType", "AVRO") != "AVRO":
        raise Unreadable(f"A schema in the registry is of type {answer['schemaType']}; only AVRO is read.")
    if answer.get("references"):
        raise Unreadable("A schema in the registry refers to others; references aren't read.")
    found = json.loads(answer["schema"])
    return found if isinstance(found, dict) else {"type": found}


def _quote(subject: str) -> str:
    return quote(subject, safe="")


def _place(url: str) -> str:
    """The address without a user and password."""
    parsed = httpx.URL(url)
    return f"{parsed.host}:{parsed.port}" if parsed.port else parsed.host
