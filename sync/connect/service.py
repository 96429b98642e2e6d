"""A worker process: the worker, its REST server and its signals, composed and run until told to stop.

Called by ``dongbo worker``. The main thread waits for a signal or the worker's own end; uvicorn serves in a thread of
its own, so that its signal handling stays out of the way.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from sync import garbage
from sync.connect.forwarding import Forwarding
from sync.connect.manifest import Manifest, texts
from sync.connect.membership import KafkaMembership, Membership
from sync.connect.plugin import Plugins, installed_version
from sync.connect.registrations import INITIAL_STATES
from sync.connect.registry import KafkaRegistry, Registry, declare
from sync.connect.rest import application
from sync.connect.settings import Settings
from sync.connect.standalone import LocalStatusLog, SoleMember, StandaloneRegistry
from sync.connect.status import KafkaStatusLog, StatusLog
from sync.connect.supervision import Healing
from sync.connect.worker import Worker
from sync.errors import ConfigError, SyncError, Unavailable
from sync.kafka.client import cluster_id

log = logging.getLogger(__name__)

STOP_SECONDS = 4.0


class _Server(uvicorn.Server):
    """Wakes up once a second, for the Date header, and not ten times to see whether it is to end."""

    _wake: Callable[[], object] = staticmethod(lambda: None)

    async def main_loop(self) -> None:
        """Serve until ``end`` is called."""
        told = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, told.set)
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 1.0)

    def end(self) -> None:
        """End serving; called by another thread."""
        self.should_exit = True
        # The loop may have ended by itself.
        with suppress(RuntimeError):
            self._wake()


class RestServer:
    """An ASGI application on a port of its own, served by a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        """Bind the port (so that two workers never share one; 0 takes a free one); ConfigError if it is taken."""
        self._socket = _bind(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, app: ASGIApp) -> None:
        """Serve ``app``; connections wait in the socket until the thread is up."""
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        self._server = _Server(config)
        self._socket.listen(128)
        sockets = {"sockets": [self._socket]}
        self._thread = threading.Thread(target=self._server.run, kwargs=sockets, name="rest", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer what was asked, for a second at most, and free the port."""
        if self._server is not None and self._thread is not None:
            self._server.end()
            self._thread.join(2.0)
        self._socket.close()


class Service:
    """One worker with its REST server."""

    def __init__(
        self,
        settings: Settings,
        plugins: Plugins | None = None,
        *,
        healing: Healing | None = None,
        standalone: Sequence[Manifest] | None = None,
    ) -> None:
        """Bind the REST port; ConfigError if it is taken.

        ``standalone`` are the connectors of a worker in no group; None: the group's.
        """
        self._server = RestServer(settings.rest_host, settings.rest_port)
        self.settings = _completed(settings, self._server.port)
        self._standalone = standalone
        parts = _parts(self.settings) if standalone is None else _standalone_parts(self.settings)
        self.worker = Worker(self.settings, plugins or Plugins.discover(), *parts, healing=healing)
        app = application(self.worker, lambda: cluster_id(settings.bootstrap))
        self._app = Forwarding(app, self.worker)
        self._ending = threading.Event()
        self._told = False

    @property
    def url(self) -> str:
        """Where the REST API is."""
        return f"http://{self.settings.rest_host}:{self.settings.rest_port}"

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; SyncError if the worker ended by itself, or why Kafka refused it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        garbage.spare()
        self.start()
        try:
            self.join()
            self._ending.wait()
        finally:
            self.close()
        if not self._told:
            raise SyncError(
                f"Worker {self.settings.worker_id} has ended by itself.", hint="read its log, then start it again"
            )

    def start(self) -> None:
        """Serve REST; ``/health`` says starting until the worker is in its group."""
        self._server.start(self._app)
        log.info("Worker %s serves %s", self.settings.worker_id, self.url)

    def close(self) -> None:
        """Give the tasks up, then REST; within five seconds."""
        self._ending.set()
        if not self.worker.stop(STOP_SECONDS):
            log.warning("Not all tasks stopped within %.0f s; what they had not committed is done again.", STOP_SECONDS)
        self._server.close()

    def join(self, patience: float = 120.0) -> None:
        """Join the group; waits for a broker that is still starting, ``patience`` seconds at most.

        A standalone worker then registers its connectors; BadRequest where one is wrong.
        """
        deadline = time.monotonic() + patience
        while not self._ending.is_set():
            try:
                self.worker.start(on_end=self._ending.set)
                break
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("Kafka does not answer yet, trying again: %s", error)
                self._ending.wait(1.0)
        for one in self._standalone or ():
            while not (self.worker.leading or self._ending.wait(0.02)):
                pass
            self.worker.create(one.name, texts(one.config), _target(one))

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True
        self._ending.set()


def _target(given: Manifest) -> str:
    """The target state that a standalone worker's file names. Raises ConfigError for what has no meaning there."""
    state = str(given.creation.get("initial_state", "RUNNING")).upper()
    if state not in INITIAL_STATES:
        raise ConfigError(
            f"Connector {given.name} has the initial_state {state}.", hint=f"write one of {', '.join(INITIAL_STATES)}"
        )
    if "initial_offsets" in given.creation:
        raise ConfigError(
            f"Connector {given.name} has initial_offsets, which a file of a standalone worker has no place for.",
            hint="let it begin STOPPED, then `dongbo connector offsets NAME --alter FILE` and resume",
        )
    return INITIAL_STATES[state]


def _completed(settings: Settings, port: int) -> Settings:
    """``settings`` with what follows from the port that was bound."""
    host = settings.rest_host
    if host in ("0.0.0.0", "::"):
        # Listening everywhere is no address: the others of the group need the machine's name.
        host = socket.gethostname()
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return replace(
        settings,
        rest_port=port,
        advertised_url=(settings.advertised_url or url).rstrip("/"),
        worker_id=settings.worker_id or f"{host}:{port}",
    )


def _parts(settings: Settings) -> tuple[Registry, Membership, StatusLog]:
    registry = KafkaRegistry(settings.bootstrap, settings.group, settings.configs_topic)
    membership = KafkaMembership(settings.bootstrap, settings.group, settings.worker_id)
    statuses = KafkaStatusLog(settings.bootstrap, settings.worker_id, installed_version(), settings.status_topic)
    return registry, membership, statuses


def _standalone_parts(settings: Settings) -> tuple[Registry, Membership, StatusLog]:
    registry = StandaloneRegistry(declare(settings.bootstrap, settings.configs_topic, settings.group))
    return registry, SoleMember(), LocalStatusLog(settings.worker_id)


def _bind(host: str, port: int) -> socket.socket:
    # With the protocol named, asyncio sends each answer at once (TCP_NODELAY) instead of waiting for an ACK.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"The REST port {port} on {host} cannot be used: {error.strerror}.",
            field="rest-port",
            hint="stop what uses it, or choose another by --rest-port (0 takes a free one)",
        ) from error
    return bound
