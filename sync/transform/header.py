"""Values as the texts of headers: what Connect's ``SimpleHeaderConverter``, its default, writes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sync.transform.dateformat import DateFormat
from sync.transform.javanumber import double_text, float_text
from sync.transform.piece import reader
from sync.transform.schema import DATE, DECIMAL, TIME, TIMESTAMP, Avro, kind, logical, required

_DAY = 86_400_000
_TIME, _DATE, _BOTH = map(DateFormat, ("HH:mm:ss.SSS'Z'", "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"))


def rendered(type_: Avro) -> Callable[[bytes], bytes]:
    """A function from a value's bytes (without a union's branch) to a header's."""
    read, show = reader(type_), _shown(type_)
    return lambda piece: show(read(piece)).encode()


def _shown(type_: Avro) -> Callable[[Any], str]:
    meaning, name = logical(type_), kind(type_)
    if meaning in (TIME, TIMESTAMP):
        return _moment
    if meaning == DATE:
        return lambda days: _moment(days * _DAY)
    if meaning == DECIMAL:
        scale = int(required(type_).get("scale", 0))
        return lambda unscaled: str(Decimal(f"{int.from_bytes(unscaled, 'big', signed=True)}E-{scale}"))
    return {"FLOAT64": double_text, "FLOAT32": float_text}.get(name, _text)


def _moment(millis: int) -> str:
    """A time in milliseconds since 1970, in the form that its value suggests (Connect's ``Values.dateFormatFor``)."""
    if millis < _DAY:
        return _TIME.format(millis)
    return (_BOTH if millis % _DAY else _DATE).format(millis)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
