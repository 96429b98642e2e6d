"""The commands of a replication connection by the server's version."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from psycopg import pq

from sync.source.postgresql import PLUGIN
from sync.source.postgresql import replication as module
from sync.source.postgresql.replication import Replication
from sync.source.postgresql.setting import Settings

CONFIG = {"database.hostname": "h", "database.user": "u", "database.dbname": "d", "topic.prefix": "t"}


class Server:
    """Takes commands; each succeeds."""

    def __init__(self, version: int) -> None:
        self.info = SimpleNamespace(server_version=version)
        self.pgconn = self
        self.commands: list[str] = []

    def exec_(self, command: bytes) -> Any:
        self.commands.append(command.decode())
        if command.startswith(b"SELECT"):
            return SimpleNamespace(status=pq.ExecStatus.TUPLES_OK, get_value=lambda *_: b"60000")
        status = pq.ExecStatus.COPY_BOTH if command.startswith(b"START") else pq.ExecStatus.TUPLES_OK
        return SimpleNamespace(status=status, get_value=lambda _, column: b"0/10" if column == 1 else b"snap")


def replication(monkeypatch: pytest.MonkeyPatch, version: int, **more: str) -> tuple[Replication, Server]:
    server = Server(version)
    monkeypatch.setattr(module, "connect", lambda *_, **__: server)
    values = PLUGIN.config.parse({**CONFIG, **{key.replace("__", "."): value for key, value in more.items()}}).values
    return Replication(Settings.read(values)), server


@pytest.mark.parametrize(("version", "told"), [(150004, False), (160000, True)])
def test_changes_of_every_origin_are_asked_for_where_the_server_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, version: int, told: bool
) -> None:
    # Before 16 the server has no such option, and sends all.
    made, server = replication(monkeypatch, version)
    made.start(16)
    assert ("origin 'any'" in server.commands[-1]) is told


@pytest.mark.parametrize(
    ("version", "failover", "option"),
    [
        (140000, "false", "EXPORT_SNAPSHOT"),
        (150000, "false", "(SNAPSHOT 'export')"),
        (170000, "true", "(SNAPSHOT 'export', FAILOVER)"),
    ],
)
def test_a_slot_is_made_in_the_servers_words(
    monkeypatch: pytest.MonkeyPatch, version: int, failover: str, option: str
) -> None:
    made, server = replication(monkeypatch, version, slot__failover=failover)
    assert made.create_slot() == (16, "snap")
    assert server.commands == [f'CREATE_REPLICATION_SLOT "debezium" LOGICAL pgoutput {option}']
