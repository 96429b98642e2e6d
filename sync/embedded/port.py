"""Choosing TCP ports on the loopback address. Used by the stack when it starts a part.

Free ports are taken below the ephemeral range: a client that keeps trying to reach a stopped server on a port
*inside* that range can be given that very port as its own and connect to itself, and the server can't come back.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from sync.errors import Unavailable

HOST = "127.0.0.1"
_LOWEST, _HIGHEST = 11_000, 32_000
_TRIES = 500


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def choose(preferred: Iterable[int | None], taken: Iterable[int] = ()) -> int:
    """Return the first of ``preferred`` that is free, else a random free port; never one of ``taken``.

    Raises Unavailable when no port is found.
    """
    excluded = set(taken)
    for port in preferred:
        if port is not None and port not in excluded and is_free(port):
            return port
    for _ in range(_TRIES):
        port = random.randint(_LOWEST, _HIGHEST)
        if port not in excluded and is_free(port):
            return port
    raise Unavailable(
        f"No free TCP port was found on {HOST} between {_LOWEST} and {_HIGHEST}.",
        hint="stop programs that hold many ports, or pass the ports of an existing Kafka, registry and PostgreSQL",
    )
