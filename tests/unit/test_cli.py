"""The command line mounts every part, and loads only what is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from sync.cli import PARTS, app

HEAVY = ("polars", "faust", "sqlglot", "confluent_kafka")


@pytest.mark.parametrize("name", PARTS)
def test_each_command_tells_what_it_is(name: str) -> None:
    told = CliRunner().invoke(app, [name, "--help"])
    assert told.exit_code == 0
    assert f"dongbo {name}" in told.output


def test_an_unknown_command_is_refused() -> None:
    told = CliRunner().invoke(app, ["conector"])
    assert told.exit_code == 2
    assert "No such command 'conector'" in told.output


def test_asking_a_worker_loads_no_processors() -> None:
    script = f"""
import sys
from typer.testing import CliRunner
from sync.cli import app
assert CliRunner().invoke(app, ["connector", "list", "--url", "http://127.0.0.1:1"]).exit_code == 1
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
