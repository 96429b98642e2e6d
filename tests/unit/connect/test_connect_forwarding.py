"""Requests that write reach the leader, whichever worker is asked, and never go round in circles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sync.connect.client import Client
from sync.connect.forwarding import Forwarding
from sync.connect.problem import Conflict
from sync.connect.service import RestServer


@dataclass
class Place:
    """A worker's knowledge of who leads, and its server."""

    server: RestServer
    leading: bool = False
    leader_url: str = ""
    ready: bool = True
    asked: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def answer(self, request: Request) -> JSONResponse:
        self.asked += 1
        told = {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "body": (await request.body()).decode(),
            "type": request.headers.get("content-type"),
        }
        return JSONResponse(told, 201, headers={"Location": "/connectors/x"})


@pytest.fixture
def places() -> Iterator[tuple[Place, Place]]:
    made = (Place(RestServer("127.0.0.1", 0)), Place(RestServer("127.0.0.1", 0)))
    for place in made:
        methods = ["GET", "PUT", "POST", "DELETE", "PATCH"]
        app = Starlette(routes=[Route("/{path:path}", place.answer, methods=methods)])
        place.server.start(Forwarding(app, place))
    yield made
    for place in made:
        place.server.close()


def request(method: str, url: str, **given: str) -> httpx.Response:
    with httpx.Client(trust_env=False, headers={"content-type": "application/json"}) as client:
        return client.request(method, url, **given)  # type: ignore[arg-type]


def test_what_writes_goes_to_the_leader_as_it_is(places: tuple[Place, Place]) -> None:
    follower, leader = places
    leader.leading, follower.leader_url = True, leader.url
    url = f"{follower.url}/connectors/T%E1%BB%89nh%2F01/restart?includeTasks=true&x="
    answer = request("POST", url, content='{"a": "Hà"}')
    assert answer.status_code == 201
    assert answer.headers["location"] == "/connectors/x"
    assert answer.json() == {
        "method": "POST",
        "path": "/connectors/T%E1%BB%89nh%2F01/restart",
        "query": "includeTasks=true&x=&forward=true",
        "body": '{"a": "Hà"}',
        "type": "application/json",
    }
    assert follower.asked == 0


def test_what_is_for_every_worker_goes_to_the_leader(places: tuple[Place, Place]) -> None:
    follower, leader = places
    leader.leading, follower.leader_url = True, leader.url
    assert request("PUT", f"{follower.url}/admin/loggers/root?scope=cluster").status_code == 201
    assert (follower.asked, leader.asked) == (0, 1)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/connectors/a"), ("PUT", "/connector-plugins/x/config/validate"), ("PUT", "/admin/loggers/root")],
)
def test_what_reads_is_answered_by_the_worker_that_is_asked(
    places: tuple[Place, Place], method: str, path: str
) -> None:
    follower, leader = places
    follower.leader_url = leader.url
    assert request(method, follower.url + path).status_code == 201
    assert (follower.asked, leader.asked) == (1, 0)


def test_workers_that_take_each_other_for_the_leader_answer_409(places: tuple[Place, Place]) -> None:
    first, second = places
    first.leader_url, second.leader_url = second.url, first.url
    answer = request("DELETE", f"{first.url}/connectors/a")
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    assert answer.json() == {
        "error_code": 409,
        "message": "Cannot complete request because of a conflicting operation (e.g. worker rebalance)",
    }
    assert (first.asked, second.asked) == (0, 0)


def test_without_a_leader_the_answer_is_409(places: tuple[Place, Place]) -> None:
    follower, gone = places
    told = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
    assert request("POST", f"{follower.url}/connectors").json()["message"] == told
    gone.server.close()
    follower.leader_url = gone.url
    answer = request("POST", f"{follower.url}/connectors")
    assert (answer.status_code, answer.json()["message"]) == (409, told)


def test_a_body_that_is_too_long_is_refused_before_it_is_passed_on(places: tuple[Place, Place]) -> None:
    follower, leader = places
    follower.leader_url = leader.url
    assert request("POST", f"{follower.url}/connectors", content="x" * (4 * 1024 * 1024 + 1)).status_code == 413
    assert leader.asked == 0


def test_the_client_asks_again_until_somebody_leads(places: tuple[Place, Place]) -> None:
    follower, leader = places
    leader.leading = True
    with Client(follower.url, patience=0.0) as client, pytest.raises(Conflict, match="no known leader"):
        client.apply("a", {})

    class Hopeful(Client):
        def _ask(self, method: str, path: str, content: object) -> httpx.Response:
            answer = super()._ask(method, path, content)
            # Whoever was to lead does so after the first refusal.
            follower.leader_url = leader.url
            return answer

    with Hopeful(follower.url) as client:
        assert client.apply("a", {})["method"] == "PUT"
