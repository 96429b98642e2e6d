"""Typed configuration: each connector kind declares its keys once (Kafka Connect's ``ConfigDef``).

A value arrives as a string (Connect's JSON allows numbers and booleans too) and leaves typed. Texts of errors are those
of Kafka's ``ConfigDef``. Unknown keys are warnings, unsupported keys and bad values are errors, keys that change
nothing here are notes; each names the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any


class Type(Enum):
    """Types under Kafka Connect's names."""

    STRING = "STRING"
    SHORT = "SHORT"
    INT = "INT"
    LONG = "LONG"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    PASSWORD = "PASSWORD"
    CLASS = "CLASS"


_BITS = {Type.SHORT: 16, Type.INT: 32, Type.LONG: 64}


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()

Validator = Callable[[str, Any], str | None]
"""``(key, value) -> error message or None``."""


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key. ``default`` is typed; ``REQUIRED`` means that there is none.

    ``differs`` says how the key's meaning or default is not that of the peer that it is named after. ``width`` is how
    wide a form's field should be: SHORT, MEDIUM, LONG; by the type where it is empty.
    """

    name: str
    type: Type
    doc: str
    default: Any = REQUIRED
    importance: str = "MEDIUM"
    group: str = "Common"
    display: str = ""
    recommended: tuple[str, ...] = ()
    validator: Validator | None = None
    differs: str = ""
    width: str = ""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Parsed:
    """The outcome of reading a configuration: typed values, errors by key, warnings (unknown keys), notes.

    With errors the values are of no use but to be shown.
    """

    values: dict[str, Any]
    errors: dict[str, list[str]]
    warnings: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ConfigDef:
    """The declared keys of one connector kind.

    ``families`` are keys whose ``name`` is a regular expression (``column.mask.with.<n>.chars``); their values arrive
    under the names given. ``unsupported`` maps a regular expression for keys of a peer that we do not support to the
    reason; such a key is an error, never silence. ``accepted`` maps one for keys that are passed on as they are
    (``producer.override.*``) to what becomes of them. A name is looked up in this order.
    """

    keys: tuple[Key, ...]
    unsupported: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(default_factory=dict)
    families: tuple[Key, ...] = ()

    def __add__(self, other: ConfigDef) -> ConfigDef:
        return ConfigDef(
            self.keys + other.keys,
            {**self.unsupported, **other.unsupported},
            {**self.accepted, **other.accepted},
            self.families + other.families,
        )

    def family(self, name: str) -> Key | None:
        """Return the family that ``name`` belongs to."""
        return next((family for family in self.families if re.fullmatch(family.name, name)), None)

    def parse(self, raw: Mapping[str, Any]) -> Parsed:
        """Read ``raw``; never raises for a bad value, it reports."""
        parsed = Parsed({}, {}, [])
        for key in self.keys:
            _read(key, raw.get(key.name), parsed)
        known = {key.name for key in self.keys}
        for name, given in raw.items():
            if name not in known:
                self._further(name, given, parsed)
        return parsed

    def _further(self, name: str, given: Any, parsed: Parsed) -> None:
        """Read a key that isn't declared by its name."""
        family = self.family(name)
        if family is not None:
            _read(replace(family, name=name), given, parsed)
        elif (reason := _matching(self.unsupported, name)) is not None:
            parsed.errors.setdefault(name, []).append(f"Configuration {name} is not supported: {reason}")
        elif (note := _matching(self.accepted, name)) is not None:
            parsed.values[name] = given
            parsed.notes.append(f"The configuration '{name}' was accepted: {note}")
        else:
            parsed.warnings.append(f"The configuration '{name}' was supplied but isn't a known config.")


def _matching(patterns: Mapping[str, str], name: str) -> str | None:
    return next((text for pattern, text in patterns.items() if re.fullmatch(pattern, name)), None)


def _read(key: Key, given: Any, parsed: Parsed) -> None:
    value, problem = _value(key, given)
    parsed.values[key.name] = value
    if problem:
        parsed.errors.setdefault(key.name, []).append(problem)


def _value(key: Key, given: Any) -> tuple[Any, str | None]:
    if given is None or (given == "" and key.type is not Type.STRING):
        if key.required:
            return None, f'Missing required configuration "{key.name}" which has no default value.'
        return key.default, None
    try:
        value = convert(key.type, given)
    except ValueError:
        wanted = (
            f"Not a number of type {key.type.value}"
            if key.type in _BITS
            else "Expected value to be either true or false"
        )
        return None, f"Invalid value {given} for configuration {key.name}: {wanted}"
    if key.recommended and value not in key.recommended:
        allowed = ", ".join(key.recommended)
        return value, f"Invalid value {value} for configuration {key.name}: String must be one of: {allowed}"
    if key.validator is not None and (problem := key.validator(key.name, value)) is not None:
        return value, problem
    return value, None


def convert(kind: Type, given: Any) -> Any:
    """Convert a submitted value to its type; ValueError where it can't be."""
    if kind in (Type.STRING, Type.PASSWORD, Type.CLASS):
        return str(given)
    if kind is Type.BOOLEAN:
        text = str(given).strip().lower()
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    if kind is Type.LIST:
        # A comma that belongs to an item (a{1,3} in a regular expression) has a backslash before it.
        items: Sequence[Any] = given if isinstance(given, list) else re.split(r"(?<!\\),", str(given))
        return [str(item).replace("\\,", ",").strip() for item in items if str(item).strip()]
    if isinstance(given, bool):
        raise ValueError("boolean")
    text = str(given).strip()
    # Java's parsers know no underscores between digits, and no more than a type's bits.
    if "_" in text or not -(1 << (_BITS[kind] - 1)) <= int(text) < 1 << (_BITS[kind] - 1):
        raise ValueError(text)
    return int(text)
