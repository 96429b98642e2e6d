"""The indicators' app after a restart: its tables are whole, even if their changelogs have lost their first records."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from sync.embedded.port import choose
from sync.kafka.client import admin, bounds, producer
from sync.process.outbox import Subjects, encode
from sync.schema.registry import RegistryClient
from tests.eventually import eventually

pytestmark = pytest.mark.integration

PAGES = ("/indicators", "/indicators/", "/quality", "/quality/")
CHANGELOG = "dongbo-indicators-coverage-changelog"


@contextmanager
def indicators(kafka: str, registry_url: str, folder: Path) -> Iterator[str]:
    """The processor as a process; gives its page."""
    port = str(choose([]))
    command = [sys.executable, "-m", "sync.cli", "process", "indicators", "--data-dir", str(folder), "--web-port", port]
    command += ["--bootstrap-servers", kafka, "--schema-registry-url", registry_url, "--instance", "restart"]
    with (folder / "indicators.log").open("ab") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}/indicators"
        assert process.poll() is None, "the processor has ended"
    finally:
        process.terminate()
        process.wait(30)


def received(page: str, source: str) -> int:
    """What the page counts of a source; 0 while it does not answer."""
    try:
        told = httpx.get(page, trust_env=False, timeout=2).json()["coverage"]
    except httpx.HTTPError:
        return 0
    return sum(entry["count"] for entry in told if entry["source"] == source)


def tell(kafka: str, registry_url: str, source: str, times: int) -> None:
    """Count one received change, so many times, in the ledger."""
    ledger = Subjects(RegistryClient(registry_url), kafka, 2).ledger()
    about = {"stage": "validate", "topic": f"{source}.public.t"}
    count = {"source": source, "partition": 0, "dataset": "civil_servant", "outcome": "received", "count": 1}
    record = {**about, **count, "ts_ms": time.time_ns() // 1_000_000}
    client = producer(kafka)
    for _ in range(times):
        key, value = encode(ledger.key, [about], ledger.key_header), encode(ledger.value, [record], ledger.value_header)
        client.produce(ledger.topic, key=key[0], value=value[0])
    client.flush()


def cut(kafka: str, topic: str) -> None:
    """Delete the first two of a topic's records, as retention does."""
    client = admin(kafka)
    entry = ConfigEntry("cleanup.policy", "compact,delete", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    for future in client.incremental_alter_configs([resource]).values():
        future.result()
    first, end = bounds(kafka, topic)[0]
    assert end > first + 3
    for deleted in client.delete_records([TopicPartition(topic, 0, first + 2)]).values():
        deleted.result()


def test_a_restart_finds_its_counts_though_its_changelog_has_lost_its_first_records(
    kafka: str, registry_url: str, tmp_path: Path
) -> None:
    source = f"s{uuid.uuid4().hex[:8]}"
    tell(kafka, registry_url, source, 5)
    with indicators(kafka, registry_url, tmp_path) as page:
        assert eventually(lambda: received(page, source) == 5, within=60)
    cut(kafka, CHANGELOG)
    tell(kafka, registry_url, source, 3)
    with indicators(kafka, registry_url, tmp_path) as page:
        assert eventually(lambda: received(page, source) == 8, within=60)
        answers = [httpx.get(page.replace("/indicators", path), trust_env=False) for path in PAGES]
    assert [answer.status_code for answer in answers] == [200] * len(PAGES)
