"""The commands ``dongbo dev …`` where there is no stack."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from sync.embedded.command import app

RUN = CliRunner()


def test_status_of_no_stack_is_down_with_exit_code_1(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["status", "--data-dir", str(tmp_path / "none"), "--json"])
    assert done.exit_code == 1
    assert [(part["name"], part["running"]) for part in json.loads(done.stdout)] == [
        ("kafka", False),
        ("postgres", False),
        ("registry", False),
    ]
    assert "down" in RUN.invoke(app, ["status", "--data-dir", str(tmp_path)]).stdout


def test_down_and_reset_of_no_stack_are_fine_and_reset_asks_first(tmp_path: Path) -> None:
    data_dir = ["--data-dir", str(tmp_path / "none")]
    assert RUN.invoke(app, ["down", *data_dir]).exit_code == 0
    assert RUN.invoke(app, ["reset", *data_dir], input="n\n").exit_code == 1
    assert RUN.invoke(app, ["reset", *data_dir, "--yes"]).exit_code == 0
    assert not (tmp_path / "none").exists()


def test_an_error_is_told_in_one_line_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text("{", encoding="utf-8")
    done = RUN.invoke(app, ["up", "--data-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "Remedy: dongbo dev reset" in done.stderr
    assert "Traceback" not in done.stderr
