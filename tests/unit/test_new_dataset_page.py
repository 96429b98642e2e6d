"""docs/new-dataset.md: a dataset made of what the page shows, and of nothing else, is right."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.unit.test_dataset_command import NEW, run

PAGE = Path(__file__).parents[2] / "docs" / "new-dataset.md"
FILES = {
    "Columns": "mapping/garage.yaml",
    "Cleaning and rules": "rules.yaml",
    "Merging": "policy.yaml",
    "Examples": "examples/records.yaml",
}
DATE = {"type": "int", "logicalType": "date"}


def shown() -> dict[str, str]:
    """The first YAML or JSON of each section, by the section's first words."""
    sections = re.findall(r"^## ([^:\n]+)[^\n]*\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    blocks = {name: re.search(r"```(?:yaml|json)\n(.*?)```", text, re.S) for name, text in sections}
    return {name: block[1] for name, block in blocks.items() if block is not None}


def like(field: dict[str, Any], name: str, kind: Any, written: str, **more: Any) -> dict[str, Any]:
    return {**field, "name": name, "type": kind, "dongbo.type": written, **more}


def test_a_dataset_made_of_what_the_page_shows_is_right(schemas: Path) -> None:
    blocks = shown()
    assert blocks.keys() == {*FILES, "Fields"}
    assert run(*NEW)[0] == 0
    folder = schemas / "vehicle"
    for section, file in FILES.items():
        (folder / file).write_text(blocks[section], encoding="utf-8")
    written = json.loads((folder / "v1.avsc").read_text(encoding="utf-8"))
    made = {field["name"]: field for field in written["fields"]}
    seats = json.loads(blocks["Fields"])
    codes = {"XE_CON": "xe con — car", "XE_TAI": "xe tải — lorry"}
    written["fields"] = [
        made["plate_no"],
        like(seats, "kind", ["null", "string"], "enum", **{"dongbo.required": True, "dongbo.values": codes}),
        seats,
        like(seats, "bought_on", ["null", DATE], "date"),
        like(seats, "owner_code", ["null", "string"], "text(35)"),
        like(seats, "held_since", ["null", DATE], "date"),
        made["source_updated_at"],
    ]
    (folder / "v1.avsc").write_text(json.dumps(written), encoding="utf-8")
    assert run("dataset", "check", "vehicle") == (0, "vehicle: right\n")
