"""The keys of a connector's transforms and predicates: which there are depends on the aliases that it names.

``KEYS`` are every connector's; ``declared`` adds those of one configuration, under ``transforms.<alias>.`` and
``predicates.<alias>.``, so that a wrong one is told with its own name, as Kafka Connect does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.config import ConfigDef, Key, Type, convert
from sync.errors import ConfigError
from sync.transform import predicates, transforms
from sync.transform.chain import Chain
from sync.transform.kinds import Kind

TRANSFORMS, PREDICATES = "transforms", "predicates"


def _once(name: str, value: Any) -> str | None:
    if len(set(value)) < len(value):
        return f"Invalid value {value} for configuration {name}: Duplicate alias provided."
    return None


KEYS = ConfigDef(
    (
        Key(
            TRANSFORMS,
            Type.LIST,
            "Aliases for the transformations to be applied to records.",
            [],
            importance="LOW",
            group="Transforms",
            display="Transforms",
            width="LONG",
            validator=_once,
        ),
        Key(
            PREDICATES,
            Type.LIST,
            "Aliases for the predicates used by transformations.",
            [],
            importance="LOW",
            group="Predicates",
            display="Predicates",
            width="LONG",
            validator=_once,
        ),
    )
)


def declared(config: Mapping[str, Any]) -> ConfigDef:
    """The keys of the transforms and predicates that ``config`` names."""
    named = _aliases(config, PREDICATES)
    found = ConfigDef(())
    for alias in _aliases(config, TRANSFORMS):
        prefix = f"{TRANSFORMS}.{alias}."
        found += _of(transforms(), config, prefix, f"Transforms: {alias}", "Transformation")
        found += _conditions(prefix, f"Transforms: {alias}", named)
    for alias in named:
        found += _of(predicates(), config, f"{PREDICATES}.{alias}.", f"Predicates: {alias}", "Predicate")
    return found


def problems(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is wrong with typed values that are right one by one: errors by key."""
    try:
        Chain.read(values)
    except ConfigError as error:
        return {error.field: [str(error)]}
    return {}


def _aliases(config: Mapping[str, Any], name: str) -> Sequence[str]:
    return list(dict.fromkeys(convert(Type.LIST, config.get(name) or "")))


def _of(kinds: Mapping[str, Kind], config: Mapping[str, Any], prefix: str, group: str, what: str) -> ConfigDef:
    def known(name: str, value: Any) -> str | None:
        if value in kinds:
            return None
        return f"Invalid value {value} for configuration {name}: Class {value} could not be found."

    type_ = Key(
        f"{prefix}type",
        Type.CLASS,
        f"Class for the '{prefix.split('.')[1]}' {what.lower()}.",
        importance="HIGH",
        group=group,
        display=f"{what} type for {prefix.split('.')[1]}",
        validator=known,
    )
    kind = kinds.get(str(config.get(type_.name)))
    if kind is None:
        return ConfigDef((type_,))
    own, start = kind.config, re.escape(prefix)
    accepted = {start + pattern: text for pattern, text in own.accepted.items()}
    # A mistyped key would leave a field in clear, or records where they should not be, without a word.
    others = "".join(f"(?!{pattern}$)" for pattern in accepted) + start + ".*"
    names = ", ".join(key.name for key in own.keys) or "none"
    unknown = f"{kind.class_name.rpartition('.')[2]} has no such key; its keys: {names}."
    return ConfigDef(
        (type_, *(replace(key, name=prefix + key.name, group=group) for key in own.keys)),
        {**{start + pattern: text for pattern, text in own.unsupported.items()}, others: unknown},
        accepted,
    )


def _conditions(prefix: str, group: str, named: Sequence[str]) -> ConfigDef:
    def known(name: str, value: Any) -> str | None:
        if not value or value in named:
            return None
        return f"Invalid value {value} for configuration {name}: no such alias in {PREDICATES}."

    return ConfigDef(
        (
            Key(
                f"{prefix}predicate",
                Type.STRING,
                "The alias of a predicate used to determine whether to apply this transformation.",
                "",
                group=group,
                validator=known,
            ),
            Key(
                f"{prefix}negate",
                Type.BOOLEAN,
                "Whether the configured predicate should be negated.",
                False,
                group=group,
            ),
        )
    )
