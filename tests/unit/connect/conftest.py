"""A worker over fakes (``connect_fakes``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from connect_fakes import FakePlugin, MemoryRegistry, MemoryStatusLog

from sync.config import ConfigDef
from sync.connect.plugin import Plugins
from sync.connect.rest import application
from sync.connect.service import RestServer
from sync.connect.supervision import Healing
from sync.connect.worker import Settings, Worker


@pytest.fixture
def source() -> FakePlugin:
    return FakePlugin()


@pytest.fixture
def sink() -> FakePlugin:
    return FakePlugin("test.FakeSink", ("org.example.FakeSinkConnector",), "sink", ConfigDef(keys=()))


@pytest.fixture
def statuses() -> MemoryStatusLog:
    return MemoryStatusLog()


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def make_worker(source: FakePlugin, sink: FakePlugin, statuses: MemoryStatusLog) -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def make(registry: MemoryRegistry, worker_id: str = "worker-1") -> Worker:
        settings = Settings("kafka:9092", "http://registry", worker_id=worker_id)
        worker = Worker(settings, Plugins([source, sink]), registry, statuses, healing=Healing(first=0.01, settle=0.0))
        worker.start()
        made.append(worker)
        return worker

    yield make
    source.released.set()
    for worker in made:
        worker.stop()


@pytest.fixture
def worker(make_worker: Callable[..., Worker], registry: MemoryRegistry) -> Worker:
    return make_worker(registry)


@pytest.fixture
def config() -> dict[str, str | None]:
    return {"connector.class": "test.FakeSource", "topic.prefix": "tinh_01", "database.password": "${env:HOME}"}


@pytest.fixture
def url(worker: Worker) -> Iterator[str]:
    server = RestServer("127.0.0.1", 0)
    server.start(application(worker, lambda: "cluster-1"))
    yield f"http://127.0.0.1:{server.port}"
    server.close()


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client
