"""A TCP line to a server that a test can cut: from then on nothing arrives, and nobody is told.

As behind a router that drops packets, or a cable that was pulled: connections stay open, what was sent waits, and when
the cable is mended it arrives after all, however late. Needs no privilege, unlike namespaces and packet filters.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

from sync.embedded.port import HOST

_CHUNK = 65_536


class Cable:
    """Connections to ``port`` lead to the server at ``target``; any number of them."""

    def __init__(self, target: int, *, kafka: bool = False) -> None:
        """``target`` is a port of this machine. ``kafka``: the server tells clients its own address, which is changed
        into the cable's wherever it stands in an answer."""
        self._target = target
        self._kafka = kafka
        self._whole = threading.Event()
        self._whole.set()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name="cable", daemon=True).start()

    def cut(self) -> None:
        """Let nothing pass from now on."""
        self._whole.clear()

    def mend(self) -> None:
        """Let everything pass again, what has waited first."""
        self._whole.set()

    def close(self) -> None:
        """Close all connections."""
        self._whole.set()
        for one in (self._listener, *self._open):
            _shut(one)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._whole.wait()
            far = socket.create_connection((HOST, self._target))
            self._open += [near, far]
            answers = _kafka_answers(self._target, self.port) if self._kafka else _as_it_is
            for source, sink, take in ((near, far, _as_it_is), (far, near, answers)):
                threading.Thread(target=self._carry, args=(source, sink, take), name="cable", daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, take: Callable[[socket.socket], bytes]) -> None:
        try:
            while data := take(source):
                self._whole.wait()
                sink.sendall(data)
        except OSError:
            pass
        finally:
            _shut(source)
            _shut(sink)


def _as_it_is(source: socket.socket) -> bytes:
    return source.recv(_CHUNK)


def _kafka_answers(theirs: int, ours: int) -> Callable[[socket.socket], bytes]:
    """Take whole answers of a broker (their length stands before them), its address replaced by one as long."""
    address, instead = (HOST.encode() + struct.pack(">i", port) for port in (theirs, ours))

    def take(source: socket.socket) -> bytes:
        head = source.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return b""
        return head + source.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL).replace(address, instead)

    return take


def _shut(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()
