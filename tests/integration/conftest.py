"""All tests in this folder need real servers. Fixtures of those that speak to a worker, or take the steps."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict

from bench.program import Programs
from sync.embedded.stack import Stack
from tests.integration.route import Route, Source
from tests.worker_process import OurWorker

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests, so that ``-m "not integration"`` leaves them out."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="module")
def running(stack: Stack) -> Iterator[OurWorker]:
    """A worker process with a group of its own."""
    programs = Programs(stack.data_dir)
    worker = OurWorker(programs, stack.endpoints(), f"rest-{uuid.uuid4().hex[:8]}")
    try:
        worker.start()
        yield worker
    finally:
        programs.stop()


@pytest.fixture
def http(running: OurWorker) -> Iterator[httpx.Client]:
    """Speaks to ``running``."""
    with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def sink(database: Callable[[str], str]) -> dict[str, Any]:
    """A sink's configuration, of a topic that is not there yet."""
    server = conninfo_to_dict(database("rest_sink"))
    return {
        "connector.class": "dongbo.sink.PostgreSQL",
        "connection.url": f"jdbc:postgresql://{server['host']}:{server['port']}/{server['dbname']}",
        "connection.username": server["user"],
        "connection.password": server["password"],
        "topics": f"rest-{uuid.uuid4().hex[:8]}",
        "schema.evolution": "basic",
        "errors.tolerance": "all",
    }


@pytest.fixture
def path(kafka: str, registry_url: str) -> Route:
    """The validate and reconcile steps, with nothing in them yet."""
    return Route(kafka, registry_url)


@pytest.fixture
def register(path: Route) -> Source:
    """A captured table of the population register."""
    return Source(path, "npdb", path.population, "register")


@pytest.fixture
def ministry(path: Route) -> Source:
    """A captured table of a ministry's civil servants."""
    return Source(path, "bo", path.civil_servant, "ministry")


@pytest.fixture
def hanoi(path: Route) -> Source:
    """A captured table of a locality's civil servants."""
    return Source(path, "hn", path.civil_servant, "locality", "01")
