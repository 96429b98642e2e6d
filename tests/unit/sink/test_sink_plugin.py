from __future__ import annotations

import pytest

from sync.errors import Refused
from sync.ports import TaskContext
from sync.sink import plugins
from sync.sink.deadletter import DeadLetter, DeadLetters, Tolerance
from sync.sink.postgresql.feed import pattern
from sync.sink.postgresql.target import origin_name

CONTEXT = TaskContext("s", 0, 1, "", "")


def test_the_sink_is_found_under_its_name_and_the_peers() -> None:
    (sink,) = [p for p in plugins() if p.class_name == "dongbo.sink.PostgreSQL"]

    assert sink.aliases == ("io.debezium.connector.jdbc.JdbcSinkConnector",)
    assert sink.kind == "sink"
    assert sink.split({}, 3) == [{}, {}, {}]


def test_without_tolerance_a_bad_record_stops_the_task_and_its_value_stays_unsaid() -> None:
    letters = DeadLetters(CONTEXT, Tolerance())

    with pytest.raises(Refused, match=r"t-0@5 can't be written \(broken\)") as caught:
        letters.park([DeadLetter("t", 0, 5, b"secret", b"secret", "broken")])

    assert "secret" not in str(caught.value)


def test_with_tolerance_and_no_topic_a_bad_record_is_passed_over_with_its_place_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    DeadLetters(CONTEXT, Tolerance(tolerate=True)).park([DeadLetter("t", 0, 5, b"secret", b"secret", "broken")])

    assert "t-0@5" in caplog.text
    assert "secret" not in caplog.text


def test_each_tolerated_record_is_logged_where_the_configuration_says_so(caplog: pytest.LogCaptureFixture) -> None:
    values = {"errors.tolerance": "all", "errors.log.enable": True}
    DeadLetters(CONTEXT, Tolerance.of(values)).park([DeadLetter("t", 0, n, b"", b"secret", "broken") for n in (5, 6)])

    assert "t-0@5: broken" in caplog.text
    assert "t-0@6: broken" in caplog.text
    assert "secret" not in caplog.text


def test_origins_and_topic_patterns_are_made_fit_for_their_systems() -> None:
    assert origin_name("tỉnh 01/x", 2) == "dongbo_t_nh_01_x_2"
    assert pattern(r"a\.(?:b|c)\.\d+") == r"^(a\.(b|c)\.[0-9]+)$"
