"""A connection in replication mode: slots, the stream of changes, and answers to the server.

Called by the task, in one thread. Protocol: PostgreSQL documentation, 54.4 "Streaming Replication Protocol". Nothing
here waits longer than asked for: the caller owns the waiting.
"""

from __future__ import annotations

import struct
import time
from typing import Any, NoReturn

import psycopg
from psycopg import pq

from sync.errors import PositionLost, ProtocolViolation, Refused, SyncError, Unavailable
from sync.source.postgresql.pgoutput import EPOCH_MICROS
from sync.source.postgresql.session import connect, place
from sync.source.postgresql.setting import Settings

_DATA = ord("w")
_GULP = 16_000_000
"""Bytes that are read at once."""

_SILENCE = 60.0
"""PostgreSQL's default of ``wal_sender_timeout``, s."""

_KEEPALIVE = struct.Struct(">cQqB")
_STATUS = struct.Struct(">cQQQqB").pack


class Replication:
    """One replication connection. ``close`` it in the end: the slot is free once the server notices."""

    def __init__(self, settings: Settings) -> None:
        """Connect. Raises Refused, Unavailable."""
        self.settings = settings
        self._connection = connect(settings, replication=True)
        self._pg = self._connection.pgconn
        self._answered = time.monotonic()
        self._asked: float | None = None
        self._patience = _SILENCE
        self.confirmed = 0

    def close(self) -> None:
        """Close the connection, also in the middle of the stream."""
        self._connection.close()

    def _command(self, text: str) -> pq.abc.PGresult:
        return self._pg.exec_(text.encode())

    @property
    def server_version(self) -> int:
        """As libpq numbers it: 180000."""
        return self._connection.info.server_version

    def identify(self) -> tuple[str, int, int]:
        """Return the cluster's system identifier, its timeline (0: a standby, which may change it at any time) and
        the end of its log. Raises Refused, Unavailable.
        """
        result = self._command("IDENTIFY_SYSTEM")
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise self._refusal(result, "identifying the server")
        system_id, timeline, end = (bytes(result.get_value(0, column) or b"") for column in range(3))
        standby = self._connection.info.parameter_status("in_hot_standby") == "on"
        return system_id.decode(), 0 if standby else int(timeline), lsn(end)

    def history(self, timeline: int) -> bytes:
        """Return the content of a timeline's history file; empty where the server has none. Unavailable."""
        result = self._command(f"TIMELINE_HISTORY {timeline}")
        if result.status != pq.ExecStatus.TUPLES_OK:
            if self._pg.status != pq.ConnStatus.OK:
                raise self._lost()
            return b""
        return bytes(result.get_value(0, 1) or b"")

    def create_slot(self) -> tuple[int, str]:
        """Create the slot; return its position and the name of the snapshot of exactly that position.

        The snapshot can be taken up until the next command on this connection. Raises Refused, Unavailable.
        """
        version = self.server_version
        option = "(SNAPSHOT 'export')" if version >= 150000 else "EXPORT_SNAPSHOT"
        if self.settings.failover:
            require_failover(self.settings, version)
            option = "(SNAPSHOT 'export', FAILOVER)"
        result = self._command(f'CREATE_REPLICATION_SLOT "{self.settings.slot}" LOGICAL pgoutput {option}')
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise self._refusal(result, f"creating replication slot {self.settings.slot}")
        position, snapshot = result.get_value(0, 1), result.get_value(0, 2)
        return lsn(bytes(position or b"")), bytes(snapshot or b"").decode()

    def set_failover(self) -> None:
        """Let a standby keep the slot, which must exist and be inactive. Raises Refused, Unavailable."""
        result = self._command(f'ALTER_REPLICATION_SLOT "{self.settings.slot}" (FAILOVER true)')
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise self._refusal(result, f"altering replication slot {self.settings.slot}")

    def drop_slot(self) -> None:
        """Drop the slot; it must exist and be inactive. Raises Refused, Unavailable."""
        result = self._command(f'DROP_REPLICATION_SLOT "{self.settings.slot}"')
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise self._refusal(result, f"dropping replication slot {self.settings.slot}")

    def start(self, position: int) -> None:
        """Start the stream at ``position``. Raises PositionLost, Refused, Unavailable (slot in use)."""
        self._patience = self._sender_timeout()
        options = ", messages 'true'" if self.server_version >= 140000 else ""
        options += ", origin 'any'" if self.server_version >= 160000 else ""
        publication = self.settings.publication.replace('"', '""').replace("'", "''")
        result = self._command(
            f'START_REPLICATION SLOT "{self.settings.slot}" LOGICAL {position >> 32:X}/{position & 0xFFFFFFFF:X} '
            f"(proto_version '1', publication_names '\"{publication}\"'{options})"
        )
        if result.status != pq.ExecStatus.COPY_BOTH:
            raise self._refusal(result, f"starting replication from slot {self.settings.slot}")
        self.confirmed = position

    def _sender_timeout(self) -> float:
        """After how many seconds of silence the server would give this connection up; its default if never."""
        result = self._command("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'")
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise self._refusal(result, "reading wal_sender_timeout")
        return int(result.get_value(0, 0) or 0) / 1000 or _SILENCE

    def _refusal(self, result: Any, what: str) -> SyncError:
        field = pq.DiagnosticField
        state = bytes(result.error_field(field.SQLSTATE) or b"").decode()
        text = bytes(result.error_field(field.MESSAGE_PRIMARY) or result.error_message).decode(errors="replace")
        return _refusal(f"PostgreSQL at {place(self.settings)}: {what}: {text.strip()}.", state, self.settings)

    def drain(self, messages: list[memoryview], most: int) -> tuple[bool, int]:
        """Add what has arrived to ``messages``: XLogData messages whole, until it has ``most`` of them.

        Returns whether there may be more, and the end of the log that the last keepalive told (0: there was none); the
        server has nothing for us between the messages and there. Raises PositionLost, Refused, Unavailable where the
        server ended the stream, or has not answered for too long.
        """
        consumed, more, left, end = False, True, _GULP, 0
        get = self._pg.get_copy_data
        while more and len(messages) < most and left > 0:
            try:
                size, message = get(1)
                if size == 0:
                    more = not consumed
                    if more:
                        self._pg.consume_input()
                    else:
                        self._require_sign_of_life()
                    consumed = True
                    continue
            except psycopg.Error as error:
                raise self._lost() from error
            consumed = False
            self._asked = None
            if size < 0:
                self._ended()
            if message[0] == _DATA:
                messages.append(message)
                left -= size
            else:
                end, wanted = keepalive(bytes(message))
                if wanted:
                    self.answer()
        return more, end

    def _require_sign_of_life(self) -> None:
        """Raise Unavailable where an answer is overdue. Called when all that has arrived was read: what waits unread
        is no silence."""
        # A server that is busy decoding answers after half of its own timeout at the latest.
        silent = 0.0 if self._asked is None else time.monotonic() - self._asked
        if silent > self._longest_silence:
            raise Unavailable(
                f"PostgreSQL at {place(self.settings)} has not answered on the replication connection for "
                f"{silent:.0f} s.",
                hint="look at the network between worker and server; the task connects anew",
            )

    @property
    def _longest_silence(self) -> float:
        return max(self._patience, 3 * self.settings.status_interval)

    def rest(self) -> float:
        """Seconds until an answer is due, here (``answer_in_time``) or from the server (``drain``)."""
        now = time.monotonic()
        answer = max(0.0, self._answered + self.settings.status_interval - now)
        silence = 0.0 if self._asked is None else self._asked + self._longest_silence - now
        # Overdue already: whoever has no room to read can't do anything about it.
        return min(answer, silence) if silence > 0 else answer

    def _ended(self) -> NoReturn:
        result = self._pg.get_result()
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            raise self._refusal(result, "reading the log")
        raise self._lost()

    def _lost(self) -> Unavailable:
        return Unavailable(f"PostgreSQL at {place(self.settings)} closed the replication connection.")

    @property
    def socket(self) -> int:
        """The file descriptor to wait on."""
        try:
            return self._pg.socket
        except psycopg.Error as error:
            raise self._lost() from error

    def confirm(self, position: int) -> None:
        """Tell the server that everything before ``position`` is durable elsewhere; it may drop that log."""
        if position > self.confirmed:
            self.confirmed = position
            self.answer()

    def answer_in_time(self) -> None:
        """Answer, if the last answer is long ago: the server closes a connection that is silent for
        ``wal_sender_timeout`` (60 s by default). Its answer is wanted too: ``drain`` raises Unavailable where it stays
        away for as long, for nobody tells of a connection that is cut off.
        """
        if time.monotonic() - self._answered >= self.settings.status_interval:
            self.answer(ask=True)

    def answer(self, *, ask: bool = False) -> None:
        """Send a status: the confirmed position as written, and unless somebody else says so, flushed and applied.

        ``ask``: the server is to answer at once.
        """
        now = time.time_ns() // 1000 - EPOCH_MICROS
        # A position of 0 leaves the slot where it is.
        flushed = self.confirmed if self.settings.flushes else 0
        try:
            self._pg.put_copy_data(_STATUS(b"r", self.confirmed, flushed, flushed, now, ask))
            self._pg.flush()
        except psycopg.Error as error:
            raise self._lost() from error
        self._answered = time.monotonic()
        if ask and self._asked is None:
            self._asked = self._answered


