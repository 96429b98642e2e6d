"""A position is followed only on the server, and the timeline, that it belongs to."""

from __future__ import annotations

from typing import Any, cast

import pytest

from sync.errors import PositionLost
from sync.record import Position
from sync.source.postgresql import PLUGIN
from sync.source.postgresql.replication import Replication
from sync.source.postgresql.server import Server, forks, require_history
from sync.source.postgresql.setting import Settings

HISTORY = b"1\t0/5000000\tno recovery target specified\n\n# a comment\n2\t1/A0\tbefore 2000-01-01 00:00:00+00\n"


class Connection:
    """What a server would answer."""

    def __init__(self, system_id: str = "77", timeline: int = 3, end: int = 2 << 32) -> None:
        parsed = PLUGIN.config.parse(
            {
                "database.hostname": "h",
                "database.user": "u",
                "database.password": "p",
                "database.dbname": "d",
                "topic.prefix": "t",
            }
        )
        self.settings = Settings.read(parsed.values)
        self.answer = (system_id, timeline, end)

    def identify(self) -> tuple[str, int, int]:
        return self.answer

    def history(self, timeline: int) -> bytes:
        return HISTORY if timeline == 3 else b""


def require(stored: Server | None, position: int, **server: Any) -> Server:
    return require_history(cast(Replication, Connection(**server)), stored, Position(position))


def test_a_history_file_tells_where_each_timeline_was_left() -> None:
    assert forks(HISTORY) == {1: 0x5000000, 2: (1 << 32) + 0xA0}


@pytest.mark.parametrize(
    ("stored", "position"),
    [
        (None, 9 << 32),
        (Server("77", 3), 1 << 32),
        (Server("77", 2), (1 << 32) + 0xA0),
        (Server("77", 1), 0x5000000),
        (Server("77", 0), 1 << 32),
    ],
)
def test_the_same_server_or_one_promoted_after_the_position_goes_on(stored: Server | None, position: int) -> None:
    assert require(stored, position) == Server("77", 3)


@pytest.mark.parametrize(
    ("stored", "position", "server", "why"),
    [
        (Server("78", 3), 1, {}, "another cluster"),
        (Server("77", 2), (1 << 32) + 0xA1, {}, "standby never received"),
        (Server("77", 4), 1, {}, "restored to an earlier"),
        (Server("77", 2), 1, {"timeline": 5}, "restored to an earlier"),
        (Server("77", 3), 3 << 32, {}, "no log after 2/0"),
    ],
)
def test_another_history_is_a_lost_position_with_a_remedy(
    stored: Server, position: int, server: dict[str, Any], why: str
) -> None:
    with pytest.raises(PositionLost, match=why) as raised:
        require(stored, position, **server)
    assert "offsets" in raised.value.hint


def test_on_a_standby_the_timeline_is_left_open() -> None:
    assert require(Server("77", 2), 9 << 32, timeline=0) == Server("77", 0)
