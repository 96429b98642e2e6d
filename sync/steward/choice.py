"""Candidates as a data steward sees and chooses them: numbers masked, each with an id of its own in its case.

Used by ``sync.steward.review``. What was found (``<dataset>.candidates``) counts only for the case as it is: with
other facts it was another record that was looked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from sync.connect.problem import BadRequest, Conflict
from sync.process.decision import ACCEPT, CHOOSE, REJECT
from sync.rule.linkage import masked

Record = Mapping[str, Any]


def candidates(case: Record, found: Record | None) -> list[dict[str, Any]] | None:
    """{id, number (masked), score, levels} of each candidate, best first; None where nobody has looked yet."""
    listed = _listed(case, found)
    return None if listed is None else [{**one, "number": masked(one["number"])} for one in listed]


def chosen(case: Record, found: Record | None, candidate: str) -> str:
    """The number of a candidate. Raises Conflict where the case has no such candidate by now."""
    for one in _listed(case, found) or ():
        if one["id"] == candidate:
            return str(one["number"])
    raise Conflict(f"The case has no candidate {candidate}.", hint="look at it again: the register may have changed")


def check(case: Record, action: str, candidate: str | None) -> None:
    """Raise BadRequest where a candidate can't be chosen, or none is named."""
    if (action == CHOOSE) != bool(candidate):
        raise BadRequest(f"A candidate goes with the action {CHOOSE}, and with no other.", hint="give its id")
    if action == CHOOSE and case["record"] is None:
        raise BadRequest(
            "It is not in doubt whose record it is, or a person has said so: nobody else can be chosen here.",
            hint=f"{ACCEPT} or {REJECT} it, or undo the decision that took the row to this person",
        )


def _listed(case: Record, found: Record | None) -> list[dict[str, Any]] | None:
    """What was found for the case as it is, each with its id; None where nobody has looked yet."""
    if found is None or found["facts"] != case["facts"]:
        return None
    others = (one for one in json.loads(found["candidates"]) if one["number"] != case["entity"])
    return [{**one, "id": _id(case, one["number"])} for one in others]


def _id(case: Record, number: str) -> str:
    """A candidate's id in its case: the same each time, and not the number."""
    return blake2b(f"{case['source']}\0{case['row']}\0{number}".encode(), digest_size=4).hexdigest()