def keepalive(message: bytes) -> tuple[int, bool]:
    """Return the end of the log that a keepalive tells, and whether it wants an answer. Raises ProtocolViolation."""
    if message[:1] != b"k" or len(message) != _KEEPALIVE.size:
        raise ProtocolViolation(
            "PostgreSQL sent a replication message that is neither a change nor a keepalive.",
            hint="check what stands between server and connector",
        )
    _, end, _, wanted = _KEEPALIVE.unpack(message)
    return end, bool(wanted)


def lsn(text: bytes) -> int:
    """Return ``16/B374D848`` in bytes."""
    high, low = text.split(b"/")
    return int(high, 16) << 32 | int(low, 16)


def _refusal(message: str, state: str, settings: Settings) -> SyncError:
    user = settings.connection["user"]
    if state == "42501":
        return Refused(message, hint=f"ALTER ROLE {user} REPLICATION")
    if state == "53400":
        return Refused(message, hint="raise max_replication_slots and max_wal_senders, or drop slots not in use")
    if state == "55000":
        return PositionLost(message, hint=REMEDY.format(slot=settings.slot))
    if state == "42704":
        if settings.slot in message:
            return PositionLost(message, hint=REMEDY.format(slot=settings.slot))
        return Refused(message, hint=f"create publication {settings.publication}")
    if state == "58P01" or state == "42710":
        return Refused(message, hint="see the server's log")
    if not state or state.startswith(("08", "57", "53", "55006", "40", "XX")):
        return Unavailable(message)
    return Refused(message, hint="see the server's log")


def require_failover(settings: Settings, version: int) -> None:
    """Raise Refused where ``slot.failover`` asks for what the server (libpq's version number) has not."""
    if settings.failover and version < 170000:
        raise Refused(
            f"Configuration slot.failover=true needs PostgreSQL 17 or newer; {place(settings)} has {version // 10000}.",
            hint="remove slot.failover, or upgrade the server",
        )


REMEDY = (
    "delete the connector's offsets and drop slot {slot} if it exists: the next start reads a new snapshot "
    "(changes made meanwhile and undone since are not seen)"
)
"""What an operator does after a lost position."""
