"""The registry as a source with transforms sees it: schemas of what is captured, beside those of what is written.

A source compares a table with the newest schema of its subject, so what it captures must be registered; but the
subjects of the topics belong to what the transforms make, which may be something else altogether.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync.schema.registry import Registered, RegistryClient


class CapturedRegistry(RegistryClient):
    """A client that puts ``.captured`` behind each topic's name: subjects ``<topic>.captured-key`` and ``-value``."""

    def register(self, subject: str, schema: Mapping[str, Any]) -> int:
        """See ``RegistryClient``."""
        return super().register(_captured(subject), schema)

    def latest(self, subject: str) -> Registered | None:
        """See ``RegistryClient``."""
        return super().latest(_captured(subject))

    def lookup(self, subject: str, schema: Mapping[str, Any]) -> Registered | None:
        """See ``RegistryClient``."""
        return super().lookup(_captured(subject), schema)


def _captured(subject: str) -> str:
    return re.sub(r"-(key|value)$", r".captured-\1", subject)
