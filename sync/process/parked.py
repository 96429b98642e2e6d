"""Rows whose newest version was refused while an older one still contributes: who has the word about them.

The refusal came along the row's own way (``sync.process.told``), so it is newer than all that was read before it. It is
kept in the entity's state and has the word until a newer version of the row arrives: whatever becomes of the older
version meanwhile, as when the register changes, is counted but not told.
"""

from __future__ import annotations

from sync.process.entity import Entry, refusal_key
from sync.process.touched import Contribution, Touched

PARK = "p"
"""The operation of a valid record that carries a refusal."""


def park(touched: Touched, contribution: Contribution, version: int, text: str | None) -> bool:
    """Keep a refusal (None: nothing is refused any more); False where a newer version has come already."""
    number, key = contribution
    entity = touched.entities[number]
    name, entry = refusal_key(key), entity.entries.get(key)
    held = entity.refusals.get(name)
    # A contribution that is taken back by the same change as it is refused has the refusal's version.
    if any(known is not None and version < known.version for known in (entry, held)):
        return False
    if text is not None:
        entity.refusals[name] = Entry(version, 0, text.encode())
        return True
    entity.refusals.pop(name, None)
    if entry is not None and not entry.value:
        entry.after = b""
    return True


def unpark(touched: Touched, contribution: Contribution, version: int) -> bool:
    """A version of the row arrived: forget the refusal of an older one. Tells whether there was one."""
    number, key = contribution
    refusals = touched.entities[number].refusals
    if not refusals:
        return False
    name = refusal_key(key)
    held = refusals.get(name)
    if held is None or held.version > version:
        return False
    del refusals[name]
    return True
