"""Signals, the state that they change, and the window that keeps rows of a chunk behind the log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import PositionLost
from sync.source.postgresql.incremental.signal import Signal, apply
from sync.source.postgresql.incremental.state import Blocking, Collection, State, of_offset, without
from sync.source.postgresql.incremental.window import Recent, Window
from sync.source.postgresql.snapshot.progress import View

TABLES = ["public.can_bo", "public.don_vi", "khac.can_bo"]


def signal(kind: str, **data: Any) -> Signal:
    return Signal.read("1", kind, json.dumps({name.replace("_", "-"): value for name, value in data.items()}))


def record(key: int, version: int = 0, schema: int = 7) -> tuple[bytes, bytes]:
    return bytes([0, 0, 0, 0, schema]) + b"%d" % key, b"%d" % version


def test_tables_are_named_by_regular_expressions_that_match_whole_and_conditions_too() -> None:
    state = State()
    conditions = [{"data-collection": r".*\.can_bo", "filter": "id > 5"}]
    asked = signal(
        "execute-snapshot", data_collections=[r"PUBLIC\..*"], additional_conditions=conditions, surrogate_key="ma"
    )
    apply(state, asked, TABLES)
    assert state.queue == [
        Collection("public.can_bo", "1", "id > 5", "ma"),
        Collection("public.don_vi", "1", None, "ma"),
    ]
    apply(state, signal("stop-snapshot", data_collections=["public.don_vi"], type="incremental"), TABLES)
    assert state.tables == ["public.can_bo"]
    apply(state, signal("pause-snapshot"), TABLES)
    assert State.decode(json.loads(json.dumps(state.encode()))) == state
    apply(state, signal("stop-snapshot"), TABLES)
    apply(state, signal("resume-snapshot"), TABLES)
    assert state.encode() == {}


def test_a_blocking_snapshot_waits_apart_with_whole_statements_until_it_is_done() -> None:
    state = State(offset=3)
    conditions = [{"data-collection": r".*\.can_bo", "filter": "select * from public.can_bo where id > 5"}]
    names = [r"public\..*"]
    apply(state, signal("execute-snapshot", data_collections=names, type="BLOCKING"), TABLES)
    apply(
        state,
        signal("execute-snapshot", data_collections=names, type="blocking", additional_conditions=conditions),
        TABLES,
    )
    assert not state.queue
    first, second = state.blocking
    assert first == Blocking("1", ["public.can_bo", "public.don_vi"], {})
    assert second.statements == {"public.can_bo": "select * from public.can_bo where id > 5"}
    extra = {"held": 1, "incremental": json.loads(json.dumps(state.encode()))}
    assert of_offset(extra) == state
    rest = without(extra, first)
    assert of_offset(rest).blocking == [second]
    assert without(rest, second) == {"held": 1, "incremental": {"offset": 3}}


def test_a_state_that_is_none_is_a_lost_position() -> None:
    with pytest.raises(PositionLost, match="incremental"):
        of_offset({"incremental": {"queue": [{"khac": 1}]}})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("execute-snapshot", {}),
        ("execute-snapshot", {"data-collections": []}),
        ("execute-snapshot", {"data-collections": ["public.can"]}),
        ("execute-snapshot", {"data-collections": ["("]}),
        ("execute-snapshot", {"data-collections": "public.can_bo"}),
        ("execute-snapshot", {"data-collections": ["public.can_bo"], "type": "thorough"}),
        ("execute-snapshot", {"data-collections": ["public.can_bo"], "additional-conditions": ["id > 1"]}),
        ("drop-database", {}),
    ],
)
def test_a_signal_that_cannot_be_followed_changes_nothing(kind: str, data: dict[str, Any]) -> None:
    state = State()
    with pytest.raises(ValueError):
        apply(state, Signal.read("1", kind, data), TABLES)
    assert state == State()


@pytest.mark.parametrize("data", ["[1]", "{", "3"])
def test_data_that_is_no_object_is_no_signal(data: str) -> None:
    with pytest.raises(ValueError):
        Signal.read("1", "log", data)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=40),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 6),
)
def test_what_a_chunk_adds_never_goes_back_behind_the_log(
    changes: list[tuple[int, int]], opened: int, lag: int, hidden: int
) -> None:
    """A log of versions by key; commits are told ``hidden`` transactions before a snapshot shows them."""
    opened = min(opened, len(changes))
    # The snapshot is taken after the window opened, and shows all but the last few that the log may tell.
    written = min(opened + lag, len(changes))
    shown = max(written - hidden, 0)
    window, recent = Window("t"), Recent()
    topic: dict[bytes, int] = {}
    for number, (key, _) in enumerate(changes):
        told = record(key, number, schema=number % 2)
        recent.note([number + 10], False, {"t": [told]})
        if number >= opened:
            window.touch([told])
        if number < written:
            topic[told[0][5:]] = number
    snapshot = {key: number for number, (key, _) in enumerate(changes[:shown])}
    view = View(10, shown + 10, frozenset(), 0)
    window.touch(recent.hidden(view, "t"))
    for key, value in window.rows([record(key, version) for key, version in snapshot.items()]):
        assert key is not None
        assert value is not None
        assert topic[key[5:]] == int(value)


def test_a_truncate_within_the_window_leaves_no_row() -> None:
    window = Window("t")
    assert window.rows([record(1)]) == [record(1)]
    window.touch([(None, b"t")])
    assert window.rows([record(1)]) == []


def test_a_transaction_over_several_rounds_is_hidden_with_all_of_its_changes() -> None:
    recent = Recent()
    recent.note([5], True, {})
    recent.note([], True, {"t": [record(1)]})
    recent.note([6], False, {"t": [record(2)]})
    recent.note([7], False, {"t": [record(3)], "u": [record(4)]})
    assert recent.hidden(View(5, 8, frozenset({5}), 0), "t") == [record(1), record(2)]
    assert recent.hidden(View(8, 8, frozenset(), 0), "t") == []
