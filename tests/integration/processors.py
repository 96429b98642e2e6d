"""Processors as processes, for tests that look at the whole path between source topics and golden records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sync.embedded.port import choose
from sync.kafka.client import Topic, ensure_topics, producer
from sync.kafka.registrations import CONFIGS_TOPIC, SOURCE
from tests.integration.route import Arrived, Source


@contextmanager
def running(names: Sequence[str], kafka: str, registry_url: str, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """The processors ``names``, started by the first call of the function given."""
    started: list[subprocess.Popen[bytes]] = []

    def check() -> None:
        if not started:
            for name in names:
                command = [sys.executable, "-m", "sync.cli", "process", name, "--data-dir", str(tmp_path)]
                command += ["--web-port", str(choose([]))] if name == "indicators" else []
                command += [] if name in ("candidates", "relations") else ["--instance", "review"]
                command += ["--bootstrap-servers", kafka, "--schema-registry-url", registry_url]
                with (tmp_path / f"{name}.log").open("wb") as log:
                    started.append(subprocess.Popen(command, stderr=log, env={**os.environ, "POLARS_MAX_THREADS": "1"}))
        for process in started:
            assert process.poll() is None, "a processor has ended"

    try:
        yield check
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def wait(check: Callable[[], None], what: Callable[[], Any]) -> Any:
    """Ask until there is something."""
    deadline = time.monotonic() + 90
    while not (found := what()):
        check()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


def publish(kafka: str, *messages: Arrived) -> None:
    client = producer(kafka)
    for message in messages:
        client.produce(message.name, message.content, message.id, partition=0)
    assert client.flush(30) == 0


def register_source(kafka: str, source: Source) -> None:
    """What the worker writes for a registered source connector."""
    at = source.at
    properties = {
        "topic.prefix": at.source,
        "dongbo.mappings": f"{at.table}:{at.dataset}/{at.mapping}",
        "dongbo.source.authority": at.authority,
    }
    ensure_topics(kafka, [Topic(CONFIGS_TOPIC, compacted=True), Topic(at.topic)])
    client = producer(kafka)
    client.produce(CONFIGS_TOPIC, json.dumps({"properties": properties}).encode(), f"{SOURCE}{at.source}".encode())
    assert client.flush(30) == 0
