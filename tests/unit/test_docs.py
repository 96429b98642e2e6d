"""The reference pages say what the code declares, and the README names files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import PAGES
from tests.differential.known import KNOWN, REFUSED
from tests.differential.rest.difference import DIFFERENCES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_what_the_declarations_say(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md"])
def test_a_page_names_files_that_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    named = re.findall(r"`((?:sync|schemas|tests|docs|bench|monitoring|connectors)/[\w./-]+)`", text)
    missing = [name for name in links + named if not (ROOT / name).exists()]
    assert missing == []


def test_the_page_on_debezium_tells_each_known_difference() -> None:
    text = (ROOT / "docs" / "debezium.md").read_text(encoding="utf-8")
    reasons = {known.reason for known in KNOWN if known.scenario != "types_.*"} | set(REFUSED.values())
    assert {reason for reason in reasons if reason not in text} == set()


def test_the_page_on_the_rest_api_has_the_differences_that_are_tested_and_no_other() -> None:
    text = (ROOT / "docs" / "connect-rest.md").read_text(encoding="utf-8")
    rows = text.partition("| what | why |\n|---|---|\n")[2].splitlines()
    assert rows == [f"| {difference.what} | {difference.reason} |" for difference in DIFFERENCES]


def test_alerts_use_metrics_that_exist() -> None:
    alerts = (ROOT / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"\bdongbo_\w+", alerts))
    known = set(re.findall(r"`(dongbo_\w+)`", PAGES["metrics.md"]()))
    assert used
    assert used <= known
