"""Validators (``config.Validator``) of keys that every source kind may declare."""

from __future__ import annotations

import re
from typing import Any

from sync.config import Validator


def at_least(least: int) -> Validator:
    """Accept numbers that are at least ``least``."""

    def validate(name: str, value: Any) -> str | None:
        return f"Invalid value {value} for configuration {name}: must be at least {least}." if value < least else None

    return validate


def patterns(name: str, value: Any) -> str | None:
    """Accept a list of regular expressions."""
    for item in value:
        try:
            re.compile(item)
        except re.error as error:
            return f"Invalid value for configuration {name}: not a list of regular expressions ({error.msg})."
    return None
