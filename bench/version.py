"""What ran: versions of both sides, the servers and the machine, for every benchmark's result."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import psycopg

from bench import connect
from sync.embedded.endpoint import Endpoints
from sync.embedded.jar import KAFKA_VERSION


def versions(endpoints: Endpoints) -> dict[str, str]:
    """By name. Asks the running PostgreSQL."""
    with psycopg.connect(endpoints.postgres_dsn()) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return {
        **processors("psycopg"),
        "postgresql": str(row[0]) if row else "",
        "kafka-connect": connect.CONNECT,
        "debezium": connect.DEBEZIUM,
        "java": connect.java_version(),
    }


def processors(*more: str) -> dict[str, str]:
    """By name, without asking any server; ``more`` packages beside those of processors."""
    packages = ("confluent-kafka", "polars", "faust-streaming", "aiokafka", "fastavro", "rocksdict", *more)
    return {
        **{name: version(name) for name in packages},
        "python": platform.python_version(),
        "kafka": KAFKA_VERSION,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}",
    }
