"""The protocols between the parts; each docstring is the contract, and a contract suite runs on each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sync.config import ConfigDef
from sync.progress import Progress
from sync.stop import Stop

Kind = Literal["source", "sink"]


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a worker gives to a task: who it is and where Kafka and the registry are.

    ``offsets_topic`` is the compacted topic of source offsets. ``tasks`` is the number of tasks of the connector.
    ``progress`` is where the task tells of its commits; one that never does is not watched for stalls.
    """

    connector: str
    task: int
    tasks: int
    bootstrap: str
    registry_url: str
    offsets_topic: str = "dongbo.connect.offsets"
    worker_id: str = ""
    progress: Progress = field(default_factory=Progress, compare=False)

    @property
    def transactional_id(self) -> str:
        """Stable per task, so that a restarted task fences its predecessor at once."""
        return f"dongbo-connect-{self.connector}-{self.task}"


class Task(Protocol):
    """A running part of a connector, owned by one thread of a worker."""

    def run(self, stop: Stop) -> None:
        """Work until ``stop`` is set, then return within a second or two with everything durable committed.

        Called once, in a thread of its own; blocks. Resumes from the committed position. Raises a
        ``SyncError`` (``errors.decide`` tells the worker what follows); on any error nothing
        uncommitted is visible, and a new task continues from the last commit: at no time is a record
        lost or written twice.
        """


class Plugin(Protocol):
    """A connector kind. Found by discovery: each module of ``sync.source``/``sync.sink`` exports ``PLUGIN``."""

    class_name: str
    aliases: tuple[str, ...]
    kind: Kind
    config: ConfigDef

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """Really connect and look (credentials, privileges, tables): errors by key, each with a remedy; {} if fine."""

    def split(self, values: Mapping[str, Any], most: int) -> list[dict[str, str]]:
        """Task configurations (what is added to the connector's own), at least one, at most ``most``."""

    def task(self, context: TaskContext, values: Mapping[str, Any]) -> Task:
        """A task, not started: no I/O here."""

    def alter_offsets(
        self,
        connector: str,
        values: Mapping[str, Any],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]] | None,
    ) -> bool:
        """Check new offsets of a stopped connector, and write them where the connector itself keeps any. May block.

        ``offsets`` are (partition, offset) in the shapes of Connect's REST API, offset None where it is removed; None
        removes all. Called before the worker writes its own, and again if that fails: idempotent. Returns False if the
        system behind it keeps positions (a slot) that stay as they are. Raises ConfigError naming what is wrong with
        them, Refused, Unavailable; nothing is changed then.
        """
