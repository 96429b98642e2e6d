"""A worker process with light connectors: each task counts, one record a number, in transactions of its own.

Run by ``test_connect_group``: ``python -m tests.integration.light_worker BOOTSTRAP GROUP WORKER_ID JOURNAL``. The
journal gets a line when a run of a task begins and when it ends, with the machine's monotonic time.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.connect.plugin import Plugins
from sync.connect.service import Service
from sync.connect.settings import Settings
from sync.kafka.offset import OffsetStore, partition_key
from sync.kafka.transaction import Transactions
from sync.ports import Kind, Plugin, Task, TaskContext

PARTITION = {"counter": "0"}
PERIOD = 0.1


class Counter:
    """A source task: 0, 1, 2 … in ``topic``, from where its predecessor's last commit was."""

    def __init__(self, context: TaskContext, topic: str, journal: Path) -> None:
        self._context = context
        self._topic = topic
        self._journal = journal
        self._run = uuid.uuid4().hex

    def run(self, stop: threading.Event) -> None:
        """See ``ports.Task``."""
        self._note("begin")
        transactions = Transactions(self._context.bootstrap, self._context.transactional_id)
        try:
            transactions.open()
            store = OffsetStore(self._context.bootstrap, self._context.offsets_topic)
            found = store.load(self._context.connector).get(partition_key(PARTITION))
            number = 0 if found is None else int(found["next"])
            while not stop.is_set():
                self._context.progress.pending()
                self._commit(transactions, store, number)
                self._context.progress.advanced()
                number += 1
                stop.wait(PERIOD)
        finally:
            transactions.close()
            self._note("end")

    def _commit(self, transactions: Transactions, store: OffsetStore, number: int) -> None:
        value = {"number": number, "run": self._run, "worker": self._context.worker_id, "at": time.monotonic()}
        offset = store.encode(self._context.connector, PARTITION, {"next": number + 1})
        key = self._context.connector.encode()
        transactions.commit({self._topic: [(key, json.dumps(value).encode(), 0)], store.topic: [offset]})

    def _note(self, what: str) -> None:
        line = {"task": self._context.connector, "run": self._run, "what": what, "at": time.monotonic()}
        with self._journal.open("a") as journal:
            journal.write(json.dumps(line) + "\n")


class Light:
    """A connector kind whose tasks need nothing but Kafka."""

    class_name: str = "test.Counter"
    aliases: tuple[str, ...] = ()
    kind: Kind = "source"
    config: ConfigDef = ConfigDef(keys=(Key("topic", Type.STRING, "Where the numbers go."),))

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """Nothing can be wrong."""
        del values
        return {}

    def split(self, values: Mapping[str, Any], most: int) -> list[dict[str, str]]:
        """One task."""
        del values, most
        return [{}]

    def task(self, context: TaskContext, values: Mapping[str, Any]) -> Task:
        """See ``ports.Plugin``."""
        return Counter(context, values["topic"], self._journal)

    def alter_offsets(self, connector: str, values: Mapping[str, Any], offsets: Any) -> bool:
        """Any position will do; the worker keeps it."""
        del connector, values, offsets
        return True


def main(bootstrap: str, group: str, worker_id: str, journal: str) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    plugin: Plugin = Light(Path(journal))
    settings = Settings(
        bootstrap,
        "http://127.0.0.1:1",
        rest_port=0,
        worker_id=worker_id,
        group=group,
        configs_topic=f"{group}-configs",
        status_topic=f"{group}-status",
        offsets_topic=f"{group}-offsets",
    )
    Service(settings, Plugins([plugin])).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
