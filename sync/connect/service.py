"""A worker process: the worker, its REST server and its signals, composed and run until told to stop.

Called by ``dongbo worker``. The main thread waits for a signal or the loss of the group; uvicorn serves in a thread of
its own, so that its signal handling stays out of the way.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from sync.connect.plugin import Plugins, installed_version
from sync.connect.registrations import KafkaRegistry
from sync.connect.rest import application
from sync.connect.status import KafkaStatusLog, Status, StatusLog
from sync.connect.worker import Settings, Worker
from sync.errors import ConfigError, Fenced, Unavailable
from sync.kafka.client import cluster_id

log = logging.getLogger(__name__)

STOP_SECONDS = 4.0


@dataclass
class LateStatusLog:
    """A status log that opens with the worker: REST answers before Kafka does."""

    bootstrap: str
    worker_id: str
    topic: str
    _log: StatusLog | None = field(default=None, init=False)

    def open(self) -> None:
        """Create the topic if it is missing and clear a former worker's states; Unavailable, Refused."""
        self._log = KafkaStatusLog(self.bootstrap, self.worker_id, installed_version(), self.topic)

    def publish(self, status: Status) -> None:
        """See ``StatusLog.publish``."""
        if self._log is not None:
            self._log.publish(status)

    def forget(self, status: Status) -> None:
        """See ``StatusLog.forget``."""
        if self._log is not None:
            self._log.forget(status)

    def close(self) -> None:
        """See ``StatusLog.close``."""
        if self._log is not None:
            self._log.close()


class RestServer:
    """An ASGI application on a port of its own, served by a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        """Bind the port (so that two workers never share one; 0 takes a free one); ConfigError if it is taken."""
        self._socket = _bind(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, app: ASGIApp) -> None:
        """Serve ``app``; connections wait in the socket until the thread is up."""
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._socket.listen(128)
        sockets = {"sockets": [self._socket]}
        self._thread = threading.Thread(target=self._server.run, kwargs=sockets, name="rest", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer what was asked, for a second at most, and free the port."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(2.0)
        self._socket.close()


class Service:
    """One worker with its REST server."""

    def __init__(self, settings: Settings, plugins: Plugins | None = None) -> None:
        """Bind the REST port; ConfigError if it is taken."""
        self._server = RestServer(settings.rest_host, settings.rest_port)
        worker_id = settings.worker_id or f"{settings.rest_host}:{self._server.port}"
        self.settings = replace(settings, rest_port=self._server.port, worker_id=worker_id)
        registry = KafkaRegistry(settings.bootstrap, settings.group, settings.configs_topic)
        self._statuses = LateStatusLog(settings.bootstrap, worker_id, settings.status_topic)
        self.worker = Worker(self.settings, plugins or Plugins.discover(), registry, self._statuses)
        self._app = application(self.worker, lambda: cluster_id(settings.bootstrap))
        self._ending = threading.Event()

    @property
    def url(self) -> str:
        """Where the REST API is."""
        return f"http://{self.settings.rest_host}:{self.settings.rest_port}"

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; Fenced if another worker took over, or why Kafka refused the worker."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self.start()
        try:
            self._restore()
            self._ending.wait()
        finally:
            self.close()
        if self.worker.lost is not None:
            raise Fenced(
                f"Worker {self.worker.lost} took over group {self.settings.group}.",
                hint="run one worker a group, or give this one another --group and other control topics",
            )

    def start(self) -> None:
        """Serve REST; ``/health`` says starting until the connectors are restored."""
        self._server.start(self._app)
        log.info("Worker %s serves %s", self.settings.worker_id, self.url)

    def close(self) -> None:
        """Stop the tasks, then REST; within five seconds."""
        self._ending.set()
        if not self.worker.stop(STOP_SECONDS):
            log.warning("Not all tasks stopped within %.0f s; what they had not committed is done again.", STOP_SECONDS)
        self._server.close()

    def _restore(self, patience: float = 120.0) -> None:
        """Take the group over; waits for a broker that is still starting, ``patience`` seconds at most."""
        deadline = time.monotonic() + patience
        while not self._ending.is_set():
            try:
                self._statuses.open()
                self.worker.start(on_lost=self._ending.set)
                return
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("Kafka does not answer yet, trying again: %s", error)
                self._ending.wait(1.0)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._ending.set()


def _bind(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
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
