"""Whom of the register the open cases may be about, as data stewards see it: what the demo shows of ``candidates``.

Called when all is quiet. The rows without a number are cases that the demo knows the answer of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sync.demo.error import class_of
from sync.demo.process import wait_until
from sync.demo.script import story
from sync.demo.story import Stage
from sync.rule.linkage import masked
from sync.steward.review import Review

CODE = "NO_ID"
SECONDS = 60


class Candidacy(NamedTuple):
    """Of the open cases without a number: how many, with candidates, with the right person first; and one of them.

    ``example``: the case as ``dongbo review show`` has it, with candidates if any has; None where no case is open.
    """

    cases: int
    found: int
    first: int
    example: dict[str, Any] | None

    def as_json(self) -> dict[str, int]:
        """The counts."""
        return {"cases": self.cases, "with_candidates": self.found, "right_one_first": self.first}

    def told(self) -> list[str]:
        """Sentences for people; without a name, and with masked numbers."""
        if self.example is None:
            return []
        lines = [
            f"{self.cases} records without a number are cases; {self.found} have candidates of the register, "
            f"the right person first in {self.first} (nobody is taken by a score: `dongbo review resolve … choose`)"
        ]
        if self.example["candidates"]:
            lines.append(f"  {self.example['source']} {self.example['row']}, case {self.example['id']}:")
        for one in self.example["candidates"] or ():
            equal = [name for name, level in one["levels"].items() if level == "equal"]
            lines.append(f"    {one['number']}  {one['score']:5.1f} bits  equal: {', '.join(equal)}")
        return lines


def look(bootstrap: str, registry_url: str, stage: Stage, watch: Callable[[str], None]) -> Candidacy:
    """Wait until each of these cases was looked at, and count. Raises Unavailable."""
    service = Review(bootstrap, registry_url)
    what = "The processor candidates"
    try:

        def answered() -> bool:
            watch(f"waiting for: {what}")
            return all(case["candidates"] is not None for case in service.cases("civil_servant", code=CODE))

        wait_until(answered, what, seconds=SECONDS, hint="read its log")
        return _counted(service.cases("civil_servant", code=CODE), stage)
    finally:
        service.close()


def _counted(cases: list[dict[str, Any]], stage: Stage) -> Candidacy:
    known = _numbers(stage)
    named = [case for case in cases if case["candidates"]]
    first = [case for case in named if case["candidates"][0]["number"] == known.get((case["source"], case["row"]))]
    return Candidacy(len(cases), len(named), len(first), next(iter([*first, *named, *cases]), None))


def _numbers(stage: Stage) -> dict[tuple[str, str], str]:
    """The number, masked as candidates' are, of the person of each row without one."""
    found = {}
    for index in range(stage.people):
        kind = class_of(stage.world, index)
        if kind is not None and kind.name == "no_id":
            told = story(stage, index)
            found.update({row.identity: masked(told.citizen_id) for row in told.rows if row.error == kind.name})
    return found
