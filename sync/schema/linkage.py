"""Reads ``schemas/<register>/match.yaml``: the weights by which candidates of a register are scored."""

from __future__ import annotations

import math
from pathlib import Path

from sync.rule.linkage import LEVELS, Weights
from sync.schema.document import Node, read

_KEYS = ("least", "same", "fields")


def weights(root: Path, register: str) -> Weights:
    """The weights of a register. Raises ConfigError naming file, place and remedy at the first mistake."""
    node = read(root, f"{register}/match.yaml").mapping(allowed=_KEYS, needed=_KEYS)
    least, same = (_bits(node.get(key), example) for key, example in (("least", 6), ("same", 30)))
    fields = node.get("fields").mapping(allowed=LEVELS, needed=tuple(LEVELS))
    m = {field: _shares(fields.get(field), field, "m") for field in LEVELS}
    u = {field: _shares(fields.get(field), field, "u") for field in LEVELS}
    return Weights(m, u, least, same)


def _bits(node: Node, example: int) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        node.fail("is no number.", f"Write a score in bits, such as {example}.")
    return float(node.value)


def _shares(node: Node, field: str, kind: str) -> tuple[float, ...]:
    levels = LEVELS[field]
    node.mapping(allowed=levels, needed=levels)
    found = tuple(_share(node.get(level).mapping(allowed=("m", "u"), needed=("m", "u")).get(kind)) for level in levels)
    if not math.isclose(sum(found), 1.0, abs_tol=1e-6):
        node.fail(f"the {kind} of {field} add up to {sum(found):.6f}.", f"Let {kind} of its levels add up to 1.")
    return found


def _share(node: Node) -> float:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        node.fail("is no share.", "Write a number above 0 and up to 1.")
    return float(value)
