"""Avro's primitives as bytes, where a datum is put together or taken apart by hand.

Used by capture, transforms, batches in columns and the reconciler's state; assumes nothing. The wire forms are those of
the Avro 1.12 specification, "Binary encoding".
"""

from __future__ import annotations

import struct

_DOUBLE = struct.Struct("<d").pack
_FLOAT = struct.Struct("<f").pack

NULL = b"\x00"
"""First branch of a ``["null", T]`` union."""

SOME = b"\x02"
"""Second branch of a ``["null", T]`` union; the value follows."""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number & ~0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


# Fourteen bits at a time: as the last two bytes of a number, and as two bytes that are continued.
_BITS = 14
_MASK = (1 << _BITS) - 1
_LAST = [_varint(n) for n in range(1 << _BITS)]
_MORE = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << _BITS)]


def zigzag(number: int) -> bytes:
    """Return an Avro ``int`` or ``long`` (64 bits, signed) as variable-length zig-zag bytes."""
    rest = (number << 1) ^ (number >> 63)
    if rest <= _MASK:
        return _LAST[rest]
    out = _MORE[rest & _MASK]
    rest >>= _BITS
    while rest > _MASK:
        out += _MORE[rest & _MASK]
        rest >>= _BITS
    return out + _LAST[rest]


def read_long(data: bytes | memoryview, at: int = 0) -> tuple[int, int]:
    """Return the ``int`` or ``long`` that begins at ``at``, and where it ends. IndexError where ``data`` does."""
    byte = data[at]
    at += 1
    number, shift = byte & 0x7F, 7
    while byte > 0x7F:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), at


def text(value: bytes) -> bytes:
    """Return an Avro ``string`` or ``bytes`` of the given (UTF-8) bytes."""
    return zigzag(len(value)) + value


def content(value: bytes) -> bytes:
    """Return the bytes of an Avro ``string`` or ``bytes``, its length left off."""
    start = 1
    while value[start - 1] & 0x80:
        start += 1
    return value[start:]


def double(value: float) -> bytes:
    """Return an Avro ``double``."""
    return _DOUBLE(value)


def single(value: float) -> bytes:
    """Return an Avro ``float``."""
    return _FLOAT(value)


def decimal(unscaled: int) -> bytes:
    """Return an Avro ``bytes`` with the shortest two's complement form, as Java's ``BigInteger.toByteArray``."""
    magnitude = unscaled if unscaled >= 0 else ~unscaled
    return text(unscaled.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def block(items: list[bytes]) -> bytes:
    """Return an Avro ``array`` of the encoded items, or a ``map`` of encoded pairs."""
    return zigzag(len(items)) + b"".join(items) + b"\x00" if items else b"\x00"


class Heads(dict[int, bytes]):
    """Length → what stands before a string of that length; remembers the short ones.

    ``union`` is put first (``SOME`` for a nullable field).
    """

    _REMEMBERED = 4096

    def __init__(self, union: bytes = b"") -> None:
        super().__init__()
        self._union = union

    def __missing__(self, length: int) -> bytes:
        head = self._union + zigzag(length)
        if length < self._REMEMBERED:
            self[length] = head
        return head
