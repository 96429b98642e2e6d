"""Checks a connector's configuration and reports in the shape of Kafka Connect's validate endpoint.

Called by the worker before a configuration is accepted and by the REST API's plugin pages. ``examine`` really
connects (the plugin's ``check``); its texts are scrubbed of every resolved secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.config import ConfigDef, Key, Parsed, Type, convert
from sync.connect.definition import declaration, secret_keys
from sync.connect.plugin import Plugins
from sync.connect.problem import BadRequest
from sync.errors import ConfigError, SyncError
from sync.ports import Plugin
from sync.secret import MASK, mask, resolve
from sync.transform.declaration import problems as transform_problems

Body = dict[str, Any]
_NARROW = (Type.SHORT, Type.INT, Type.LONG, Type.BOOLEAN)
GROUPS = ("Common", "Transforms", "Predicates", "Error Handling")


@dataclass(frozen=True, slots=True)
class Finding:
    """What an examination found: errors by key (scrubbed), warnings, notes, and the configuration it was about.

    ``nulls`` are keys that were submitted as null.
    """

    plugin: Plugin
    definition: ConfigDef
    config: Mapping[str, str]
    errors: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    nulls: frozenset[str] = frozenset()

    @property
    def error_count(self) -> int:
        return sum(len(messages) for messages in self.errors.values())

    def require_valid(self) -> None:
        """BadRequest with Connect's message if there are errors."""
        if not self.errors:
            return
        messages = "\n".join(message for found in self.errors.values() for message in found)
        raise BadRequest(
            f"Connector configuration is invalid and contains the following {self.error_count} error(s):\n{messages}\n"
            "You can also find the above list of errors at the endpoint "
            "`/connector-plugins/{connectorType}/config/validate`"
        )


def typed(plugin: Plugin, config: Mapping[str, str]) -> Parsed:
    """Read a resolved configuration by ``plugin``'s declaration; a sink's choice of topics is checked too."""
    parsed = declaration(plugin, config).parse(config)
    if not parsed.errors:
        parsed.errors.update(transform_problems(parsed.values))
    if plugin.kind == "sink":
        topics, pattern = parsed.values.get("topics"), parsed.values.get("topics.regex")
        message = ""
        if topics and pattern:
            message = "topics and topics.regex are mutually exclusive options, but both are set."
        elif not topics and not pattern and "topics.regex" not in parsed.errors and "topics" not in parsed.errors:
            message = "Must configure one of topics or topics.regex"
        for key in ("topics", "topics.regex") if message else ():
            parsed.errors.setdefault(key, []).append(message)
        for key, message in () if "topics.regex" in parsed.errors else _dead_letter_loop(parsed.values):
            parsed.errors.setdefault(key, []).append(message)
    return parsed


