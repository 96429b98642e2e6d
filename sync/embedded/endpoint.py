"""Where the parts of a stack answer, and the file that keeps it between commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sync.embedded import postgres
from sync.embedded.port import HOST
from sync.embedded.process import write_atomically
from sync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of the parts. ``rest_port`` is kept free for a worker's REST API: the stack itself runs none."""

    bootstrap: str
    registry_url: str
    postgres_port: int
    postgres_user: str
    postgres_host: str
    rest_port: int
    postgres_password: str = ""

    def postgres_dsn(self, dbname: str = "postgres") -> str:
        """A libpq connection string for the superuser and the database ``dbname``."""
        return postgres.dsn(self.postgres_port, self.postgres_password, dbname)


@dataclass(frozen=True, slots=True)
class State:
    """What a stack must remember to come up again as it was: its ports, its cluster and its password."""

    kafka_port: int
    controller_port: int
    registry_port: int
    postgres_port: int
    rest_port: int
    cluster_id: str
    postgres_password: str

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(
            bootstrap=f"{HOST}:{self.kafka_port}",
            registry_url=f"http://{HOST}:{self.registry_port}",
            postgres_port=self.postgres_port,
            postgres_user=postgres.USER,
            postgres_host=HOST,
            rest_port=self.rest_port,
            postgres_password=self.postgres_password,
        )

    def save(self, path: Path) -> None:
        """Write the state and, for people and scripts, the endpoints that follow from it."""
        write_atomically(
            path, json.dumps({"state": asdict(self), "endpoints": asdict(self.endpoints)}, indent=2) + "\n"
        )

    @classmethod
    def load(cls, path: Path) -> State | None:
        """Read the state; None when there is none. Raises ConfigError when the file is damaged."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8"))["state"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path} is not a stack's state file.", hint="dongbo dev reset, or remove the file"
            ) from error
