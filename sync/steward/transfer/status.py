"""How far a plan is: for each row of it, what became of each record, counted on the golden records themselves.

Every planned record is in exactly one outcome, so the counts of a row add up to what was planned. The plan is carried
out when no record is ``pending`` or ``unfinished``, every event belongs to a planned record, and the new units hold as
many records by this plan as the old ones gave.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sync.process.decision import REJECT, Decided
from sync.process.entity import texts
from sync.process.notice import SEPARATOR
from sync.process.transfer import Move, case_of
from sync.steward.transfer.execution import UNDONE, Execution
from sync.steward.transfer.plan import Plan

OUTCOMES = {
    "moved": "holds its new unit by this plan",
    "already": "its owner names the new unit itself",
    "superseded": "its owner has named another unit since",
    "waiting": "waits in review",
    "kept": "a data steward decided that it stays",
    "gone": "there is no such record any more",
    "undone": "the plan was undone",
    "pending": "no event was written yet: apply goes on",
    "unfinished": "an event was written, the reconciler has not carried it out",
}
"""What can have become of a planned record."""

OPEN = ("pending", "unfinished")


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one record: its event's revision, its golden values, what waits and what a person refused."""

    revision: int | None
    golden: Mapping[str, Any] | None
    waiting: bool
    refused: bool


def outcome(move: Move, plan: str, standing: Standing) -> str:
    """What became of a record in one row of a plan: one of ``OUTCOMES``."""
    golden = standing.golden
    if golden is None:
        return "gone"
    if standing.revision is None:
        return "pending"
    moved = any(told["field"] == move.field and told["plan"] == plan for told in transfers(golden["_lineage"]))
    if standing.revision == UNDONE:
        return "unfinished" if moved else "undone"
    value = golden[move.field]
    if moved:
        return "moved"
    if value != move.old:
        return "already" if value == move.new or value in move.candidates else "superseded"
    if move.waits and (standing.waiting or standing.refused):
        return "waiting" if standing.waiting else "kept"
    return "unfinished"


def transfers(lineage: str | None) -> list[dict[str, str]]:
    """What transfers gave to a golden record, from its lineage."""
    found: list[dict[str, str]] = json.loads(lineage or "{}").get("transfers", [])
    return found


def status(execution: Execution, plan: Plan, cases: Collection[str], by: Decided) -> dict[str, Any]:
    """The counts of a plan as JSON-able data, without a personal value. ``cases``: rows of the open transfer cases."""
    done = execution.done()
    fields = sorted({row.move.field for row in plan.rows})
    golden = execution.golden.values(plan, fields)
    known = {plan.digest(entity): (entity, revision) for entity, revision in done.items()}
    rows, received = [], Counter[str]()
    for row in plan.rows:
        counts = Counter[str]()
        for record in row.records:
            entity, revision = known.get(record, (b"", None))
            case = case_of(plan.dataset, SEPARATOR.join(texts(entity)), plan.id)
            decision = by.of(case).decision if row.move.waits else None
            refused = decision is not None and decision.action == REJECT
            standing = Standing(revision, golden.get(record), case.row in cases, refused)
            found = outcome(row.move, plan.id, standing)
            counts[found] += 1
            if found == "moved":
                received[str(golden[record][row.move.field])] += 1
        rows.append(_told(row.move, len(row.records), counts))
    totals = {name: sum(row[name] for row in rows) for name in ("planned", *OUTCOMES)}
    foreign = len(known.keys() - plan.moves.keys())
    balanced = (
        not foreign
        and not any(totals[name] for name in OPEN)
        and totals["planned"] == sum(totals[name] for name in OUTCOMES)
        and sum(received.values()) == totals["moved"]
    )
    return {
        "plan": plan.id,
        "hash": plan.hash,
        "dataset": plan.dataset,
        "origin": plan.origin,
        "effective_date": plan.effective_date,
        "made_at": plan.made_at,
        "records": len(plan.moves),
        "events": len(done),
        "foreign": foreign,
        "rows": rows,
        "totals": totals,
        "received": dict(sorted(received.items())),
        "balanced": balanced,
    }


def _told(move: Move, planned: int, counts: Mapping[str, int]) -> dict[str, Any]:
    told = {"field": move.field, "old": move.old, "new": move.new, "candidates": list(move.candidates)}
    return {**told, "planned": planned, **{name: counts.get(name, 0) for name in OUTCOMES}}