def _dead_letter_loop(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    letters, topics = values.get("errors.deadletterqueue.topic.name"), values.get("topics") or []
    pattern = values.get("topics.regex")
    told, consumed = f"The DLQ topic '{letters}' may not be", "consumed by the connector"
    if letters and letters in topics:
        return [("topics", f"{told} included in the list of topics ('topics=[{', '.join(topics)}]') {consumed}")]
    if letters and pattern and re.fullmatch(pattern, letters):
        return [("topics.regex", f"{told} matched by the regex for the topics ('topics.regex={pattern}') {consumed}")]
    return []


def require_type(plugins: Plugins, name: str, config: Mapping[str, str | None]) -> Plugin:
    """The plugin that the path of a validation names; BadRequest unless the configuration is for it."""
    included = config.get("connector.class")
    if included is None:
        raise no_type(config)
    plugin = plugins.find(included)
    if plugin is not None and plugins.is_called(plugin, name):
        return plugin
    if included != name:
        raise BadRequest(f"Included connector type {included} does not match request type {name}")
    return plugins.get(name)


def no_type(config: Mapping[str, str | None]) -> BadRequest:
    """The refusal of a configuration that names no connector class; passwords masked."""
    shown = {**config, **mask(_present(config))}
    told = ", ".join(f"{key}={'null' if value is None else value}" for key, value in shown.items())
    return BadRequest(f"Connector config {{{told}}} contains no connector type")


def _present(config: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in config.items() if value is not None}


def examine(plugin: Plugin, config: Mapping[str, str | None], *, connect: bool = True) -> Finding:
    """Check ``config`` for ``plugin``; with ``connect`` also against the live system, once the keys are right.

    Never raises for a wrong configuration: it reports. Blocks for as long as the plugin's check does.
    """
    given = _present(config)
    definition = declaration(plugin, given)
    nulls = config.keys() - given.keys()
    errors = {key: ["Null value can not be supplied as the configuration value."] for key in config if key in nulls}
    for key, value in given.items():
        if MASK in value:
            errors[key] = [f"Configuration {key} holds a masked value: submit the secret itself or a placeholder."]
    try:
        resolved = resolve(given, secret_keys(definition))
    except ConfigError as error:
        errors.setdefault(error.field, []).append(str(error))
        return Finding(plugin, definition, given, errors, nulls=frozenset(nulls))
    parsed = typed(plugin, resolved.config)
    for key, messages in parsed.errors.items():
        errors.setdefault(key, messages)
    if not errors and connect:
        errors = _check(plugin, parsed.values)
    scrubbed = {key: [resolved.scrub(message) for message in messages] for key, messages in errors.items()}
    return Finding(plugin, definition, given, scrubbed, parsed.warnings, parsed.notes, frozenset(nulls))


def _check(plugin: Plugin, values: Mapping[str, Any]) -> dict[str, list[str]]:
    try:
        return plugin.check(values)
    except ConfigError as error:
        return {error.field or "connector.class": [str(error)]}
    except SyncError as error:
        return {"connector.class": [str(error)]}


def validation_body(finding: Finding, *, show_passwords: bool = False) -> Body:
    """``PUT /connector-plugins/{p}/config/validate``'s answer: every key with its value and errors."""
    secrets = secret_keys(finding.definition)
    shown = finding.config if show_passwords else mask(finding.config, secrets)
    configs: list[Body] = [
        {
            "definition": describe(key, order),
            "value": _value(
                key.name, None if key.name in finding.nulls else _shown(key, shown), key.recommended, finding.errors
            ),
        }
        for order, key in enumerate(finding.definition.keys, start=1)
    ]
    declared = {key.name for key in finding.definition.keys}
    configs.extend(
        {"definition": None, "value": _value(name, shown.get(name), (), finding.errors)}
        for name in finding.errors
        if name not in declared
    )
    own = [key.group for key in finding.definition.keys]
    return {
        "name": finding.config.get("connector.class", finding.plugin.class_name),
        "error_count": finding.error_count,
        "groups": list(dict.fromkeys([*GROUPS, *own])),
        "configs": configs,
    }


def describe(key: Key, order: int) -> Body:
    """One key's declaration in the shape of ``GET /connector-plugins/{p}/config``; ``order`` counts from 1."""
    return {
        "name": key.name,
        "type": key.type.value,
        "required": key.required,
        "default_value": _default(key),
        "importance": key.importance,
        "documentation": key.doc,
        "group": key.group,
        "order": order,
        "width": key.width or ("SHORT" if key.type in _NARROW else "MEDIUM"),
        "display_name": key.display or key.name,
        "dependents": [],
    }


def _value(name: str, value: str | None, recommended: tuple[str, ...], errors: Mapping[str, list[str]]) -> Body:
    return {
        "name": name,
        "value": value,
        "recommended_values": list(recommended),
        "errors": errors.get(name, []),
        "visible": True,
    }


def _shown(key: Key, config: Mapping[str, str]) -> str | None:
    """A key's value as Connect shows it: in its type's own form, null where it can't be read; placeholders as given."""
    if key.name not in config:
        return _default(key)
    given = config[key.name]
    try:
        return given if "${" in given or key.type is Type.PASSWORD else _text(convert(key.type, given))
    except ValueError:
        return None


def _default(key: Key) -> str | None:
    if key.required or key.default is None:
        return None
    if key.type is Type.PASSWORD:
        return MASK if key.default else ""
    return _text(key.default)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value)
