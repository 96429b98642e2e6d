"""Our two variants: ``Plain`` does the peer's work (replication), ``Whole`` validates and merges on the way as well.

Plain: ``dongbo worker`` with a PostgreSQL source and sink. Whole: also ``dongbo process validate`` and ``reconcile``, a
population register with all the people, and golden records in the target.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.program import Programs, register
from bench.workload import REGISTER_TABLE, STAFF_TABLE
from sync.embedded.endpoint import Endpoints
from sync.embedded.port import HOST, choose

PLAIN_SOURCE, PLAIN_TARGET = "plain_source", "plain_target"
WHOLE_SOURCE, WHOLE_TARGET, POPULATION = "whole_source", "whole_target", "whole_population"
SYNCED_AT = "synced_at"


def source_config(endpoints: Endpoints, database: str, table: str, **more: str) -> dict[str, str]:
    """A PostgreSQL source of one table; the database's name is the source's."""
    return {
        "connector.class": "dongbo.source.PostgreSQL",
        "tasks.max": "1",
        "database.hostname": endpoints.postgres_host,
        "database.port": str(endpoints.postgres_port),
        "database.user": endpoints.postgres_user,
        "database.password": endpoints.postgres_password,
        "database.dbname": database,
        "topic.prefix": database,
        "slot.name": database,
        "publication.name": database,
        "publication.autocreate.mode": "filtered",
        "table.include.list": f"public\\.{table}",
        **more,
    }


def sink_config(endpoints: Endpoints, database: str, topic: str, table: str) -> dict[str, str]:
    """A PostgreSQL sink of one topic."""
    return {
        "connector.class": "dongbo.sink.PostgreSQL",
        "tasks.max": "1",
        "topics": topic,
        "connection.url": f"jdbc:postgresql://{endpoints.postgres_host}:{endpoints.postgres_port}/{database}",
        "connection.username": endpoints.postgres_user,
        "connection.password": endpoints.postgres_password,
        "insert.mode": "upsert",
        "delete.enabled": "true",
        "primary.key.mode": "record_key",
        "schema.evolution": "basic",
        "dongbo.table.map": f"{topic}:{table}",
        "dongbo.synced.at.column": SYNCED_AT,
    }


class Plain:
    """A ``bench.side.Side``: one worker process."""

    name = "plain"
    databases: tuple[str, ...] = (PLAIN_SOURCE, PLAIN_TARGET)
    source, target, target_table = PLAIN_SOURCE, PLAIN_TARGET, f"public.{STAFF_TABLE}"
    adds_synced_at = False

    def __init__(self, data_dir: Path, endpoints: Endpoints) -> None:
        self._data_dir = data_dir
        self._endpoints = endpoints
        # Not the usual port: another worker on this machine must neither disturb nor be disturbed.
        self._port = choose([], {endpoints.rest_port})
        self.url = f"http://{HOST}:{self._port}"
        self.programs = Programs(data_dir)

    def start(self) -> None:
        """Start the process and register the connectors; returns when they run."""
        self._start("worker", "worker", "--rest-port", str(self._port))
        register(self.url, self.configs(), self.programs.check)

    def configs(self) -> dict[str, dict[str, str]]:
        """The connectors' configurations by name."""
        topic = f"{PLAIN_SOURCE}.public.{STAFF_TABLE}"
        return {
            "plain-sink": sink_config(self._endpoints, PLAIN_TARGET, topic, f"public.{STAFF_TABLE}"),
            "plain-source": source_config(self._endpoints, PLAIN_SOURCE, STAFF_TABLE),
        }

    def _start(self, name: str, *command: str) -> None:
        where = (
            "--bootstrap-servers",
            self._endpoints.bootstrap,
            "--schema-registry-url",
            self._endpoints.registry_url,
        )
        self.programs.start(name, [sys.executable, "-m", "sync.cli", *command, *where])


class Whole(Plain):
    """A ``bench.side.Side``: worker, validate and reconcile."""

    name = "whole"
    databases = (WHOLE_SOURCE, WHOLE_TARGET, POPULATION)
    source, target, target_table = WHOLE_SOURCE, WHOLE_TARGET, "dongbo.civil_servant"

    def start(self) -> None:
        """Start the processes and register the connectors; returns when they run."""
        for name in ("validate", "reconcile"):
            self._start(name, "process", name, "--data-dir", str(self._data_dir))
        super().start()

    def configs(self) -> dict[str, dict[str, str]]:
        """The connectors' configurations by name."""
        partitions = {"topic.creation.default.partitions": "2"}
        return {
            "whole-sink": sink_config(self._endpoints, WHOLE_TARGET, "civil_servant.golden", self.target_table),
            "whole-register": source_config(
                self._endpoints,
                POPULATION,
                REGISTER_TABLE,
                **partitions,
                **{
                    "dongbo.source.authority": "register",
                    "dongbo.mappings": f"public.{REGISTER_TABLE}:population/canonical",
                },
            ),
            "whole-source": source_config(
                self._endpoints,
                WHOLE_SOURCE,
                STAFF_TABLE,
                **partitions,
                **{
                    "dongbo.source.authority": "ministry",
                    "dongbo.mappings": f"public.{STAFF_TABLE}:civil_servant/canonical",
                },
            ),
        }
