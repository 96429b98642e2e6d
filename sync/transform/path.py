"""Paths of fields (Kafka Connect's ``field.syntax.version``, KIP-821)."""

from __future__ import annotations

import re

_STEP = re.compile(r"`((?:[^`]|`(?!\.|$))*)`(?:\.|$)|([^.]*)(?:\.|$)")


def parsed(path: str, version: str) -> tuple[str, ...]:
    """The names along a path: the text itself in V1, split at dots that no backticks enclose in V2."""
    if version.upper() != "V2" or not path:
        return (path,)
    steps, at = [], 0
    while at < len(path):
        match = _STEP.match(path, at)
        assert match is not None
        steps.append(match[2] if match[1] is None else match[1].replace("\\`", "`"))
        at = match.end()
    return tuple(steps)
