"""What a transform or predicate declares of itself, and how one is found and made.

Each module of ``sync.transform.kind`` exports ``KIND``, each of ``sync.transform.predicate`` too: a new one is one
new file there. The class names are Kafka Connect's and Debezium's.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.config import ConfigDef
from sync.errors import ConfigError

CONNECT = "org.apache.kafka.connect.transforms"


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of transforms or predicates.

    ``make(values, side)`` makes one of typed values; ``side`` is ``Key`` or ``Value`` for those that have the two
    (``sided``: ``…ReplaceField$Value``), otherwise empty. ``differs`` tells where it isn't as the peer's.
    """

    class_name: str
    doc: str
    make: Callable[[Mapping[str, Any], str], Any]
    config: ConfigDef = field(default_factory=lambda: ConfigDef(()))
    sided: bool = False
    differs: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names by which it is configured."""
        return (f"{self.class_name}$Key", f"{self.class_name}$Value") if self.sided else (self.class_name,)


def discovered(path: Iterable[str], package: str) -> dict[str, Kind]:
    """Class name → kind, of every module of a package, in the order of their names."""
    found: dict[str, Kind] = {}
    for info in pkgutil.iter_modules(path):
        kind = importlib.import_module(f"{package}.{info.name}").KIND
        found |= dict.fromkeys(kind.names, kind)
    return found


def configured(kinds: Mapping[str, Kind], values: Mapping[str, Any], prefix: str) -> Any:
    """The transform or predicate whose typed values stand under ``prefix``. Raises ConfigError."""
    name = values[f"{prefix}type"]
    kind = kinds[name]
    own = {key.name: values.get(prefix + key.name, key.default) for key in kind.config.keys}
    try:
        return kind.make(own, name.rpartition("$")[2] if kind.sided else "")
    except ConfigError as error:
        raise ConfigError(error.args[0], field=f"{prefix}type", hint=error.hint) from error
