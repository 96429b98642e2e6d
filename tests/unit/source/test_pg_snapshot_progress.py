"""What is finished and what is left are always all of a table; a view holds what PostgreSQL would show."""

from __future__ import annotations

import json
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.schema import datum
from sync.source.postgresql.snapshot.progress import Progress, Range, TableProgress, View
from sync.source.postgresql.snapshot.seen import integer

BOUNDS = st.lists(st.integers(-50, 50), min_size=1, max_size=8, unique=True).map(sorted)


def ranges(bounds: list[int]) -> list[Range]:
    edges = [None, *bounds, None]
    return [Range(low, high) for low, high in pairwise(edges)]


@given(BOUNDS, st.data())
def test_every_key_is_in_one_finished_part_or_in_one_that_is_left(bounds: list[int], data: st.DataObject) -> None:
    all_ranges = ranges(bounds)
    done = data.draw(st.lists(st.sampled_from(all_ranges), unique=True))
    views = {part: data.draw(st.integers(0, 2)) for part in done}
    table = TableProgress("id")
    for part in done:
        table.add(part, views[part])
    left = table.left()
    for key in range(-60, 61):
        covered = [view for part, view in table.parts if key in part]
        expected = [views[part] for part in done if key in part]
        assert covered == expected
        assert sum(key in part for part in left) == 1 - len(expected)
        assert table.view(key) == (expected[0] if expected else 0)
    assert table.finished == (len(done) == len(all_ranges))
    assert len(table.parts) <= len(done)


@given(BOUNDS, st.randoms(use_true_random=False))
def test_parts_of_one_view_join_to_one(bounds: list[int], random: object) -> None:
    parts = ranges(bounds)
    random.shuffle(parts)  # type: ignore[attr-defined]
    table = TableProgress("id")
    for part in parts:
        table.add(part, 0)
    assert table.parts == [(Range(None, None), 0)]


@given(BOUNDS, st.integers(0, 2))
def test_what_is_stored_is_read_back(bounds: list[int], view: int) -> None:
    progress = Progress()
    progress.resume(View.parse("5:9:7,8", 100))
    progress.resume(View.parse("10:10:", 200))
    table = progress.table("public.t")
    table.key = "id"
    table.add(ranges(bounds)[0], view)
    table.begun = True
    progress.table("public.u").whole = 0
    progress.table("public.v").begun = True
    again = Progress.decode(json.loads(json.dumps(progress.encode())))
    assert again.views == progress.views
    assert again.tables == progress.tables
    assert again.end == 200


@pytest.mark.parametrize(
    ("xid", "held"), [(4, True), (5, False), (6, True), (8, False), (9, True), (10, False), (2**31 + 20, True)]
)
def test_a_view_holds_what_was_committed_when_it_was_taken(xid: int, held: bool) -> None:
    assert View.parse("5:10:5,8", 0).holds(xid) is held


def test_a_view_after_the_transaction_counters_wrap_holds_what_came_before() -> None:
    base = 3 << 32
    view = View.parse(f"{base + 2}:{base + 10}:{base + 2}", 0)
    assert view.holds(2**32 - 5)
    assert not view.holds(2)
    assert view.holds(3)
    assert not view.holds(10)


def test_only_later_views_hold_changes_that_the_log_repeats() -> None:
    progress = Progress()
    table = progress.table("public.t")
    table.key = "id"
    table.add(Range(None, 10), 0)
    table.add(Range(10, None), progress.resume(View.parse("100:100:", 7)))
    held = progress.held()
    assert not held.holds("public.t", 10, 50)
    assert held.holds("public.t", 11, 50)
    assert not held.holds("public.t", 11, 100)
    assert not held.holds("public.u", 11, 50)
    assert Progress().held().tables == {}


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_keys_integer_is_read_from_its_wire_form(number: int) -> None:
    assert integer(struct.pack(">bI", 0, 7) + datum.zigzag(number)) == number
