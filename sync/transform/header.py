"""Values as the texts of headers: what Connect's ``SimpleHeaderConverter``, its default, writes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from sync.transform.piece import reader
from sync.transform.schema import Avro


def rendered(type_: Avro) -> Callable[[bytes], bytes]:
    """A function from a value's bytes (without a union's branch) to a header's."""
    read = reader(type_)
    return lambda piece: _text(read(piece)).encode()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
