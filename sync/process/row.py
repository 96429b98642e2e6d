"""The validator's state of one source row and its wire form (value of ``<source topic>.rows``).

Small, since there is one for every row of every source, and internal: not Avro. A row in order has its status, the
entity it contributes to and its quality; only a row that a person has to decide about, or has decided about, keeps the
change itself, so that a decision can be carried out, and undone, without the source sending anything again. Of a
deleted row that contributed it stays known to which entity, as the reconcile step's state of it stays.
"""

from __future__ import annotations

from typing import NamedTuple

from sync.schema import datum

VALID, REJECTED, REVIEW, GONE = b"V", b"R", b"W", b"D"


class Kept(NamedTuple):
    """A change as it arrived: its offset in the source topic and its value."""

    offset: int
    value: bytes


class Row(NamedTuple):
    """What is known of a source row.

    ``entity``: the datum of the key of the entity that it contributes to, or last contributed to where it is
    ``closed``, which knows the row still and is told what becomes of it; empty where it never contributed.
    ``quality``: what was found in it (``sync.process.quality``). ``revision``: how many decisions had been made about
    it when it was last looked at.
    """

    status: bytes
    entity: bytes = b""
    quality: bytes = b""
    revision: int = 0
    kept: Kept | None = None
    closed: bool = False


def encode(row: Row) -> bytes:
    """The state's bytes; the status of one that is closed is a small letter."""
    status, entity, quality, revision, kept, closed = row
    head = b"".join(
        (
            status.lower() if closed else status,
            datum.zigzag(len(entity)),
            entity,
            datum.zigzag(len(quality)),
            quality,
        )
    )
    if kept is None:
        return head if not revision else head + datum.zigzag(revision)
    return head + datum.zigzag(revision) + datum.zigzag(kept.offset) + kept.value


def decode(data: bytes) -> Row:
    """The state from its bytes."""
    status, closed = data[:1].upper(), data[:1].islower()
    size, start = datum.read_long(data, 1)
    end = start + size
    entity = data[start:end]
    size, start = datum.read_long(data, end)
    end = start + size
    quality = data[start:end]
    if end == len(data):
        return Row(status, entity, quality, closed=closed)
    revision, end = datum.read_long(data, end)
    if end == len(data):
        return Row(status, entity, quality, revision, closed=closed)
    offset, end = datum.read_long(data, end)
    return Row(status, entity, quality, revision, Kept(offset, data[end:]), closed)
