"""The ready registrations are right: every key known, every value readable, every mapping there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sync.connect.manifest import read_connectors, texts
from sync.connect.plugin import Plugins
from sync.connect.validation import typed
from sync.secret import resolve

ROOT = Path(__file__).parents[3]
FOLDERS = [ROOT / "connectors", *(path for path in sorted((ROOT / "connectors").iterdir()) if path.is_dir())]
READY = [pytest.param(one.name, one.config, id=one.name) for folder in FOLDERS for one in read_connectors(str(folder))]


@pytest.mark.parametrize(("name", "config"), READY)
def test_a_ready_registration_has_only_keys_that_are_known_and_right(
    name: str, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**texts(config), "name": name}
    for variable in re.findall(r"\$\{env:(\w+)\}", str(given)):
        monkeypatch.setenv(variable, "5432")

    parsed = typed(Plugins.discover().get(config["connector.class"]), resolve(given).config)

    assert parsed.errors == {}
    assert parsed.warnings == []
    for mapping in parsed.values.get("dongbo.mappings", ()):
        dataset = mapping.rpartition(":")[2]
        folder, _, file = dataset.partition("/")
        assert (ROOT / "schemas" / folder / "mapping" / f"{file}.yaml").is_file()


def test_each_group_has_a_ready_registration_that_the_readme_walks_through() -> None:
    text = (ROOT / "connectors" / "README.md").read_text(encoding="utf-8")

    for folder in FOLDERS[1:]:
        for file in folder.iterdir():
            assert f"`{folder.name}/{file.name}`" in text
