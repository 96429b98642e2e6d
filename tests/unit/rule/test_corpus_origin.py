"""The corpus's labels may not come from what they judge."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TYPES = "sync.rule.model"
"""What a corpus shares with cleaning: the shapes of input and output."""
MAKERS = [
    *(path for path in sorted((ROOT / "tests" / "corpus").glob("*.py"))),
    *(ROOT / "sync" / "demo" / f"{name}.py" for name in ("error", "layout", "names", "person", "world")),
]


def imported(path: Path) -> set[str]:
    """The modules that a file imports."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MAKERS, ids=lambda path: path.stem)
def test_no_maker_of_the_corpus_uses_the_rules(path: Path) -> None:
    used = {name for name in imported(path) if name == "sync.rule" or name.startswith("sync.rule.")}
    assert {name for name in used if not name.startswith(TYPES)} == set()
