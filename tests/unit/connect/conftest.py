"""A worker over fakes (``connect_fakes``)."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from connect_cluster import Cluster
from connect_fakes import FakePlugin, MemoryLog, MemoryStatusLog

from sync.config import ConfigDef
from sync.connect.plugin import Plugins
from sync.connect.rest import application
from sync.connect.service import RestServer
from sync.connect.worker import Worker


@pytest.fixture
def source() -> FakePlugin:
    return FakePlugin()


@pytest.fixture
def sink() -> FakePlugin:
    return FakePlugin("test.FakeSink", ("org.example.FakeSinkConnector",), "sink", ConfigDef(keys=()))


@pytest.fixture
def statuses(cluster: Cluster) -> MemoryStatusLog:
    """What the first worker publishes."""
    return cluster.status_log("worker-1")


@pytest.fixture
def log(cluster: Cluster) -> MemoryLog:
    return cluster.log


@pytest.fixture
def cluster(source: FakePlugin, sink: FakePlugin) -> Iterator[Cluster]:
    cluster = Cluster(Plugins([source, sink]))
    yield cluster
    source.released.set()
    for worker in cluster.workers:
        worker.stop()


@pytest.fixture
def worker(cluster: Cluster) -> Worker:
    return cluster.worker()


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
