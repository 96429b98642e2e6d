"""``scores.yaml`` of a dataset, where there is one: how much its rules and criteria weigh in the quality score.

Called by ``sync.schema.dataset``; what the weights do: ``sync.rule.score``, docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from sync.rule.score import CRITERIA
from sync.schema.document import Node, read

FILE = "scores.yaml"


def weights(root: Path, dataset: str, rules: Collection[str]) -> Mapping[str, float]:
    """Weights by rule and criterion, those that are not 1; ConfigError at the first mistake.

    ``rules``: the ids that the dataset's rows are measured by.
    """
    if not (root / dataset / FILE).exists():
        return {}
    node = read(root, f"{dataset}/{FILE}").mapping(allowed=("criteria", "rules"))
    found: dict[str, float] = {}
    for key, known in (("criteria", CRITERIA), ("rules", sorted(rules))):
        part = node.get(key)
        for name, entry in () if part.absent else part.entries():
            if name not in known:
                entry.fail(f"{name} is none of the dataset's {key}.", f"Use one of {', '.join(known)}.")
            found[name] = _weight(entry)
    return found


def _weight(node: Node) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float) or not 0 <= node.value < float("inf"):
        node.fail("is no weight.", "Write a number from 0 (does not count) up; 1 is what stands for the others.")
    return float(node.value)
