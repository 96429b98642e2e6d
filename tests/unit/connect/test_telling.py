"""What the commands print is there to be copied: no id, code or name in a table is cut."""

from __future__ import annotations

import pytest

from sync.connect.telling import cell, table

ROW = ("3a5de281d0aa", "NOT_IN_REGISTER_AND_LONGER", "public.can_bo/" + "1" * 120)


def test_a_line_of_a_table_that_goes_into_a_pipe_is_as_long_as_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id", "code", "row"), [ROW])

    (line,) = [line for line in capsys.readouterr().out.splitlines() if "3a5de281d0aa" in line]
    assert tuple(cell.strip() for cell in line.strip("│").split("│")) == ROW


def test_cells_go_on_in_the_next_line_of_a_narrow_terminal_and_the_first_column_stays_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "50")

    table(("id", "code", "row"), [ROW])

    printed = capsys.readouterr().out
    cells = [line.strip("│").split("│") for line in printed.splitlines() if line.startswith("│")]
    assert {len(line) for line in printed.splitlines() if line.startswith("│")} == {50}
    assert cells[0][0].strip() == ROW[0]
    assert tuple("".join(cell.strip() for cell in column) for column in zip(*cells, strict=True)) == ROW


def test_lists_and_objects_are_shown_in_one_line() -> None:
    assert cell({"full_name": "equal", "fields": ["a", "b"], "none": None}) == "full_name equal, fields a, b, none "
    assert (cell(None), cell(0.0), cell([])) == ("", "0.0", "")
