"""Secrets in connector configurations: placeholders are resolved late, clear values are masked in answers.

Called by the control plane when a configuration is checked or a task starts, and whenever a configuration
or an error text leaves the process. A placeholder is never resolved in an answer: it comes back as it was
submitted, so that a client which compares key for key (Terraform) sees no drift. Three of Kafka Connect's
providers are known: ``${env:NAME}``, ``${file:path:key}`` (a Java properties file) and ``${dir:path:file}`` (a
file's whole text, without a line's end at its end); a placeholder of another provider stays as it is, as in Connect.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sync import properties
from sync.errors import ConfigError

MASK = "********"

# Kafka Connect's own pattern (ConfigTransformer.DEFAULT_PATTERN): provider, optional path, key.
_PLACEHOLDER = re.compile(r"\$\{([^}:]*):(?:([^}]*):)?([^}:]*)\}")
_SECRET_KEY = re.compile(r"(?i)password|passwd|secret|token|credential|jaas|api[._-]?key|private[._-]?key")
_IN_URL = (
    re.compile(r"(?i)(?<=[?&;])((?:\w*password|\w*secret|token)=)([^&;\s]+)"),
    re.compile(r"(://[^/@:\s]+:)([^/@\s]+)(?=@)"),
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A configuration ready to use. ``hidden`` maps each value that must not be shown to what stands for it."""

    config: dict[str, str]
    hidden: Mapping[str, str] = field(default_factory=dict)

    def scrub(self, text: str) -> str:
        """Return ``text`` with every hidden value replaced: by its placeholder, or by the mask."""
        for value in sorted(self.hidden, key=len, reverse=True):
            text = re.sub(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", partial(_constant, self.hidden[value]), text)
        return text


def resolve(
    config: Mapping[str, str], secret_keys: Collection[str] = (), *, environ: Mapping[str, str] | None = None
) -> Resolved:
    """Replace the placeholders of ``config``; ConfigError (with the key) for a missing variable, file or entry."""
    variables = os.environ if environ is None else environ
    hidden: dict[str, str] = {}
    values: dict[str, str] = {}
    for key, given in config.items():
        values[key] = _PLACEHOLDER.sub(_replacer(key, is_secret(key, secret_keys), variables, hidden), given)
        for secret in _clear_parts(key, given, secret_keys):
            hidden[secret] = MASK
    return Resolved(values, hidden)


def mask(config: Mapping[str, str], secret_keys: Collection[str] = ()) -> dict[str, str]:
    """Return ``config`` as it may be shown: placeholders as they are, clear secrets as ``********``.

    ``secret_keys`` are the keys declared as passwords; other keys are judged by their name, and passwords
    inside URLs are masked in place.
    """
    return {key: _masked(key, value, secret_keys) for key, value in config.items()}


def unmask(
    submitted: Mapping[str, str], stored: Mapping[str, str], secret_keys: Collection[str] = ()
) -> dict[str, str]:
    """Undo ``mask`` for a client that reads a configuration, edits it and writes it back whole."""
    shown = mask(stored, secret_keys)
    return {key: stored[key] if key in stored and value == shown[key] else value for key, value in submitted.items()}


def is_secret(key: str, secret_keys: Collection[str] = ()) -> bool:
    """Whether the value of ``key`` as a whole is a secret."""
    return key in secret_keys or _SECRET_KEY.search(key) is not None


def _constant(text: str, _: re.Match[str]) -> str:
    # A replacement string would be searched for group references; a function's result is taken as it is.
    return text


def _masked(key: str, value: str, secret_keys: Collection[str]) -> str:
    if is_secret(key, secret_keys):
        only_placeholders = value == "" or _PLACEHOLDER.sub("", value) == ""
        return value if only_placeholders else MASK
    for pattern in _IN_URL:
        value = pattern.sub(_mask_part, value)
    return value


def _mask_part(match: re.Match[str]) -> str:
    return match[0] if _PLACEHOLDER.fullmatch(match[2]) else match[1] + MASK


def _clear_parts(key: str, value: str, secret_keys: Collection[str]) -> list[str]:
    if is_secret(key, secret_keys):
        return [value] if value and not _PLACEHOLDER.fullmatch(value) else []
    found = (match[2] for pattern in _IN_URL for match in pattern.finditer(value))
    return [part for part in found if not _PLACEHOLDER.fullmatch(part)]


def _replacer(
    key: str, secret: bool, variables: Mapping[str, str], hidden: dict[str, str]
) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        provider, path, name = match[1], match[2] or "", match[3]
        if provider == "env":
            value = _variable(key, name, variables)
        elif provider == "file":
            value = _entry(key, Path(path), name)
        elif provider == "dir":
            value = _file(key, Path(path), name)
        else:
            return match[0]
        # A one-letter value would make any text unreadable; nothing worth hiding is that short.
        if len(value) > 1:
            hidden[value] = MASK if secret else match[0]
        return value

    return replace


def _variable(key: str, name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        raise ConfigError(
            f"Configuration {key} refers to the environment variable {name}, which the worker does not have.",
            field=key,
            hint=f"set {name} in the worker's environment and restart it, or correct the placeholder",
        )
    return variables[name]


def _file(key: str, directory: Path, name: str) -> str:
    if name in (".", "..") or "/" in name:
        raise ConfigError(
            f"Configuration {key} refers to {name} in {directory}, which is not the name of a file there.",
            field=key,
            hint="name a file of that directory: ${dir:/run/secrets:password}",
        )
    return _text(key, directory / name).removesuffix("\n").removesuffix("\r")


def _text(key: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"Configuration {key} refers to the file {path}, which cannot be read ({type(error).__name__}).",
            field=key,
            hint="make the file readable for the worker's user, or correct the placeholder",
        ) from error


def _entry(key: str, path: Path, name: str) -> str:
    try:
        entries = properties.parse(_text(key, path))
    except ValueError as error:
        # Not the text, which may hold other secrets.
        raise ConfigError(
            f"Configuration {key} refers to the file {path}, which is no properties file: {error}.",
            field=key,
            hint="correct the file: a backslash in a value is written twice",
        ) from error
    if name in entries:
        return entries[name]
    raise ConfigError(
        f"Configuration {key} refers to the entry {name} of the file {path}, which has no such entry.",
        field=key,
        hint="add the line NAME=VALUE to the file, or correct the placeholder",
    )
