"""The sides of ``bench.capture``: Debezium on Kafka Connect and ``dongbo worker``, given the same configuration.

A side is one process, made anew for every trial; connectors are registered and removed over REST.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

from bench import peer, topic
from bench.connect import ConnectWorker
from bench.program import Programs, check_tasks, register
from sync.connect.client import Client
from sync.embedded.endpoint import Endpoints
from sync.embedded.port import HOST, choose
from sync.schema.registry import RegistryClient


class Side(Protocol):
    """One process that captures."""

    name: str
    url: str
    programs: Programs
    decode: topic.Decode

    def start(self) -> None:
        """Start the process; returns when its REST API answers. Raises SyncError."""


class Debezium:
    """Its connector on a standalone worker, JSON without schemas: the fastest converter that Maven Central has.

    ``schemas``: Connect's default instead, where each record carries its schema.
    """

    def __init__(self, data_dir: Path, endpoints: Endpoints, *, schemas: bool = False) -> None:
        self.name = "peer_schemas" if schemas else "peer"
        self._worker = ConnectWorker(data_dir, endpoints)
        self._schemas = str(schemas).lower()
        self.url = self._worker.url
        self.programs = self._worker.programs
        self.decode = topic.json_decoder()

    def start(self) -> None:
        """See ``Side``."""
        self._worker.start({f"{kind}.converter.schemas.enable": self._schemas for kind in ("key", "value")})
        self._worker.register({})


class Dongbo:
    """Our worker, Avro with the schema registry."""

    name = "ours"

    def __init__(self, data_dir: Path, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._port = choose([], {endpoints.rest_port})
        self.url = f"http://{HOST}:{self._port}"
        self.programs = Programs(data_dir)
        self.decode = topic.avro_decoder(RegistryClient(endpoints.registry_url))

    def start(self) -> None:
        """See ``Side``."""
        options = {
            "--rest-port": str(self._port),
            "--bootstrap-servers": self._endpoints.bootstrap,
            "--schema-registry-url": self._endpoints.registry_url,
        }
        given = [word for option in options.items() for word in option]
        self.programs.start("worker", [sys.executable, "-m", "sync.cli", "worker", *given])
        register(self.url, {}, self.programs.check)


class Connector:
    """One connector of a side, with Debezium's configuration tuned as in the end-to-end benchmark."""

    def __init__(self, side: Side, endpoints: Endpoints, table: str, name: str) -> None:
        self._side = side
        self.name = f"{side.name}_{name}"
        self.topic = f"{self.name}.public.{table}"
        # Both sides may use both cores for a snapshot; Debezium's threads take a table each, ours share one.
        more = {"topic.prefix": self.name, "snapshot.max.threads": "2"}
        self._config = peer.source_config(endpoints, table, table, **more)

    def register(self) -> None:
        """Register it; returns when its task runs."""
        register(self._side.url, {self.name: self._config}, self._side.programs.check)

    def remove(self) -> None:
        """Delete it."""
        with Client(self._side.url) as client:
            client.delete(self.name)

    def check(self) -> None:
        """Raise where the process has ended or the task has failed."""
        self._side.programs.check()
        check_tasks(self._side.url, [self.name])
