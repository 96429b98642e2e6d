"""Several workers of one group over shared fakes."""

from __future__ import annotations

from dataclasses import dataclass, field

from connect_fakes import (
    MemoryBoard,
    MemoryLog,
    MemoryRegistry,
    MemoryStatusLog,
)

from sync.connect.plugin import Plugins
from sync.connect.settings import Settings
from sync.connect.supervision import Healing
from sync.connect.worker import Worker
from tests.eventually import eventually
from tests.memory_membership import MemoryGroup, MemoryMembership


@dataclass
class Cluster:
    """Workers of one group over shared fakes."""

    plugins: Plugins
    log: MemoryLog = field(default_factory=MemoryLog)
    group: MemoryGroup = field(default_factory=MemoryGroup)
    board: MemoryBoard = field(default_factory=MemoryBoard)
    workers: list[Worker] = field(default_factory=list)
    status_logs: dict[str, MemoryStatusLog] = field(default_factory=dict)
    memberships: dict[str, MemoryMembership] = field(default_factory=dict)

    def status_log(self, worker_id: str) -> MemoryStatusLog:
        return self.status_logs.setdefault(worker_id, MemoryStatusLog(worker_id, self.board))

    def worker(self, worker_id: str = "worker-1", healing: Healing | None = None) -> Worker:
        """A started worker that is in the group and knows its leader."""
        settings = Settings(
            "kafka:9092",
            "http://registry",
            worker_id=worker_id,
            advertised_url=f"http://{worker_id}",
            even_after=0.0,
        )
        membership = self.memberships[worker_id] = MemoryMembership(self.group, worker_id)
        worker = Worker(
            settings,
            self.plugins,
            MemoryRegistry(self.log),
            membership,
            self.status_log(worker_id),
            healing=healing or Healing(first=0.01, settle=0.0),
        )
        worker.start()
        self.workers.append(worker)
        assert eventually(lambda: worker.ready)
        return worker
