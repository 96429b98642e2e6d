"""The stories: known shares of damages, changes that fit, expectations that follow."""

from __future__ import annotations

from collections import Counter

from sync.demo import script
from sync.demo.error import CLASSES, TURN, class_of
from sync.demo.site import returned
from sync.demo.story import RETURN_TABLE, Stage
from sync.demo.turn import TURNS
from sync.demo.world import World


def test_the_shares_of_errors_are_exact_in_any_run_of_two_hundred(there: World) -> None:
    for start in (0, 137, 5000):
        found = Counter(kind.name for index in range(start, start + TURN) if (kind := class_of(there, index)))
        assert found == {kind.name: kind.share for kind in CLASSES}


def test_every_error_class_and_every_kind_of_change_occurs(stage: Stage) -> None:
    stories = [script.story(stage, index) for index in stage.numbers()]
    assert {story.error for story in stories} >= {kind.name for kind in CLASSES}
    assert {story.live for story in stories} >= {name for name, _ in TURNS} | {"correct", "insert"}


def test_a_story_is_the_same_each_time_it_is_told(stage: Stage) -> None:
    for index in list(stage.changing())[:60]:
        assert script.story(stage, index) == script.story(stage, index)


def test_a_damaged_row_ends_as_its_class_says(stage: Stage) -> None:
    ends = {kind.name: kind.outcome for kind in CLASSES}
    for index in range(stage.people):
        story = script.story(stage, index)
        verdicts = stage.expected(story, live=False).verdicts
        for row in story.rows:
            if row.error:
                assert verdicts[row.identity][0] == ends[row.error], row.error


def test_a_person_without_any_usable_row_has_no_golden_record(stage: Stage) -> None:
    missing = [script.story(stage, index) for index in range(stage.people)]
    for story in missing:
        expected = stage.expected(story, live=False)
        usable = [row for row in story.rows if expected.verdicts[row.identity][0].startswith("MATCH")]
        assert (expected.golden is None) == (not usable)


def test_a_transfer_takes_the_golden_record_to_the_other_province(stage: Stage) -> None:
    moved = 0
    for index in stage.changing():
        story = script.story(stage, index)
        if story.live in ("move_by_ministry", "move_by_locality"):
            before, after = stage.expected(story, live=False).golden, stage.expected(story).golden
            assert before is not None
            assert after is not None
            assert before.locality != after.locality
            moved += 1
    assert moved


def test_an_edit_of_a_foreign_field_in_a_return_table_changes_nothing(stage: Stage) -> None:
    edited = 0
    for index in stage.changing():
        story = script.story(stage, index)
        if story.live == "edit_foreign":
            assert stage.expected(story).golden == stage.expected(story, live=False).golden
            assert story.changes[0].row.table == RETURN_TABLE
            edited += 1
    assert edited


def test_an_edit_of_an_owned_field_in_a_return_table_reaches_the_centre(stage: Stage) -> None:
    for index in stage.changing():
        story = script.story(stage, index)
        if story.live == "edit_owned":
            golden = stage.expected(story).golden
            assert golden is not None
            assert golden.record["phone"] == story.changes[0].row.clean["phone"]


def test_a_broken_row_keeps_its_former_version_in_force(stage: Stage) -> None:
    for index in stage.changing():
        story = script.story(stage, index)
        if story.live == "broken":
            expected = stage.expected(story)
            assert expected.golden == stage.expected(story, live=False).golden
            assert expected.verdicts[story.changes[0].row.identity][0] == "REJECTED"


def test_a_person_who_left_is_nowhere(stage: Stage) -> None:
    for index in stage.changing():
        story = script.story(stage, index)
        if story.live == "delete":
            assert stage.expected(story).golden is None


def test_a_corrected_row_matches(stage: Stage) -> None:
    for index in stage.changing():
        story = script.story(stage, index)
        if story.live == "correct":
            expected = stage.expected(story)
            assert expected.golden is not None
            assert all(outcome.startswith("MATCH") for outcome, _ in expected.verdicts.values())


def test_only_the_live_phase_writes_return_tables(stage: Stage) -> None:
    assert not any(returned(row.table) for index in range(200) for row in script.story(stage, index).rows)
