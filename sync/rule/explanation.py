"""Why a golden record is as it is: each field's value, who gave it, by which rule, and the values that lost.

A plain reading of the policy, one entity and one field at a time, for people (``dongbo explain``). It decides nothing:
``sync.rule.merge`` does, in columns, and a property test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cmp_to_key
from typing import Any

from sync.rule.merge import CONTRIBUTOR
from sync.rule.model import Field, Group, Policy
from sync.rule.standing import LOCALITY, MANAGER, REGISTER

KEY, GREATEST = "key", "greatest"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source row says of the entity.

    ``waiting``: why it takes no part in the merge (a match code), None where it does. ``values``: canonical fields.
    """

    source: str
    row: str
    authority: str
    locality: str | None
    changed_at: datetime | None
    values: Mapping[str, Any]
    waiting: str | None = None

    @property
    def recency(self) -> datetime | None:
        """The source's own time of update, else the time of the commit there."""
        updated: datetime | None = self.values.get("source_updated_at")
        return self.changed_at if updated is None else updated


@dataclass(frozen=True, slots=True)
class Lost:
    """A claim whose value was not taken.

    ``why``: ``waiting`` (in review), ``authority`` (another's word comes first, or it has none in this group),
    ``latest`` (the group's date is older), ``recency``, ``tie`` (equal in all that counts: the names of source and row
    decide), ``atomic`` (the group comes whole from one source), ``less`` (a smaller value), ``empty``.
    """

    claim: Claim
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class Explained:
    """One field. ``rule``: what made ``winner``'s value the golden one, in the terms of ``Lost.why``, or ``only``.

    ``order``: the group's authorities; ``key`` and ``greatest`` as group rules have none.
    """

    field: str
    value: Any
    group: str
    order: tuple[str, ...]
    winner: Claim | None
    rule: str
    lost: tuple[Lost, ...]


def explain(
    claims: Sequence[Claim], *, fields: Sequence[Field], policy: Policy, provinces: Mapping[str, str]
) -> tuple[list[Explained], str | None] | None:
    """Explain the golden record that ``claims`` make: its fields in schema order, and the province that owns it.

    None where there is none: nobody but the register knows the entity, or all wait in review.
    """
    taking = [claim for claim in claims if claim.waiting is None]
    own = [claim for claim in taking if policy.register is None or claim.authority != REGISTER]
    if not own:
        return None
    found: dict[str, Explained] = {}
    owner = _contributor(taking, provinces) if policy.locality and policy.locality.field == CONTRIBUTOR else None
    for group in sorted(policy.groups, key=lambda group: MANAGER in group.order):
        for name in group.fields:
            found[name] = _field(name, group, claims, own, owner)
        if policy.locality is not None and policy.locality.field in group.fields:
            agency = found[policy.locality.field].value
            owner = provinces.get(agency.split(".")[0]) if agency else None
    for name in policy.entity:
        found[name] = _key(name, taking)
    return [found[field.name] for field in fields], owner


def _contributor(taking: Sequence[Claim], provinces: Mapping[str, str]) -> str | None:
    """The owner of a record that belongs to the province which contributed it most recently."""

    def before(a: Claim, b: Claim) -> int:
        return _recent(a, b)[0]

    local = [claim for claim in taking if claim.authority == LOCALITY and claim.locality is not None]
    return provinces.get(min(local, key=cmp_to_key(before)).locality or "") if local else None


