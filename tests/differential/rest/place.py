"""What the script is played with: the connectors, their servers, and the states that it waits for.

Both connectors are known to both sides under Debezium's class names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.differential.rest.step import Answer

SOURCE = "io.debezium.connector.postgresql.PostgresConnector"
SINK = "io.debezium.connector.jdbc.JdbcSinkConnector"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the connectors' servers are; ``topic`` has two partitions with a few records."""

    host: str
    port: str
    user: str
    database: str
    topic: str

    def source(self, name: str) -> dict[str, Any]:
        """A PostgreSQL source; ``name`` of its slot, publication and topics."""
        return {
            "connector.class": SOURCE,
            "database.hostname": self.host,
            "database.port": self.port,
            "database.user": self.user,
            "database.password": "SECRET",
            "database.dbname": self.database,
            "topic.prefix": f"TAG_{name}",
            "plugin.name": "pgoutput",
            "slot.name": f"TAG_{name}",
            "publication.name": f"TAG_{name}",
            "publication.autocreate.mode": "filtered",
            "table.include.list": "public.t",
        }

    def sink(self) -> dict[str, Any]:
        """A sink of ``topic`` that passes over what it can't read."""
        return {
            "connector.class": SINK,
            "connection.url": f"jdbc:postgresql://{self.host}:{self.port}/{self.database}",
            "connection.username": self.user,
            "connection.password": "SECRET",
            "topics": self.topic,
            "insert.mode": "upsert",
            "primary.key.mode": "record_key",
            "schema.evolution": "basic",
            "errors.tolerance": "all",
        }


def state(connector: str, *tasks: str) -> Any:
    """Whether a status has these states."""

    def reached(answer: Answer) -> bool:
        if answer.status != 200:
            return False
        body = answer.body
        return [body["connector"]["state"], *(task["state"] for task in body["tasks"])] == [connector, *tasks]

    return reached


def state_of(answer: Answer) -> str:
    """The connector's state, or nothing."""
    return str(answer.body["connector"]["state"]) if answer.status == 200 else ""


def gone(answer: Answer) -> bool:
    """Whether a connector isn't there any more."""
    return answer.status == 404


def without_tasks(body: Any) -> Any:
    """A body whose tasks are not compared."""
    # When they are there is a matter of milliseconds.
    return {**body, "tasks": "not compared"}
