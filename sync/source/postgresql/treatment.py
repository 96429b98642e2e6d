"""What a configuration may make of a string: its hash, asterisks, its beginning. Pure data and functions.

``shape`` reads them from the configuration, a ``table.Column`` carries one, ``mask`` applies it. Hashes are those of
Debezium 3.4's ``io.debezium.relational.mapping.MaskStrings`` (read off its connector).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hash:
    """``column.mask.hash.<algorithm>.with.salt.<salt>``; ``version`` 2 hashes the UTF-8 bytes themselves."""

    algorithm: str
    salt: str
    version: int = 1

    def digest(self, value: bytes, length: int) -> bytes:
        """Return the hexadecimal hash of a string (UTF-8), at most ``length`` characters of it."""
        data = value if self.version == 2 else java_serialized(value)
        name = python_algorithm(self.algorithm)
        return hashlib.new(name, self.salt.encode() + data).hexdigest().encode()[:length]


@dataclass(frozen=True, slots=True)
class Mask:
    """``column.mask.with.<n>.chars``: each value, a null too, is so many asterisks."""

    size: int


@dataclass(frozen=True, slots=True)
class Cut:
    """``column.truncate.to.<n>.chars``: strings and bytes keep so many UTF-16 units or bytes."""

    size: int


Treatment = Hash | Mask | Cut


def python_algorithm(name: str) -> str:
    """Return hashlib's name of a Java ``MessageDigest``. ValueError where there is none here."""
    found = name.lower().replace("sha3-", "sha3_").replace("sha-512/", "sha512_").replace("sha-", "sha")
    return hashlib.new(found).name


def java_serialized(value: bytes) -> bytes:
    """Return a string (UTF-8) as Java's ``ObjectOutputStream`` writes it: what version 1 of the hash is of."""
    data = _modified(value.decode())
    if len(data) > 0xFFFF:
        return b"\xac\xed\x00\x05\x7c" + struct.pack(">Q", len(data)) + data
    return b"\xac\xed\x00\x05\x74" + struct.pack(">H", len(data)) + data


def _modified(text: str) -> bytes:
    """Java's modified UTF-8: each half of a surrogate pair by itself, and a zero in two bytes."""
    units = struct.iter_unpack(">H", text.encode("utf-16-be"))
    return b"".join(chr(unit).encode("utf-8", "surrogatepass") if unit else b"\xc0\x80" for (unit,) in units)
