"""The signed report of a transfer: counts by unit, without any record; HMAC-SHA256 over its canonical form.

The key is a file that the body which transfers and the one which checks share; the report names it by its digest.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from sync.errors import ConfigError
from sync.steward.transfer.plan import canonical

ALGORITHM = "HMAC-SHA256"
_LEAST = 32
"""Bytes of a key: fewer are easier to guess than the hash is to break."""


def read_key(path: Path) -> bytes:
    """The key in a file, without line ends around it. ConfigError where there is none or it is too short."""
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"The key file can't be read: {error.strerror}.", hint="name a file with a key") from error
    if len(key) < _LEAST:
        raise ConfigError(
            f"The key has {len(key)} bytes, fewer than {_LEAST}.", hint="make one: `openssl rand -hex 32 > FILE`"
        )
    return key


def sign(content: dict[str, Any], key: bytes) -> bytes:
    """The report's bytes."""
    signature = {"algorithm": ALGORITHM, "key": _name(key), "value": _mac(content, key)}
    return canonical({**content, "signature": signature})


def verify(data: bytes, key: bytes) -> dict[str, Any]:
    """The content of a signed report. ConfigError where it was not signed with this key, or was changed since."""
    try:
        content = json.loads(data)
        signature = content.pop("signature")
        named, value = signature["key"], str(signature["value"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            "The file is no signed report.", hint="use a file of `dongbo transfer report`, unchanged"
        ) from error
    if signature.get("algorithm") != ALGORITHM or named != _name(key):
        raise ConfigError("The report was signed with another key.", hint="ask who made it for the key")
    if not hmac.compare_digest(value.encode(), _mac(content, key).encode()):
        raise ConfigError("The report was changed after it was signed.", hint="ask who made it for the original")
    told: dict[str, Any] = content
    return told


def _mac(content: dict[str, Any], key: bytes) -> str:
    return hmac.new(key, canonical(content), sha256).hexdigest()


def _name(key: bytes) -> str:
    """The key's name: a digest of it for this use alone."""
    return sha256(b"dongbo.transfer.key:" + key).hexdigest()[:16]
