"""Reads ``policy.yaml``: how contributions become one golden record, and who gets it.

Called by ``sync.schema.dataset``. What the entries mean: ``sync.rule.model.Policy`` and ``sync.rule.merge``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from sync.rule.merge import CONTRIBUTOR
from sync.rule.model import Activity, Authority, Distribution, Group, Locality, Match, Policy
from sync.schema.document import Node

RELATIONS = ("agency_province", "province", "contributor")
"""What ``locality.via`` may name (``sync.rule.model.Locality``)."""


def parse(
    node: Node, names: tuple[str, ...], datasets: tuple[str, ...], codes: Mapping[str, tuple[str, ...]]
) -> Policy:
    """The policy of a dataset with the fields ``names``; ConfigError at the first mistake. ``codes``: those of fields.

    Every field outside the key must stand in exactly one group: a field in none would silently be lost, one in two
    would depend on the order of the groups.
    """
    node.mapping(
        allowed=("entity", "register", "match", "distribution", "locality", "activity", "transfer", "groups"),
        needed=("entity", "distribution", "groups"),
    )
    entity = node.get("entity").texts()
    if not entity:
        node.get("entity").fail("names no field.", "Name the fields of the key.")
    for name in entity:
        _known(node.get("entity"), name, names)
    register = node.get("register")
    _check_names(node.get("groups"))
    groups = tuple(_group(item, names) for item in node.get("groups").items())
    _check_partition(node.get("groups"), groups, entity, names)
    policy = Policy(
        entity=entity,
        groups=groups,
        register=None if register.absent else register.choice(datasets),
        match=_match(node.get("match"), names),
        distribution=cast(Distribution, node.get("distribution").choice(get_args(Distribution))),
        locality=_locality(node.get("locality"), names),
        activity=_activity(node.get("activity"), names, codes),
        transfer=_transfer(node.get("transfer"), names, entity),
    )
    if (policy.register is None) != (policy.match is None):
        node.fail("register and match go together.", "Write both, or null for both.")
    if policy.distribution == "owner" and policy.locality is None:
        node.fail("distribution owner without locality.", "Say which field tells the owner's province.")
    for group in groups:
        if policy.locality is not None and policy.locality.field in group.fields and "manager" in group.order:
            # Who manages a record is known by this very field.
            node.get("groups").fail(
                f"group {group.name} is merged by manager and holds {policy.locality.field}, which tells the manager.",
                "Take manager out of its order, or the field into a group of its own.",
            )
    return policy


def _known(node: Node, name: str, names: tuple[str, ...]) -> str:
    if name not in names:
        node.fail(f"the dataset has no field {name}.", "Use a field of its schema.")
    return name


def _check_names(node: Node) -> None:
    """Explanations name groups, so each has a name of its own."""
    seen: set[str] = set()
    for item in node.items():
        name = item.mapping().get("name").optional_text() or ""
        if name in seen:
            item.fail(f"there are two groups {name}.", "Give one of them another name.")
        seen.add(name)


def _group(node: Node, names: tuple[str, ...]) -> Group:
    node.mapping(allowed=("name", "fields", "order", "latest", "atomic", "max"), needed=("name", "fields"))
    order = tuple(cast(Authority, item.choice(get_args(Authority))) for item in node.get("order").items())
    for place, item in zip(order, node.get("order").items(), strict=True):
        if order.count(place) > 1:
            item.fail(f"{place} stands twice in the order.", "Keep one of them.")
    group = Group(
        name=node.get("name").text(),
        fields=tuple(_known(node, name, names) for name in node.get("fields").texts()),
        order=order,
        latest=node.get("latest").optional_text(),
        atomic=node.get("atomic").flag(),
        max=node.get("max").flag(),
    )
    if group.max == bool(order):
        node.fail(f"group {group.name} needs either an order or max.", "Write order: […], or max: true alone.")
    if group.latest is not None and group.latest not in group.fields:
        node.get("latest").fail(f"{group.latest} is not in the group.", "Use a field of the group.")
    return group


def _check_partition(node: Node, groups: tuple[Group, ...], key: tuple[str, ...], names: tuple[str, ...]) -> None:
    seen: dict[str, str] = {}
    for group in groups:
        for name in group.fields:
            if name in key:
                node.fail(f"key field {name} stands in group {group.name}.", "Take it out: keys are not merged.")
            if name in seen:
                node.fail(f"{name} stands in {seen[name]} and {group.name}.", "Keep it in one of them.")
            seen[name] = group.name
    missing = [name for name in names if name not in seen and name not in key]
    if missing:
        node.fail(f"{missing[0]} stands in no group.", f"Add {missing[0]} to a group.")


def _match(node: Node, names: tuple[str, ...]) -> Match | None:
    if node.absent:
        return None
    keys = ("name", "birth_date", "sex")
    node.mapping(allowed=keys, needed=keys)
    name, birth_date, sex = (_known(node, node.get(key).text(), names) for key in keys)
    return Match(name=name, birth_date=birth_date, sex=sex)


def _locality(node: Node, names: tuple[str, ...]) -> Locality | None:
    if node.absent:
        return None
    node.mapping(allowed=("field", "via"), needed=("field", "via"))
    via, field = node.get("via").choice(RELATIONS), node.get("field").text()
    if (via == "contributor") != (field == CONTRIBUTOR):
        node.fail(f"field {field} via {via}.", f"The field of contributor is {CONTRIBUTOR}, and of nothing else.")
    return Locality(field=field if field == CONTRIBUTOR else _known(node, field, names), via=via)


def _activity(node: Node, names: tuple[str, ...], codes: Mapping[str, tuple[str, ...]]) -> Activity | None:
    if node.absent:
        return None
    keys = ("unit", "since", "status", "concurrent")
    node.mapping(allowed=(*keys, "active"), needed=(*keys, "active"))
    unit, since, status, concurrent = (_known(node, node.get(key).text(), names) for key in keys)
    for code in node.get("active").texts():
        if status in codes and code not in codes[status]:
            node.get("active").fail(f"{code} is no code of {status}.", f"Use some of {', '.join(codes[status])}.")
    return Activity(
        unit=unit, since=since, status=status, active=tuple(node.get("active").texts()), concurrent=concurrent
    )


def _transfer(node: Node, names: tuple[str, ...], key: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    if node.absent:
        return ()
    found: list[tuple[str, ...]] = []
    for item in node.items():
        fields = tuple(_known(item, name, names) for name in item.texts())
        for name in fields:
            if name in key or any(name in earlier for earlier in found):
                item.fail(f"{name} is in the key, or stands here twice.", "Take it out.")
        found.append(fields)
    return tuple(found)
