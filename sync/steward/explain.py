"""``dongbo explain DATASET KEY``: a golden record field by field, on the operator's terminal and nowhere else."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sync.connect.telling import print_json, table, tell, told
from sync.errors import ConfigError
from sync.kafka.tail import plain
from sync.option import BOOTSTRAP, REGISTRY, Bootstrap, Json, RegistryUrl
from sync.rule.explanation import Claim, Explained, explain
from sync.schema.dataset import Dataset, load
from sync.schema.reference import load_reference, owners
from sync.schema.registry import RegistryClient
from sync.steward import lookup

RULES = {
    "only": "nobody else gives a value",
    "authority": "whose word counts in this group",
    "latest": "the newest placement",
    "recency": "the most recent",
    "tie": "equal in all that counts: the first by source and row",
    "less": "the greatest value",
    "key": "the entity's key",
}
"""What made a value the golden one, in words."""

REASONS = {
    "waiting": "takes no part",
    "empty": "gives no value",
    "authority": "another's word comes first",
    "latest": "an older placement",
    "recency": "less recent",
    "tie": "equal, but later by source and row",
    "atomic": "the group comes whole from one source",
    "less": "a smaller value",
}
"""Why a value lost, in words."""


def explained(bootstrap: str, registry_url: str, dataset_id: str, key: str) -> dict[str, Any]:
    """The explanation as JSON-able data.

    ``golden`` false: the entity is known, but all that is said of it waits in review. Raises ConfigError for an
    unknown dataset or key, Refused or Unavailable where Kafka or the registry says no or nothing.
    """
    dataset = load(dataset_id)
    known = lookup.entity(bootstrap, dataset, key)
    if known is None:
        raise ConfigError(
            f"{dataset.id} has no entity with the key given.",
            hint=f"check the key; `dongbo tail {dataset.id}.rejected` and `dongbo review list` show what was not taken",
        )
    registry = RegistryClient(registry_url)
    try:
        moved = lookup.passages(bootstrap, known, dataset, key, registry)
        claims = lookup.claims(known, dataset, registry, moved)
        referred = lookup.referrals(known, key, registry)
    finally:
        registry.close()
    provinces = owners(load_reference(["agencies", "provinces"]))
    made = explain(claims, fields=dataset.fields, policy=dataset.policy, provinces=provinces)
    fields, owner = ([], None) if made is None else made
    told: dict[str, Any] = plain(
        {
            "dataset": dataset.id,
            "key": key,
            "golden": made is not None,
            "locality": owner,
            "contributions": [_contribution(claim) for claim in claims],
            "transfers": [step._asdict() for step in moved],
            "referrals": [row._asdict() for row in referred],
            "fields": [_field(item, dataset) for item in fields],
        }
    )
    return told


def _contribution(claim: Claim) -> dict[str, Any]:
    return {
        "source": claim.source,
        "row": claim.row,
        "authority": claim.authority,
        "locality": claim.locality,
        "time": claim.recency,
        "waiting": claim.waiting,
    }


def _field(item: Explained, dataset: Dataset) -> dict[str, Any]:
    winner = item.winner
    return {
        "field": item.field,
        "value": item.value,
        "group": item.group,
        "order": list(item.order),
        "source": winner and winner.source,
        "row": winner and winner.row,
        "time": winner and winner.recency,
        "rule": None if winner is None else item.rule,
        "class": dataset.field(item.field).cls,
        "lost": [
            {"source": lost.claim.source, "row": lost.claim.row, "value": lost.value, "why": lost.why}
            for lost in item.lost
            if lost.value is not None
        ],
    }


def command(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    key: Annotated[str, typer.Argument(help="The entity's key; the parts of a longer one with | between.")],
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
    every: Annotated[bool, typer.Option("--all", help="Show the fields without a value too.")] = False,
) -> None:
    """Tell where each field of a golden record comes from, by which rule, and which values lost."""
    with told():
        found = explained(bootstrap, registry_url, dataset, key)
    if as_json:
        return print_json(found)
    tell(f"{dataset} {key}: " + (f"golden, owned by {found['locality'] or 'the centre'}" if found["golden"] else ""))
    heads = ("source", "row", "authority", "locality", "time", "waiting")
    table(heads, [[str(item[head] or "") for head in heads] for item in found["contributions"]])
    for step in found["transfers"]:
        tell(f"{step['field']}: {step['old']} is read as {step['new']} by the transfer {step['plan']}.")
    for row in found["referrals"]:
        tell(
            f"{row['source']} {row['row']} gives the number {row['given']}; a data steward decided that it is "
            f"{row['right']}'s (`dongbo review decisions`)."
        )
    if not found["golden"]:
        return tell("There is no golden record: every contribution takes no part, or only the register knows it.")
    shown = map(_row, _shown(found["fields"], every))
    return table(("field", "value", "from", "because", "said otherwise"), shown)


def _shown(fields: list[dict[str, Any]], every: bool) -> list[dict[str, Any]]:
    return [item for item in fields if every or item["value"] is not None or item["lost"]]


def _row(item: dict[str, Any]) -> list[str]:
    """One line: those who say the same stand with the source, so that what differs is seen."""
    agree = [one["source"] for one in item["lost"] if one["value"] == item["value"]]
    source = (item["source"] or "") + (f" (also {', '.join(dict.fromkeys(agree))})" if agree else "")
    others = [one for one in item["lost"] if one["value"] != item["value"]]
    lost = "; ".join(f"{one['value']} ({one['source']}: {REASONS[one['why']]})" for one in others)
    value = "" if item["value"] is None else str(item["value"])
    because = RULES.get(item["rule"] or "", "") if others or not agree else "all say the same"
    return [item["field"], value, source, f"{item['group']}: {because}" if because else item["group"], lost]
