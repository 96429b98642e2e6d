"""The registry's client against a transport that answers as a registry does, or doesn't."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from sync.errors import Incompatible, Refused, Unavailable, Unreadable
from sync.schema.registry import Registered, RegistryClient

SCHEMA = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "string"}]}

Answer = Callable[[httpx.Request], httpx.Response]


class Registry(httpx.BaseTransport):
    """Gives the queued answers in turn, the last one again and again, and keeps what was asked."""

    def __init__(self, *answers: Answer | httpx.Response) -> None:
        self.asked: list[httpx.Request] = []
        self._answers = list(answers)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer if isinstance(answer, httpx.Response) else answer(request)


def refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def client(registry: Registry, url: str = "http://registry:8081", patience: float = 5.0) -> RegistryClient:
    return RegistryClient(url, patience=patience, transport=registry, pause=lambda _: None)


def error(status: int, code: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error_code": code, "message": message})


def test_a_schema_is_registered_once_for_each_subject() -> None:
    registry = Registry(httpx.Response(200, json={"id": 7}))
    registering = client(registry)

    assert registering.register("a/b-value", SCHEMA) == 7
    assert registering.register("a/b-value", dict(reversed(SCHEMA.items()))) == 7

    assert [str(request.url) for request in registry.asked] == ["http://registry:8081/subjects/a%2Fb-value/versions"]
    assert json.loads(json.loads(registry.asked[0].content)["schema"]) == SCHEMA


def test_an_incompatible_schema_names_the_subject_and_the_registry_s_reasons() -> None:
    registry = Registry(error(409, 409, "READER_FIELD_MISSING_DEFAULT_VALUE at /fields/1"))

    with pytest.raises(Incompatible, match=r"subject t-value: READER_FIELD_MISSING_DEFAULT_VALUE at /fields/1"):
        client(registry).register("t-value", SCHEMA)


def test_a_schema_by_id_is_asked_for_once() -> None:
    registry = Registry(httpx.Response(200, json={"schema": json.dumps(SCHEMA)}))
    reading = client(registry)

    assert reading.schema(3) == SCHEMA
    assert reading.schema(3) == SCHEMA
    assert len(registry.asked) == 1


def test_a_primitive_schema_is_a_dict_too() -> None:
    registry = Registry(httpx.Response(200, json={"schema": '"string"'}))

    assert client(registry).schema(3) == {"type": "string"}


def test_an_unknown_id_makes_the_record_unreadable() -> None:
    with pytest.raises(Unreadable, match="no schema with id 3"):
        client(Registry(error(404, 40403, "Schema 3 not found"))).schema(3)


@pytest.mark.parametrize("extra", [{"schemaType": "PROTOBUF"}, {"references": [{"name": "x"}]}])
def test_what_is_not_plain_avro_is_unreadable(extra: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        client(Registry(httpx.Response(200, json={"schema": json.dumps(SCHEMA), **extra}))).schema(3)


def test_latest_and_lookup_tell_what_is_registered_or_none() -> None:
    body = {"subject": "s", "version": 2, "id": 5, "schema": json.dumps(SCHEMA)}
    found = client(Registry(httpx.Response(200, json=body)))
    missing = client(Registry(error(404, 40401, "Subject 's' not found.")))

    assert found.latest("s") == found.lookup("s", SCHEMA) == Registered("s", 2, 5, SCHEMA)
    assert missing.latest("s") is None
    assert missing.lookup("s", SCHEMA) is None


def test_a_registry_that_comes_back_is_tried_again_on_each_address() -> None:
    registry = Registry(refuse_connection, httpx.Response(503), httpx.Response(200, json={"id": 1}))

    assert client(registry, "http://one:1/, http://two:2").register("s", SCHEMA) == 1

    assert [request.url.host for request in registry.asked] == ["one", "two", "one"]


def test_a_registry_that_stays_away_is_unavailable_and_its_password_is_not_told() -> None:
    with pytest.raises(Unavailable) as caught:
        client(Registry(refuse_connection), "http://user:secret@one:1", patience=0).schema(1)

    assert "secret" not in str(caught.value)
    assert "one:1" in str(caught.value)


def test_a_wrong_password_and_an_invalid_schema_are_refused() -> None:
    with pytest.raises(Refused, match="user and password"):
        client(Registry(httpx.Response(401))).schema(1)
    with pytest.raises(Refused, match="error 42201"):
        client(Registry(error(422, 42201, "Invalid schema"))).register("s", SCHEMA)
