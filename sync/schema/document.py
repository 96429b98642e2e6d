"""A declarative file read with its places: each mistake becomes a ConfigError naming file, line, place and remedy.

Used by the readers of ``schemas/**``. ``Node`` wraps a parsed value together with where it stands
(``civil_servant/policy.yaml: groups[2].order``), and gives typed views of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from sync.errors import ConfigError
from sync.schema.position import position

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]


class _Loader(SafeLoader):
    """Refuses a key given twice, which plain YAML would silently settle for the last; libyaml's where it is there."""


def _unique(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key that is no text", problem_mark=key_node.start_mark)
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.MarkedYAMLError(problem=f"key {key!r} given twice", problem_mark=key_node.start_mark)
        seen.add(key)
    found: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return found


def _day(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A date or time; what has its form and is none (2026-02-30) is told with its place."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise yaml.MarkedYAMLError(problem=f"{node.value} is no date", problem_mark=node.start_mark) from error


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _day)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a declarative file: ``file`` is the path below the schemas folder, ``place`` the path inside it."""

    value: Any
    file: str
    place: str = ""
    root: Path | None = field(default=None, compare=False, repr=False)
    """The folder that ``file`` is in, where it was read: then a mistake is told with line and column."""

    def fail(self, problem: str, hint: str) -> NoReturn:
        """Raise the ConfigError for this place."""
        line = "" if self.root is None else position(self.root / self.file, self.place)
        where = ": ".join(part for part in (self.file, line, self.place) if part)
        raise ConfigError(f"{where}: {problem}", field=self.place or self.file, hint=hint)

    def _wanted(self, kind: str) -> NoReturn:
        self.fail(f"found {type(self.value).__name__}, not {kind}.", f"Write {kind} here.")

    @property
    def absent(self) -> bool:
        """True where nothing or ``null`` is written."""
        return self.value is None

    def mapping(self, allowed: Collection[str] | None = None, needed: Collection[str] = ()) -> Node:
        """This node, sure to be a mapping with string keys, all of them ``allowed`` and none of ``needed`` missing."""
        if not isinstance(self.value, dict):
            self._wanted("a mapping")
        for key in self.value:
            if not isinstance(key, str):
                self.fail(f"key {key!r} is not text.", f'Quote it: "{key}".')
        unknown = sorted(set(self.value) - set(allowed)) if allowed is not None else []
        if unknown:
            self.fail(f"unknown key {unknown[0]}.", f"Known keys: {', '.join(sorted(allowed or ()))}.")
        missing = [key for key in needed if self.value.get(key) is None]
        if missing:
            self.fail(f"key {missing[0]} is missing.", f"Add {missing[0]}.")
        return self

    def get(self, key: str) -> Node:
        """The node under ``key`` of a mapping; an absent one where there is none."""
        return replace(self, value=self.value.get(key), place=f"{self.place}.{key}" if self.place else key)

    def entries(self) -> Iterator[tuple[str, Node]]:
        """Key and node of each entry of a mapping."""
        for key in self.mapping().value:
            yield key, self.get(key)

    def items(self) -> list[Node]:
        """The nodes of a list; [] where nothing is written."""
        if self.absent:
            return []
        if not isinstance(self.value, list):
            self._wanted("a list")
        return [replace(self, value=value, place=f"{self.place}[{index}]") for index, value in enumerate(self.value)]

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            self._wanted("text")
        return self.value

    def optional_text(self) -> str | None:
        """A string, or None where nothing is written."""
        return None if self.absent else self.text()

    def texts(self) -> tuple[str, ...]:
        """A list of strings, or one string; () where nothing is written."""
        if isinstance(self.value, str):
            return (self.value,)
        return tuple(item.text() for item in self.items())

    def flag(self) -> bool:
        """true or false; False where nothing is written."""
        if self.absent:
            return False
        if not isinstance(self.value, bool):
            self._wanted("true or false")
        return self.value

    def choice(self, allowed: Collection[str]) -> str:
        """A string that is one of ``allowed``."""
        text = self.text()
        if text not in allowed:
            self.fail(f"{text} is not known.", f"Write one of {', '.join(sorted(allowed))}.")
        return text


def read(root: Path, path: str) -> Node:
    """Parse ``root / path`` (YAML, or JSON for .avsc); ConfigError where it is missing or cannot be parsed."""
    file = root / path
    try:
        content = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read.", field=path, hint=f"Add the file {file}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8.", field=path, hint="Save it as UTF-8.") from error
    try:
        if file.suffix == ".avsc":
            return Node(json.loads(content), path, root=root)
        # The loader derives from SafeLoader.
        return Node(yaml.load(content, _Loader), path, root=root)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}"
        raise ConfigError(f"{path}: {place}: {error.msg}.", field=path, hint="Correct the JSON there.") from error
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}" if error.problem_mark else "?"
        raise ConfigError(f"{path}: {place}: {error.problem}.", field=path, hint="Correct the YAML there.") from error
    except yaml.reader.ReaderError as error:
        place = f"line {content.count(chr(10), 0, error.position) + 1}"
        problem = f"{path}: {place}: a control character that YAML forbids."
        raise ConfigError(problem, field=path, hint="Take it out.") from error
