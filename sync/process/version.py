"""The order of a row's versions (``_version``): by the change, by the decisions about it, by where it was taken to.

A version of the validate step is ``of(offset, revision)``. What the reconcile step does with it, as it refers it to
another entity and calls it back (``sync.process.referral``), counts on from there: newer than the version, older than
the row's next one.
"""

from __future__ import annotations

REVISIONS = 256
"""Versions of one change: as it came, and after each decision about its row; later ones count as the last."""

REFERRALS = 1 << 16
"""Versions of one of these: as the validate step made it, and at each step on its way between entities."""


def of(offset: int, revision: int) -> int:
    """The version of the change at ``offset`` of its partition after ``revision`` decisions about its row."""
    return (offset * REVISIONS + min(revision, REVISIONS - 1)) * REFERRALS


def origin(version: int) -> tuple[int, int]:
    """Offset of a version's change, and how many decisions about its row came before it, as far as counted."""
    return divmod(version // REFERRALS, REVISIONS)
