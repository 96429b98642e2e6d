"""Options that several commands have, declared once: where the servers are, how much is logged, how results look.

Called by the commands of each part (``typer``); a variable of the environment stands for each that a process may need.
"""

from __future__ import annotations

import logging
from typing import Annotated

import typer

BOOTSTRAP, REGISTRY = "localhost:9092", "http://localhost:8081"

Bootstrap = Annotated[
    str, typer.Option("--bootstrap-servers", envvar="DONGBO_BOOTSTRAP_SERVERS", help="Kafka's addresses.")
]
RegistryUrl = Annotated[
    str, typer.Option("--schema-registry-url", envvar="DONGBO_SCHEMA_REGISTRY_URL", help="The registry's address.")
]
LogLevel = Annotated[str, typer.Option(envvar="DONGBO_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def log_at(level: str) -> None:
    """Log to standard error from ``level`` on."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # httpx tells each request's URL at INFO: noise, and a registry's URL may hold a password.
    logging.getLogger("httpx").setLevel(logging.WARNING)
