"""Java's regular expressions and their replacements as Python's, and validators of keys that hold such."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def not_empty(name: str, value: Any) -> str | None:
    """Accept what isn't empty (``config.Validator``)."""
    if value is None or value == "":
        return f"Invalid value {value} for configuration {name}: String must be non-empty"
    return None if value else f"Invalid value {value} for configuration {name}: Empty list"


def valid(name: str, value: Any) -> str | None:
    """Accept a regular expression (``config.Validator``)."""
    try:
        compiled(str(value))
    except re.error as error:
        return f"Invalid value {value} for configuration {name}: Invalid regex: {error.msg}"
    return not_empty(name, value)


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression as Java writes it: named groups are ``(?<name>…)``. Raises re.error."""
    return re.compile(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", pattern))


def replaced(pattern: re.Pattern[str], replacement: str) -> Callable[[str], str | None]:
    """A function: the whole text matches, then the replacement (``$1``, ``${name}``, ``\\$``), otherwise None."""
    parts = _parts(pattern, replacement)

    def replace(text: str) -> str | None:
        match = pattern.fullmatch(text)
        if match is None:
            return None
        # As Java's replaceFirst: a match that is shorter than the whole leaves the rest in place.
        first = pattern.search(text) or match
        made = "".join(part if isinstance(part, str) else first[part[0]] or "" for part in parts)
        return text[: first.start()] + made + text[first.end() :]

    return replace


def _parts(pattern: re.Pattern[str], replacement: str) -> list[str | tuple[int]]:
    parts: list[str | tuple[int]] = []
    for match in re.finditer(r"\\(.)|\$\{(\w+)\}|\$(\d+)|([^\\$]+)", replacement, re.DOTALL):
        escaped, name, digits, literal = match.groups()
        if name is not None:
            parts.append((pattern.groupindex[name],))
        elif digits is not None:
            # Java takes as many digits as still name a group.
            end = next((n for n in range(len(digits), 0, -1) if int(digits[:n]) <= pattern.groups), 1)
            parts += [(int(digits[:end]),), digits[end:]]
        else:
            parts.append(literal if escaped is None else escaped)
    return parts
