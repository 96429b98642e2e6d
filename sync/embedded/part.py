"""The parts of a stack under one shape: how to prepare, run, ask and stop each. Called by the stack only."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import httpx

from sync.embedded import kafka, postgres
from sync.embedded.endpoint import State
from sync.embedded.jar import Progress, kafka_jars
from sync.embedded.port import HOST, is_free
from sync.kafka import KafkaException
from sync.kafka.client import admin

PartName = Literal["kafka", "postgres", "registry"]


@dataclass(frozen=True, slots=True)
class PartStatus:
    """What ``Stack.status`` tells of one part: running = the process lives, healthy = it answers as ours."""

    name: str
    running: bool
    healthy: bool
    pid: int | None
    address: str


class Part(Protocol):
    """A process of the stack."""

    name: PartName
    ask: signal.Signals
    """The signal that means: finish and end."""
    user: str | None
    """The user to run as; None = the stack's."""

    def address(self, state: State) -> str:
        """Where it answers, for people."""

    def ports(self, state: State) -> tuple[int, ...]:
        """The ports it listens on."""

    def prepare(self, state: State, progress: Progress) -> None:
        """Everything that must lie on the disk before the start; idempotent. Raises SyncError."""

    def command(self, state: State) -> list[str]:
        """What to run, in the foreground."""

    def fits(self, command: tuple[str, ...], state: State) -> bool:
        """Whether a process that runs ``command`` is what this state needs, so that it can stay."""

    def answers(self, state: State) -> bool:
        """Whether it serves now, and is this stack's own."""


class Kafka:
    """One KRaft node."""

    name: PartName = "kafka"
    ask = signal.SIGTERM
    user: str | None = None

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir / "kafka"

    def address(self, state: State) -> str:
        return f"{HOST}:{state.kafka_port}"

    def ports(self, state: State) -> tuple[int, ...]:
        return (state.kafka_port, state.controller_port)

    def prepare(self, state: State, progress: Progress) -> None:
        jars = kafka_jars(progress)
        properties = kafka.write_properties(self._home, state.kafka_port, state.controller_port)
        kafka.format_storage(self._home, properties, state.cluster_id, jars)

    def command(self, state: State) -> list[str]:  # noqa: ARG002 - the ports stand in server.properties
        return kafka.server_command(self._home / "server.properties", kafka_jars())

    def fits(self, command: tuple[str, ...], state: State) -> bool:  # noqa: ARG002
        return True

    def answers(self, state: State) -> bool:
        # A driver that finds nobody logs it as an error; while a broker starts that is no news.
        if is_free(state.kafka_port):
            return False
        try:
            metadata = admin(self.address(state)).list_topics(timeout=2)
        except KafkaException:
            return False
        return bool(metadata.brokers) and metadata.cluster_id == state.cluster_id


class Postgres:
    """PostgreSQL 18."""

    name: PartName = "postgres"
    ask = signal.SIGINT

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir / "postgres"
        self.user = postgres.run_as()

    def address(self, state: State) -> str:
        return f"{HOST}:{state.postgres_port}"

    def ports(self, state: State) -> tuple[int, ...]:
        return (state.postgres_port,)

    def prepare(self, state: State, progress: Progress) -> None:
        progress("preparing PostgreSQL", 0, 0)
        postgres.prepare(self._home, state.postgres_password)

    def command(self, state: State) -> list[str]:
        return postgres.server_command(self._home, state.postgres_port)

    def fits(self, command: tuple[str, ...], state: State) -> bool:  # noqa: ARG002
        return True

    def answers(self, state: State) -> bool:
        return postgres.answers(state.postgres_port, state.postgres_password)


class Registry:
    """The embedded schema registry."""

    name: PartName = "registry"
    ask = signal.SIGTERM
    user: str | None = None

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir

    def address(self, state: State) -> str:
        return f"http://{HOST}:{state.registry_port}"

    def ports(self, state: State) -> tuple[int, ...]:
        return (state.registry_port,)

    def prepare(self, state: State, progress: Progress) -> None:
        """Its data lie in Kafka."""

    def command(self, state: State) -> list[str]:
        return [
            *(sys.executable, "-m", "sync.embedded.registry"),
            *("--bootstrap-servers", f"{HOST}:{state.kafka_port}", "--port", str(state.registry_port)),
        ]

    def fits(self, command: tuple[str, ...], state: State) -> bool:
        # Kafka may have come back on another port.
        return f"{HOST}:{state.kafka_port}" in command

    def answers(self, state: State) -> bool:
        try:
            answer = httpx.get(f"{self.address(state)}/v1/metadata/id", timeout=2, trust_env=False)
            return bool(answer.json()["scope"]["clusters"]["kafka-cluster"] == state.cluster_id)
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False


PARTS: tuple[Callable[[Path], Part], ...] = (Kafka, Postgres, Registry)
"""In starting order; they are stopped in the opposite one."""