def _field(name: str, group: Group, claims: Sequence[Claim], own: Sequence[Claim], owner: str | None) -> Explained:
    if group.max:
        return _greatest(name, group, claims, own)

    def before(a: Claim, b: Claim) -> int:
        return _compare(group, a, b, owner)[0]

    ranked = sorted(
        (claim for claim in claims if claim.waiting is None and _rank(group, claim, owner) is not None),
        key=cmp_to_key(before),
    )
    if group.atomic:
        # Whoever says nothing of the group is passed over; the first that does gives all of it.
        ranked = [claim for claim in ranked if any(claim.values.get(field) is not None for field in group.fields)]
    candidates = ranked[:1] if group.atomic else ranked
    winner = next((claim for claim in candidates if claim.values.get(name) is not None), None)
    lost = []
    for claim in claims:
        if claim is winner:
            continue
        lost.append(Lost(claim, claim.values.get(name), _why(name, group, claim, winner, ranked, owner)))
    value = None if winner is None else winner.values[name]
    return Explained(name, value, group.name, group.order, winner, _rule(lost), tuple(lost))


def _why(
    name: str, group: Group, claim: Claim, winner: Claim | None, ranked: Sequence[Claim], owner: str | None
) -> str:
    """Why ``claim`` did not give the field."""
    if claim.waiting is not None:
        return "waiting"
    if claim.values.get(name) is None:
        return "empty"
    if _rank(group, claim, owner) is None:
        return "authority"
    best = winner if winner is not None else ranked[0]
    if group.atomic and winner is None:
        return "atomic"
    return _compare(group, best, claim, owner)[1]


def _rule(lost: Sequence[Lost]) -> str:
    """What told the winner from the best of those that had a value and a word: the closest call."""
    reasons = {item.why for item in lost}
    for why in ("tie", "recency", "latest", "authority", "less"):
        if why in reasons:
            return why
    return "only"


def _rank(group: Group, claim: Claim, owner: str | None) -> int | None:
    """The place of a claim's authority in the group's order; None where it has no word."""
    if claim.authority == LOCALITY and MANAGER in group.order and owner is not None and claim.locality == owner:
        return group.order.index("manager")
    places: dict[str, int] = {name: place for place, name in enumerate(group.order)}
    return places.get(claim.authority)


def _compare(group: Group, a: Claim, b: Claim, owner: str | None) -> tuple[int, str]:
    """Which of two claims comes first (−1: ``a``), and by what."""
    if group.latest is not None:
        first = _later(a.values.get(group.latest), b.values.get(group.latest))
        if first:
            return first, "latest"
    ranks = (_rank(group, a, owner) or 0) - (_rank(group, b, owner) or 0)
    if ranks:
        return ranks, "authority"
    return _recent(a, b)


def _recent(a: Claim, b: Claim) -> tuple[int, str]:
    first = _later(a.recency, b.recency)
    if first:
        return first, "recency"
    return (-1 if (a.source, a.row) < (b.source, b.row) else 1), "tie"


def _later(a: Any, b: Any) -> int:
    """−1 where ``a`` is greater, 1 where ``b`` is; nothing is less than anything."""
    if a == b:
        return 0
    return 1 if a is None or (b is not None and a < b) else -1


def _greatest(name: str, group: Group, claims: Sequence[Claim], own: Sequence[Claim]) -> Explained:
    def order(a: Claim, b: Claim) -> int:
        return _later(a.values.get(name), b.values.get(name)) or _recent(a, b)[0]

    winner: Claim | None = min(own, key=cmp_to_key(order))
    if winner is not None and winner.values.get(name) is None:
        winner = None
    lost = []
    for claim in claims:
        if claim is winner:
            continue
        value = claim.values.get(name)
        if claim.waiting is not None:
            why = "waiting"
        elif value is None:
            why = "empty"
        elif claim not in own:
            why = "authority"
        else:
            why = "less" if winner is not None and value < winner.values[name] else _recent(winner or claim, claim)[1]
        lost.append(Lost(claim, value, why))
    value = None if winner is None else winner.values[name]
    return Explained(name, value, group.name, (GREATEST,), winner, _rule(lost), tuple(lost))


def _key(name: str, taking: Sequence[Claim]) -> Explained:
    def before(a: Claim, b: Claim) -> int:
        return _recent(a, b)[0]

    winner = min(taking, key=cmp_to_key(before))
    return Explained(name, winner.values[name], KEY, (), winner, KEY, ())
