"""The PostgreSQL servers that tests run on: the embedded one, or one in a Docker container by testcontainers.

Used by the fixture ``server`` of tests/conftest.py, from which ``database`` makes its databases. A test asks for both
by the mark ``EVERY_SERVER``. Nothing is ever downloaded: the image (``DONGBO_TEST_POSTGRES_IMAGE``, or ``postgres:18``)
has to be on the machine, otherwise ``Missing`` says what to do.
"""

from __future__ import annotations

import gc
import os
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from docker.client import DockerClient as Daemon
from docker.errors import DockerException, ImageNotFound
from psycopg.conninfo import make_conninfo
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

Server = Callable[[str], str]
"""``server(dbname) -> connection string`` of the superuser."""

EVERY_SERVER = pytest.mark.parametrize(
    "server", ["embedded", pytest.param("container", marks=pytest.mark.container)], indirect=True
)

_PORT = 5432
_USER = "dongbo"
_READY_SECONDS = 60
# What a source and many sinks need of a server of any version; as docker/compose.yaml sets it.
_COMMAND = ["postgres", "-c", "wal_level=logical", "-c", "max_replication_slots=64", "-c", "max_wal_senders=64"]


class Missing(Exception):
    """This machine has no Docker daemon or not the image; the message says which, and the remedy."""


def container_image() -> str:
    """The name of the image with PostgreSQL: its programs, and Docker Hub's ``POSTGRES_*`` variables."""
    return os.environ.get("DONGBO_TEST_POSTGRES_IMAGE", "postgres:18")


@contextmanager
def postgresql_container() -> Iterator[Server]:
    """A PostgreSQL server in a container, removed at the end.

    Raises Missing without a daemon or image; RuntimeError with the server's log when it does not come up.
    """
    image = container_image()
    _require(image)
    password = secrets.token_hex(16)
    container = DockerContainer(image).with_exposed_ports(_PORT).with_command(_COMMAND)
    container.with_envs(POSTGRES_USER=_USER, POSTGRES_PASSWORD=password, POSTGRES_DB="postgres")
    with container:

        def server(dbname: str = "postgres") -> str:
            host, port = container.get_container_host_ip(), container.get_exposed_port(_PORT)
            return make_conninfo(host=host, port=port, user=_USER, password=password, dbname=dbname)

        _wait_until_ready(container, server)
        yield server


def _require(image: str) -> None:
    """Raise Missing unless a daemon answers and has ``image``; let testcontainers start nothing that is not there."""
    client = _client()
    try:
        client.images.get(image)
    except ImageNotFound as error:
        raise Missing(f"the image {image} is not here: docker pull it, or set DONGBO_TEST_POSTGRES_IMAGE") from error
    else:
        try:
            client.images.get(testcontainers_config.ryuk_image)
        except ImageNotFound:
            # testcontainers would pull it. Its job is to remove containers after a killed session.
            testcontainers_config.ryuk_disabled = True
    finally:
        client.close()


def _client() -> Daemon:
    """A client of the daemon that Docker's own settings name (DOCKER_HOST, context). Raises Missing without one."""
    with warnings.catch_warnings():
        # The library leaves the socket of a refused connection to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return DockerClient(timeout=10).client
        except DockerException as error:
            reason = str(error)
        gc.collect()
    raise Missing(f"no Docker daemon answers: {reason}")


def _wait_until_ready(container: DockerContainer, server: Server) -> None:
    """Wait until the server accepts a login from here, which is when its set-up is over and its port is published."""
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            psycopg.connect(server("postgres"), connect_timeout=2).close()
            return
        except (psycopg.OperationalError, ConnectionError, TimeoutError) as error:
            container.reload()
            if container.status not in ("created", "running") or time.monotonic() > deadline:
                log = b"".join(container.get_logs()).decode(errors="replace")[-2000:]
                raise RuntimeError(f"PostgreSQL in the container {container.status} does not answer:\n{log}") from error
            threading.Event().wait(0.1)
