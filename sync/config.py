"""Typed configuration: each connector kind declares its keys once (Kafka Connect's ``ConfigDef``).

A value arrives as a string (Connect's JSON allows numbers and booleans too) and leaves typed. Unknown
keys are warnings, unsupported keys and bad values are errors; each names the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Type(Enum):
    """Types under Kafka Connect's names."""

    STRING = "STRING"
    INT = "INT"
    LONG = "LONG"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    PASSWORD = "PASSWORD"


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()

Validator = Callable[[str, Any], str | None]
"""``(key, value) -> error message or None``."""


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key. ``default`` is typed; ``REQUIRED`` means that there is none."""

    name: str
    type: Type
    doc: str
    default: Any = REQUIRED
    importance: str = "MEDIUM"
    group: str = "Common"
    display: str = ""
    recommended: tuple[str, ...] = ()
    validator: Validator | None = None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Parsed:
    """The outcome of reading a configuration: typed values, errors by key, warnings."""

    values: dict[str, Any]
    errors: dict[str, list[str]]
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class ConfigDef:
    """The declared keys of one connector kind.

    ``unsupported`` maps a regular expression for keys of a peer that we do not support to the reason;
    such a key is an error, never silence. ``accepted`` are patterns passed on as they are
    (``producer.override.*``).
    """

    keys: tuple[Key, ...]
    unsupported: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()

    def __add__(self, other: ConfigDef) -> ConfigDef:
        return ConfigDef(
            self.keys + other.keys,
            {**self.unsupported, **other.unsupported},
            self.accepted + other.accepted,
        )

    def parse(self, raw: Mapping[str, Any]) -> Parsed:
        """Read ``raw``; never raises for a bad value, it reports."""
        values: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for key in self.keys:
            value, problem = _value(key, raw.get(key.name))
            values[key.name] = value
            if problem:
                errors.setdefault(key.name, []).append(problem)
        known = {key.name for key in self.keys}
        warnings = []
        for name, given in raw.items():
            if name in known:
                continue
            reason = next((r for p, r in self.unsupported.items() if re.fullmatch(p, name)), None)
            if reason is not None:
                errors.setdefault(name, []).append(f"Configuration {name} is not supported: {reason}")
            elif any(re.fullmatch(pattern, name) for pattern in self.accepted):
                values[name] = given
            else:
                warnings.append(f"The configuration '{name}' was supplied but isn't a known config.")
        return Parsed(values, errors, warnings)


def _value(key: Key, given: Any) -> tuple[Any, str | None]:
    if given is None or (given == "" and key.type is not Type.STRING):
        if key.required:
            return None, f'Missing required configuration "{key.name}" which has no default value.'
        return key.default, None
    try:
        value = convert(key.type, given)
    except ValueError:
        return None, f"Invalid value for configuration {key.name}: Not a {key.type.value.lower()}."
    if key.recommended and value not in key.recommended:
        allowed = ", ".join(key.recommended)
        return None, f"Invalid value {value} for configuration {key.name}: must be one of {allowed}."
    if key.validator is not None and (problem := key.validator(key.name, value)) is not None:
        return None, problem
    return value, None


def convert(kind: Type, given: Any) -> Any:
    """Convert a submitted value to its type; ValueError where it can't be."""
    if kind in (Type.STRING, Type.PASSWORD):
        return str(given)
    if kind is Type.BOOLEAN:
        text = str(given).strip().lower()
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    if kind is Type.LIST:
        items: Sequence[Any] = given if isinstance(given, list) else str(given).split(",")
        return [str(item).strip() for item in items if str(item).strip()]
    if isinstance(given, bool):
        raise ValueError("boolean")
    return int(str(given).strip())
